#!/bin/sh
# Prints lines for .env that pin every image of docker-compose.yml and Dockerfile by the digest that its tag has now:
#   config/pin-images.sh >> .env
# Needs docker with buildx, and the registry. A tag moves with each patch release; a digest never does.
set -eu

pin() {
    digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$2") || exit 1
    case $digest in
        sha256:*) printf '%s=%s@%s\n' "$1" "$2" "$digest" ;;
        *) echo "No digest for $2: $digest" >&2; exit 1 ;;
    esac
}

pin PYTHON_IMAGE "${PYTHON_TAG:-python:3.11-slim}"
pin POSTGRES_IMAGE "${POSTGRES_TAG:-postgres:18}"
pin VALKEY_IMAGE "${VALKEY_TAG:-valkey/valkey:9}"
pin PROMETHEUS_IMAGE "${PROMETHEUS_TAG:-prom/prometheus:v3.5.0}"
pin GRAFANA_IMAGE "${GRAFANA_TAG:-grafana/grafana:12.1.1}"
