#!/usr/bin/env bash
# Is there a Docker engine? If not: install and start one, or say what to type.
#
#   engine.sh ensure              an engine answers (DOCKER_HOST is honoured), or exit code 3
#   engine.sh compose             `docker compose` is there and new enough, or exit code 3
#   engine.sh runsc               the engine has gVisor as its runtime `runsc`, or exit code 3
#   engine.sh install PACKAGE...  Debian packages that are missing, or exit code 3
#
# It installs as root on Debian and Ubuntu only, and SEALED_INSTALL=0 forbids that. It never stops or
# restarts an engine: a runtime is registered by a signal.
set -euo pipefail

state="${XDG_STATE_HOME:-$HOME/.local/state}/sealed"

say() { echo "engine: $*" >&2; }

# macOS has no such program.
command -v timeout >/dev/null || timeout() { shift; "$@"; }

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
    apt-get install -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends "$@" </dev/null >&2
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

# Whether a version of Compose is 2.20 or newer: the first whose dependencies can wait for one-shot
# services as we need it, and whose errors name the missing host path.
suffices() {
    local major minor
    major="${1%%.*}" minor="${1#*.}"
    minor="${minor%%.*}"
    case "$major$minor" in "" | *[!0-9]*) return 1 ;; esac
    [ "$major" -gt 2 ] || { [ "$major" = 2 ] && [ "$minor" -ge 20 ]; }
}

composer() { timeout 20 docker compose version --short 2>/dev/null | sed 's/^v//' || true; }

# candidate PACKAGE [OPTION...]: the version that apt would install, or nothing.
candidate() {
    local package="$1"
    shift
    apt-cache "$@" policy "$package" | sed -n 's/^  Candidate: \([0-9]*:\)\{0,1\}\([0-9.]*\).*/\2/p'
}

# Whether this is Debian 12, whose Compose and gVisor are too old.
# shellcheck source=/dev/null
bookworm() { [ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = bookworm ]; }

# from_trixie PACKAGE...: what Debian 13 has as programs without dependencies that 12 lacks is taken from
# there, by a list of sources that lives for this one call.
from_trixie() {
    local mirror options
    # shellcheck disable=SC2016 # apt's variables, not the shell's
    mirror="$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' | awk '$2 == "bookworm" { print $1; exit }')"
    lists="$(mktemp -d)"
    trap 'rm -rf "$lists"' EXIT
    chmod 755 "$lists"
    mkdir -p "$lists/parts" "$lists/lists/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} trixie main" >"$lists/trixie.list"
    options=(-o "Dir::Etc::SourceList=$lists/trixie.list" -o "Dir::Etc::SourceParts=$lists/parts"
        -o "Dir::State::Lists=$lists/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
    say "what this Debian has is too old: taking $* from Debian 13," \
        "for this once; the machine's sources stay (SEALED_INSTALL=0 forbids it)"
    apt-get "${options[@]}" update -qq >&2 || return 1
    # Nothing but these may change.
    if apt-get "${options[@]}" -s install --no-install-recommends "$@" |
        awk '/^(Inst|Remv) / { print $1, $2 }' | grep -qvxF "$(printf 'Inst %s\n' "$@")"; then
        return 1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" install -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends \
        "$@" </dev/null >&2
}

compose() {
    local version package
    version="$(composer)"
    if suffices "$version"; then
        say "Compose $version"
        return
    fi
    if [ "${SEALED_INSTALL:-1}" != 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq >&2 || true
        # In this order: Docker's own packages, Ubuntu's, Debian's.
        for package in docker-compose-plugin docker-compose-v2 docker-compose; do
            if suffices "$(candidate "$package")"; then
                case "$package" in
                    docker-compose-plugin) install "$package" docker-buildx-plugin ;;
                    *) install "$package" docker-buildx ;;
                esac
                break
            fi
        done
        if ! suffices "$(composer)" && bookworm; then
            from_trixie docker-compose docker-buildx || say "Debian 13's packages could not be installed"
        fi
        version="$(composer)"
        if suffices "$version"; then
            say "Compose $version"
            return
        fi
    fi
    give_up "Compose is ${version:-missing}; 2.20 or newer is needed. As root, one of:" \
        "apt-get install docker-compose-plugin docker-buildx-plugin   # with Docker's own packages" \
        "apt-get install docker-compose-v2 docker-buildx              # Ubuntu" \
        "apt-get install docker-compose docker-buildx                 # Debian 13"
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

# Whether the engine has gVisor by this name.
registered() { timeout 20 docker info --format '{{json .Runtimes}}' 2>/dev/null | grep -q '"runsc"'; }

# gVisor beside the engine's own runtime, which stays the default. Its arguments: a platform that needs no
# virtualisation; no network, for the roles that it runs have none; our list of system calls, which it
# leaves out unless asked. Limits are the engine's cgroups: never --ignore-cgroups.
gvisor() {
    local configuration=/etc/docker/daemon.json engine merged
    local rest='"runtimeArgs": ["--platform=systrap", "--network=none", "--oci-seccomp"]}}'
    local by_hand=("install runsc (Debian 13 has it; gvisor.dev tells other ways)"
        "put {\"runtimes\": {\"runsc\": {\"path\": \"/usr/bin/runsc\", $rest} into $configuration of the engine's machine"
        "kill -HUP the process of dockerd (systemctl reload docker), which stops nothing")
    if registered; then
        say "gVisor is registered as runsc"
        return
    fi
    engine="$(cat /var/run/docker.pid 2>/dev/null || true)"
    if [ "${SEALED_INSTALL:-1}" = 0 ] || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null ||
        [ -n "${DOCKER_HOST:-}" ] || [ "$(cat "/proc/${engine:-0}/comm" 2>/dev/null)" != dockerd ]; then
        give_up "the engine has no runtime runsc (gVisor). As root:" "${by_hand[@]}"
    fi
    if ! command -v runsc >/dev/null; then
        if bookworm; then
            from_trixie runsc || give_up "Debian 13's runsc could not be installed. As root:" "${by_hand[@]}"
        else
            install runsc
        fi
    fi
    say "registering runsc in $configuration; what is there stays, and the engine reads it without a restart"
    # The machine's own Python or the one that make uses.
    merged="$("${PYTHON:-python3}" - "$configuration" "{\"runsc\": {\"path\": \"$(command -v runsc)\", $rest" <<'EOF'
import json, pathlib, sys

file, runtimes = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
settings = json.loads(file.read_text()) if file.exists() and file.read_text().strip() else {}
settings["runtimes"] = settings.get("runtimes", {}) | runtimes
print(json.dumps(settings, indent=4))
EOF
    )" || give_up "$configuration could not be read. As root:" "${by_hand[@]}"
    mkdir -p "${configuration%/*}"
    # Whole or not at all: a rename, and a file system that is full leaves the old one.
    echo "$merged" >"$configuration.new"
    mv "$configuration.new" "$configuration"
    kill -HUP "$engine"
    local end=$((SECONDS + 20))
    while [ "$SECONDS" -lt "$end" ]; do
        if registered; then
            say "gVisor: $(runsc --version | head -n 1)"
            return
        fi
        sleep 0.5
    done
    give_up "the engine did not take $configuration. Its own words:" \
        "tail $state/dockerd.log   # or, with systemd: journalctl -u docker"
}

case "${1:-}" in
    ensure) ensure ;;
    compose) compose ;;
    runsc) gvisor ;;
    install) shift; install "$@" ;;
    *) echo "usage: $0 ensure | compose | runsc | install PACKAGE..." >&2; exit 2 ;;
esac
