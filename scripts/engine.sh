#!/usr/bin/env bash
# Is there a Docker engine? If not: install and start one, or say what to type.
#
#   engine.sh ensure              an engine answers (DOCKER_HOST is honoured), or exit code 3
#   engine.sh install PACKAGE...  Debian packages that are missing, or exit code 3
#
# It installs as root on Debian and Ubuntu only, and SEALED_INSTALL=0 forbids that. It never stops or
# restarts an engine.
set -euo pipefail

state="${XDG_STATE_HOME:-$HOME/.local/state}/sealed"

say() { echo "engine: $*" >&2; }

# The engine's version, or nothing. A deadline, for a hung daemon must not hang the caller.
server() { timeout 20 docker version --format '{{.Server.Version}}' 2>/dev/null || true; }

# Says what is missing and what to type (one argument a line), and ends.
give_up() {
    say "$1"
    shift
    printf '    %s\n' "$@" >&2
    exit 3
}

install() {
    if [ "${SEALED_INSTALL:-1}" = 0 ] || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        give_up "missing on this machine: $*. To install it on Debian or Ubuntu, as root:" \
            "apt-get update && apt-get install --no-install-recommends $*"
    fi
    say "installing $* and what it depends on (SEALED_INSTALL=0 forbids it)"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    apt-get install -qq -y --no-install-recommends "$@" </dev/null >&2
}

# Waits until the engine answers, at most so many seconds.
answers_within() {
    local end=$((SECONDS + $1))
    while [ "$SECONDS" -lt "$end" ]; do
        [ -n "$(server)" ] && return 0
        sleep 0.5
    done
    return 1
}

start() {
    local log="$state/dockerd.log"
    if [ "$(id -u)" != 0 ]; then
        give_up "an engine is installed, but does not answer this user. As root, one of:" \
            "systemctl start docker" "usermod -aG docker $(id -un)   # then log in again"
    fi
    if [ -d /run/systemd/system ]; then
        say "starting the engine with systemd"
        systemctl start docker
    else
        say "starting dockerd, with its log in $log"
        mkdir -p "$state"
        # A session of its own: it outlives this script and its terminal.
        setsid dockerd >>"$log" 2>&1 </dev/null &
    fi
    answers_within 60 && return 0
    [ ! -f "$log" ] || tail -n 15 "$log" >&2
    give_up "the engine did not answer within 60 seconds. Its own words:" \
        "tail $log   # or, with systemd: journalctl -u docker"
}

ensure() {
    local version
    if command -v docker >/dev/null && version="$(server)" && [ -n "$version" ]; then
        say "Docker $version"
        return
    fi
    if [ -n "${DOCKER_HOST:-}" ]; then
        give_up "DOCKER_HOST is $DOCKER_HOST, and no engine answers there. Start it, or:" "unset DOCKER_HOST"
    fi
    if ! command -v dockerd >/dev/null && [ ! -d /run/systemd/system ] && [ "$(uname)" != Linux ]; then
        give_up "no engine answers. Start Docker Desktop, or another engine, and set:" "DOCKER_HOST=unix:///path/to/docker.sock"
    fi
    if ! command -v dockerd >/dev/null; then
        install docker.io iptables
        # From Debian 13 on the client is a package of its own.
        command -v docker >/dev/null || install docker-cli
        # Installing may have started it.
        ! answers_within 3 || { say "Docker $(server)"; return; }
    fi
    start
    say "Docker $(server)"
}

case "${1:-}" in
    ensure) ensure ;;
    install) shift; install "$@" ;;
    *) echo "usage: $0 ensure | install PACKAGE..." >&2; exit 2 ;;
esac
