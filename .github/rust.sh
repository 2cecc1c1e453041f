#!/usr/bin/env bash
# Installs the Rust that Cargo.toml names, with the targets given.
set -euo pipefail
version=$(awk -F '"' '/^rust-version = / { print $2; exit }' Cargo.toml)
rustup toolchain install "$version" --profile default
rustup default "$version"
for target in "$@"; do
    rustup target add "$target"
done
