# shellcheck shell=bash
# Sourced. The run on the plain host, where there is no Compose: `sealed serve` in the background, which
# starts a sandbox of its own.
plain_state="${SEALED_HOME:-${XDG_STATE_HOME:-$HOME/.local/state}/sealed}"
plain_log="$plain_state/serve.log"
plain_pid="$plain_state/serve.pid"

# The process that was started here, if it still is that one.
plain_running() {
    local pid
    pid="$(cat "$plain_pid" 2>/dev/null)" && [ -n "$pid" ] || return 1
    case "$(ps -p "$pid" -o args= 2>/dev/null)" in
        *"sealed serve"*) echo "$pid" ;;
        *) return 1 ;;
    esac
}

plain_start() {
    make --no-print-directory venv
    if plain_running >/dev/null; then return 0; fi
    mkdir -p "$plain_state"
    # A log of more than 8 MiB becomes the one before.
    if [ -n "$(find "$plain_log" -size +8192k 2>/dev/null)" ]; then mv -f "$plain_log" "$plain_log.1"; fi
    # A session of its own: a Ctrl-C here is no end of the run. macOS has no setsid program.
    SEALED_TASK="${SEALED_TASK:-tasks/text}" .venv/bin/python -c \
        'import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])' \
        .venv/bin/sealed serve </dev/null >>"$plain_log" 2>&1 &
    echo "$!" >"$plain_pid"
}

# SIGTERM ends the trial and records it; the sandbox leaves a little after its last client, and removes
# its socket last.
plain_stop() {
    local pid end=$((SECONDS + 120))
    if pid="$(plain_running)"; then
        kill "$pid"
        while plain_running >/dev/null || [ -S "$plain_state/sandbox.sock" ]; do
            [ "$SECONDS" -lt "$end" ] || break
            sleep 0.5
        done
    fi
    rm -f "$plain_pid"
}
