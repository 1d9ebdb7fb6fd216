#!/usr/bin/env bash
# Resolves requirements/*.in into hash-pinned requirements/*.txt, for Python 3.11.
#
# The versions chosen are at least a week old where the index tells upload times: most malicious
# releases are found within days. requirements/held-back.in names others to leave out, and why.
# Local wheel folders and extra indexes are left out too, so that they decide neither versions nor
# hashes; a mirror is named by PIP_INDEX_URL.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python="${PYTHON:-python3.11}"
tools="$(mktemp -d)"
trap 'rm -rf "$tools"' EXIT
unset PIP_FIND_LINKS PIP_EXTRA_INDEX_URL
export PIP_CONFIG_FILE=/dev/null

"$python" -m venv "$tools"
"$tools/bin/pip" install --quiet --upgrade "pip==26.3" "pip-tools==7.6.2"
cd requirements

cooldown=(--pip-args "--uploaded-prior-to P7D")
if ! "$tools/bin/pip" download --quiet --no-deps --uploaded-prior-to P7D --dest "$tools/probe" \
    pip-tools >/dev/null 2>&1; then
    echo "This index gives no upload times: look at the age of new versions yourself." >&2
    cooldown=()
fi
# In this order: each one is held to the versions of those before it.
for name in agent scorer sandbox controller dev fuzz; do
    CUSTOM_COMPILE_COMMAND="make lock" "$tools/bin/pip-compile" \
        --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras \
        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header \
        --constraint held-back.in "${cooldown[@]}" --output-file "$name.txt" "$name.in"
    echo "requirements/$name.txt: $(grep -c == "$name.txt") packages"
done
