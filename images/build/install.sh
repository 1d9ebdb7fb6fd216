#!/bin/sh
# Installs into the interpreter: from /build/wheels, and from the index too unless offline.
set -eu
offline="$1"
shift

index=
[ "$offline" = 1 ] && index=--no-index
# An empty PIP_INDEX_URL is not the same as none.
[ -n "${PIP_INDEX_URL:-}" ] || unset PIP_INDEX_URL
[ ! -f /build/trusted.pem ] || export PIP_CERT=/build/trusted.pem
wheels="$(find /build/wheels -type d | sed 's/^/--find-links /')"
# shellcheck disable=SC2086 # both lists are split into words on purpose
exec /opt/sealed/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
    --no-compile --only-binary=:all: --root-user-action=ignore $index $wheels "$@"
