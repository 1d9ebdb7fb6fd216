#!/usr/bin/env bash
# Makes sure that a base image is there, and prints its name: $SEALED_BASE, or the public Python image,
# or, where no image registry can be reached, one built here from Debian packages.
set -euo pipefail
scripts="$(dirname "${BASH_SOURCE[0]}")"

public=python:3.11-slim-bookworm
own=sealed-base:bookworm

say() { echo "base: $*" >&2; }

have() { docker image inspect "$1" >/dev/null 2>&1; }

# pull IMAGE: the engine does it, with the engine's own mirrors and proxies.
pull() {
    say "pulling $1"
    timeout 600 docker pull --quiet "$1" >&2
}

# Debian 12 with Python 3.11 and nothing more, from the mirror that this machine's apt uses.
bootstrap() {
    local mirror started="$SECONDS"
    command -v debootstrap >/dev/null || "$scripts/engine.sh" install debootstrap debian-archive-keyring
    if [ "$(id -u)" != 0 ]; then
        say "building a base from Debian packages needs root. As root, or with any base of your own:"
        printf '    %s\n' "$0" "SEALED_BASE=your/python:3.11 make images" >&2
        exit 3
    fi
    # Only a machine that runs Debian 12 itself is sure to have a mirror of it; otherwise Debian's own.
    # shellcheck disable=SC2016 # apt's variables, not the shell's
    mirror="$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 2>/dev/null | awk '$2 == "bookworm" { print $1; exit }')"
    tree="$(mktemp -d)"
    trap 'rm -rf --one-file-system "$tree"' EXIT
    say "building $own from Debian packages"
    # shellcheck disable=SC2086 # no mirror is no argument
    if ! debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates \
        bookworm "$tree/root" $mirror >"$tree/log" 2>&1; then
        tail -n 20 "$tree/log" >&2
        say "debootstrap failed; SEALED_BASE names another base image"
        exit 3
    fi
    rm -rf "$tree"/root/var/cache/apt/* "$tree"/root/var/lib/apt/lists/* "$tree"/root/var/log/* \
        "$tree"/root/usr/share/doc "$tree"/root/usr/share/locale "$tree"/root/usr/share/man
    # The resolver and the name of this machine are nobody's business in an image.
    rm -f "$tree/root/etc/resolv.conf" "$tree/root/etc/hostname"
    tar -C "$tree/root" --numeric-owner -c . | docker import - "$own" >/dev/null
    say "$own: $((SECONDS - started)) s"
}

if [ -n "${SEALED_BASE:-}" ]; then
    have "$SEALED_BASE" || pull "$SEALED_BASE" || { say "no image $SEALED_BASE here, and it could not be pulled"; exit 3; }
    echo "$SEALED_BASE"
elif have "$public"; then
    echo "$public"
elif have "$own"; then
    echo "$own"
elif pull "$public"; then
    echo "$public"
else
    bootstrap
    echo "$own"
fi
