#!/bin/sh
# Lets Docker pull the images from private ECR registries, of this account or another, with the instance's role.
set -eu
printf '%s\n' "${SIDECAR_IMAGE%%/*}" "${APPLICATION_IMAGE%%/*}" | sort -u | while read -r registry; do
    case "$registry" in
        *.dkr.ecr.*.amazonaws.com*)
            region=${registry#*.dkr.ecr.}
            aws ecr get-login-password --region "${region%%.*}" |
                docker login --username AWS --password-stdin "$registry"
            ;;
    esac
done
