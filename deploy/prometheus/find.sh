#!/bin/sh
# Prints the path of promtool or prometheus: the one on PATH, or else Debian's, unpacked to a folder.
# Usage: find.sh promtool|prometheus FOLDER. Exits with 3 where there is neither that nor apt-get.
set -eu
name=$1
folder=$2

if command -v "$name"; then
    exit 0
fi
if [ ! -x "$folder/usr/bin/$name" ]; then
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        echo "error: there is no $name on PATH, nor apt-get to fetch Debian's" >&2
        exit 3
    fi
    mkdir -p "$folder/lists/partial" "$folder/archives/partial"
    folder=$(cd "$folder" && pwd)
    # Lists of its own: it changes nothing of the machine's, and needs no root.
    apt() {
        apt-get -qq -o Dir::State::lists="$folder/lists" -o Dir::Cache="$folder" \
            -o APT::Sandbox::User= "$@" >&2
    }
    apt update
    (cd "$folder/archives" && apt download prometheus)
    dpkg-deb -x "$folder"/archives/prometheus_*.deb "$folder"
    rm -r "$folder/lists" "$folder/archives"
fi
echo "$folder/usr/bin/$name"
