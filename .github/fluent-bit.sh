#!/usr/bin/env bash
# Installs a Fluent Bit of the project's own packages on Ubuntu, and puts it on the PATH of the later steps: without one
# `make test` and `make image-test` would leave out the real host.
set -euo pipefail
version=5.1.1
# https://docs.fluentbit.io/manual/installation/downloads/linux names it.
fingerprint=C3C0A28534B9293EAF51FABD9F9DDC083888C1CD
keyring=/usr/share/keyrings/fluentbit-keyring.gpg
curl --fail --silent --show-error https://packages.fluentbit.io/fluentbit.key | sudo gpg --dearmor --output "$keyring"
keys=$(gpg --show-keys --with-colons "$keyring" | awk -F : '$1 == "fpr" { print $10; exit }')
if [ "$keys" != "$fingerprint" ]; then
    echo "error: the packages' key has the fingerprint $keys, not $fingerprint" >&2
    exit 1
fi
codename=$(lsb_release --codename --short)
echo "deb [signed-by=$keyring] https://packages.fluentbit.io/ubuntu/$codename $codename main" \
    | sudo tee /etc/apt/sources.list.d/fluent-bit.list > /dev/null
sudo apt-get update --quiet
sudo apt-get install --yes --no-install-recommends "fluent-bit=$version"
echo /opt/fluent-bit/bin >> "$GITHUB_PATH"
