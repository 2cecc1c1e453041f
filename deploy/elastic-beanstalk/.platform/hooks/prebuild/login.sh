#!/bin/sh
# Lets Docker pull the images from a private ECR registry, with the instance's role.
set -eu
aws ecr get-login-password --region "$AWS_REGION" |
    docker login --username AWS --password-stdin "${SIDECAR_IMAGE%%/*}"
