#!/bin/sh
# A changed environment property runs these hooks instead of the others: it may name another image.
exec "$(dirname "$0")/../../hooks/prebuild/login.sh"
