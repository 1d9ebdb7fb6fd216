#!/bin/sh
# First step of a role image: checks the base and makes the interpreter, /opt/sealed/venv/bin/python.
set -eu
compiler="$1"

python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
    echo "The base image's python3 must be 3.11: the requirements are resolved for it." >&2
    exit 1
}
for tool in bash sleep timeout tar; do
    command -v "$tool" >/dev/null || { echo "The base image has no '$tool'." >&2; exit 1; }
done

# Certificates that this build trusts beside those of the base; nothing of them reaches an image.
if [ -f /build/certificates/bundle.pem ]; then
    cat /build/certificates/bundle.pem >/build/trusted.pem
    [ ! -f /etc/ssl/certs/ca-certificates.crt ] || cat /etc/ssl/certs/ca-certificates.crt >>/build/trusted.pem
fi

if [ "$compiler" = 1 ]; then
    apt-get update -q
    # The public Python image has its headers already, and knows no package of that name.
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends g++ libc6-dev
    if [ "$(readlink -f "$(command -v python3)")" = /usr/bin/python3.11 ]; then
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends python3-dev
    fi
fi

python3 -m venv /opt/sealed/venv
