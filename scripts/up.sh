#!/usr/bin/env bash
# `make up`: checks, images, services, and the run until its first score. Again: the run goes on.
#
# By Compose where it is there or can be installed, else on this machine itself ("plain host"). Runs with
# the bash of macOS too. Settings: .env, explained in .env.example.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/env.sh
. scripts/env.sh
# shellcheck source=scripts/plain.sh
. scripts/plain.sh

port="${SEALED_PORT:-8000}"
began="$SECONDS"

say() { printf '%-9s %s\n' "$1" "$2"; }

# stop_with WHAT MESSAGE NEXT-STEP...: one line, the lines to type below it, and the end.
stop_with() {
    say "$1" "$2" >&2
    shift 2
    printf '          %s\n' "$@" >&2
    exit 3
}

fact() { docker info --format "{{$1}}" 2>/dev/null; }

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

size_of() { docker image inspect --format '{{.Size}}' "$1" 2>/dev/null | awk '{ printf "%.0f MB", $1 / 1e6 }'; }

# ---- checks -----------------------------------------------------------------------------------

check_engine() {
    local gib
    scripts/engine.sh ensure 2>&1 | sed '/^engine: Docker /d' >&2
    gib="$(fact .MemTotal | awk '{ printf "%.1f", $1 / 2 ^ 30 }')"
    say engine "Docker $(fact .ServerVersion), $(fact .NCPU) CPUs, $gib GiB of memory"
    if [ "$(fact .MemTotal)" -lt 3500000000 ]; then
        say "" "4 GiB and more are better; with Docker Desktop: Settings, Resources"
    fi
    if [ "${SEALED_RUNTIME:-}" = runsc ]; then
        PYTHON="$(find_python || true)" scripts/engine.sh runsc
    fi
}

# Sets `compose`: 1 with Compose, 0 on the plain host.
check_compose() {
    if scripts/engine.sh compose 2>"$notes/compose"; then
        compose=1
        say compose "$(docker compose version --short)"
        return
    fi
    compose=0
    cat "$notes/compose" >&2
    say compose "none: controller and sandbox run on this machine itself, as one user"
    say "" "the claims that SECURITY.md marks \"Compose\" do not hold then"
}

check_gpu() {
    case "$(fact 'json .Runtimes')" in
        *'"nvidia"'*) torch="with CUDA, from pip's own index" ;;
        *) torch="for CPUs: the engine has no NVIDIA runtime" ;;
    esac
    [ -z "${SEALED_TORCH_INDEX+set}" ] || torch="from ${SEALED_TORCH_INDEX:-pip\'s own index}, as SEALED_TORCH_INDEX says"
    say torch "$torch"
}

check_disk() {
    local root free need=2
    has_image sealed-agent && has_image sealed-scorer || need=8
    need="${SEALED_DISK_GIB:-$need}"
    root="$(fact .DockerRootDir)"
    if [ ! -d "$root" ]; then
        say disk "the engine stores elsewhere; $need GiB should be free there"
        return
    fi
    free="$(df -Pk "$root" | awk 'NR == 2 { printf "%d", $4 / 2 ^ 20 }')"
    if [ "$free" -lt "$need" ]; then
        stop_with disk "only $free GiB are free in $root; $need are needed. Free some, for instance with:" \
            "docker image prune   # images without a name, of builds before"
    fi
    say disk "$free GiB free in $root, $need needed"
}

# The page's own answer, or nothing. Without curl, which not every machine has.
ask_page() {
    (
        exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
        printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$1" >&3
        timeout 3 cat <&3
    ) 2>/dev/null
}
command -v timeout >/dev/null || timeout() { shift; "$@"; }

ours() {
    case "$(ask_page /healthz || true)" in
        *'"ok": true'*) [ "$compose" = 0 ] || [ -n "$(docker compose ps -q controller 2>/dev/null)" ] ;;
        *) return 1 ;;
    esac
}

