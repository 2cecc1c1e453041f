#!/usr/bin/env bash
# Lays out what the Dockerfile copies: context.sh FOLDER PACKAGE... unpacks each package in a folder named as Docker names
# its architecture.
set -euo pipefail
folder=$1
shift
rm -rf "$folder"
mkdir -p "$folder/state"
for package in "$@"; do
    case $package in
        *-linux-x86_64.tar.gz) architecture=amd64 ;;
        *-linux-aarch64.tar.gz) architecture=arm64 ;;
        *)
            echo "error: PACKAGES has $package: give files fluent-bit-firehose-VERSION-linux-ARCH.tar.gz" >&2
            exit 1
            ;;
    esac
    mkdir "$folder/$architecture"
    tar --extract --file "$package" --directory "$folder/$architecture" --strip-components 1 --no-same-owner
    (cd "$folder/$architecture" && sha256sum --quiet --check SHA256SUMS)
done
