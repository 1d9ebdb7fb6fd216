#!/usr/bin/env bash
# `make down`: ends the run at hand and its services; removes by label what containers are left.
# Data, results and runs stay.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/env.sh
. scripts/env.sh
# shellcheck source=scripts/plain.sh
. scripts/plain.sh

plain_stop
# The state of the sandbox on the plain host names its containers.
if [ -f "$plain_state/instance" ] && [ -x .venv/bin/python ]; then
    .venv/bin/python -m sandbox reap
fi
sealed_socket
if [ -n "$(docker compose ps --all --quiet 2>/dev/null)" ]; then
    docker compose stop
    # Only the sandbox knows which containers are its own. It leaves none when it ends in time.
    docker compose run --rm --no-deps -T sandbox reap || true
    docker compose down
fi
echo "Down. Data, results and runs stay; make up goes on."