check_port() {
    if ours; then
        say port "$port has our page already: the run goes on"
    elif (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        stop_with port "$port on 127.0.0.1 is taken by another program. Stop it, or choose another port:" \
            "SEALED_PORT=$((port + 1)) make up   # or in .env; who has it: ss -ltnp 'sport = :$port'"
    else
        say port "$port is free"
    fi
}

# ---- phases -----------------------------------------------------------------------------------

# A Python whose pip downloads wheels on this machine; without one the builds download.
find_python() {
    local found
    for found in "${PYTHON:-}" .venv/bin/python python3.11 python3; do
        if [ -n "$found" ] && "$found" -m pip --version >/dev/null 2>&1; then
            echo "$found"
            return
        fi
    done
    echo python3
}

make_base() {
    local started="$SECONDS" base
    base="$(scripts/base.sh 2>"$notes/base")" || { cat "$notes/base" >&2; exit 3; }
    export SEALED_BASE="$base"
    say base "$base, $(size_of "$base"), $((SECONDS - started)) s"
}

make_images() {
    local started="$SECONDS" name sizes=""
    if [ "$(uname)" = Linux ]; then
        PYTHON="$(find_python)" scripts/images.sh "$1" 2>&1 | sed -u 's/^images: /          /'
    else
        sealed_certificates
        docker compose build
    fi
    for name in agent scorer controller sandbox; do
        if has_image "sealed-$name"; then sizes+="$name $(size_of "sealed-$name"), "; fi
    done
    say images "$sizes$((SECONDS - started)) s"
}

# A folder for runs belongs to a user of this machine, so that git works there; never to root.
find_runs() {
    case "${SEALED_RUNS:-}" in
        */*) ;;
        *) return 0 ;;
    esac
    mkdir -p "$SEALED_RUNS"
    local owner
    # shellcheck disable=SC2012 # stat's options are not the same everywhere
    owner="$(ls -ldn "$SEALED_RUNS" | awk '{ print $3 ":" $4 }')"
    case "$owner" in
        0:*)
            owner="${SUDO_UID:-10001}:${SUDO_GID:-10001}"
            chown "$owner" "$SEALED_RUNS"
            say runs "in $SEALED_RUNS, of uid ${owner%%:*}; as root: git -c safe.directory='*' -C $SEALED_RUNS/… log"
            ;;
        *) say runs "in $SEALED_RUNS, of uid ${owner%%:*}" ;;
    esac
    export SEALED_USER="${SEALED_USER:-$owner}"
}

start_services() {
    local started="$SECONDS"
    sealed_socket
    find_runs
    if ! docker compose up -d --no-build >"$notes/up" 2>&1; then
        cat "$notes/up" >&2
        stop_with services "Compose could not start them; its words are above." "docker compose logs"
    fi
    wait_for_page
    say services "the page answers, $((SECONDS - started)) s"
}

wait_for_page() {
    local end=$((SECONDS + 120))
    until ours; do
        if [ "$SECONDS" -ge "$end" ]; then
            show_log
            stop_with services "no page after two minutes; the last words of the log are above." "$look"
        fi
        sleep 1
    done
}

show_log() {
    if [ "$compose" = 1 ]; then
        docker compose logs --no-log-prefix --tail 5 sandbox controller >&2 || true
    else
        tail -n 5 "$plain_log" >&2
    fi
}

# text_of NAME JSON: the first text of that name; escapes stay as they are.
text_of() { printf '%s' "$2" | sed -n 's/^[^}]*"'"$1"'": "\(\([^"\\]\|\\.\)*\)".*/\1/p'; }

# Tells what the page tells, each line once, until the baseline has its score.
wait_for_run() {
    local started="$SECONDS" json standing text told=""
    while :; do
        json="$(ask_page /index.json | tr -d '\r\n' || true)"
        # The first is the process's own, or null where the run's says it.
        standing="${json#*\"standing\": \{}"
        text="$(text_of text "$standing")"
        if [ -n "$text" ] && [ "$text" != "$told" ]; then
            say "$([ -n "$told" ] || echo run)" "$text"
            told="$text"
            if [ "$(text_of tone "$standing")" = wrong ]; then
                say "" "$(text_of next_step "$standing")"
                case "$text" in halted*) exit 1 ;; esac
            fi
        fi
        case "$json" in
            *'"standing": null'*'"baseline": '[-0-9]*)
                say run "the baseline has its score, $((SECONDS - started)) s"
                return
                ;;
        esac
        sleep 2
    done
}

tell_next() {
    local sealed="docker compose exec controller sealed"
    [ "$compose" = 1 ] || sealed=".venv/bin/sealed"
    echo
    say "" "$((SECONDS - began)) s in all. The page:  http://127.0.0.1:$port"
    say "" "$sealed status        # how it stands; pause, resume, stop"
    say "" "$look"
    say "" "make down             # stops it; data and results stay, and make up goes on"
}

# ---- all of it --------------------------------------------------------------------------------

notes="$(mktemp -d)"
trap 'rm -rf "$notes"' EXIT
trap 'echo; echo "Interrupted. What was started goes on; make up looks again, make down stops it." >&2; exit 130' INT
look="docker compose logs -f   # what the services say"
check_engine
check_compose
check_disk
check_gpu
check_port
if [ "$compose" = 1 ]; then
    [ "$(uname)" != Linux ] || make_base
    make_images all
    start_services
else
    look="tail -f $plain_log"
    make_base
    make_images roles
    plain_start
    wait_for_page
fi
wait_for_run
tell_next
