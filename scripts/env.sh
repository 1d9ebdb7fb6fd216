# shellcheck shell=bash
# Sourced. Takes SEALED_* and proxies from .env, as Compose does: what the environment sets goes first.
# Values are words or quoted words; nothing in them is expanded.
sealed_env() {
    local line name value
    [ -f .env ] || return 0
    while IFS= read -r line || [ -n "$line" ]; do
        name="${line%%=*}" value="${line#*=}"
        case "$name" in
            *[!A-Za-z0-9_]* | "") continue ;;
            SEALED_* | http_proxy | https_proxy | no_proxy) ;;
            *) continue ;;
        esac
        if [ "$name" = "$line" ] || [ -n "${!name+set}" ]; then continue; fi
        case "$value" in
            \"*\") value="${value#\"}" value="${value%\"}" ;;
            \'*\') value="${value#\'}" value="${value%\'}" ;;
            *) value="${value%%[[:space:]]#*}" value="${value%"${value##*[![:space:]]}"}" ;;
        esac
        export "$name=$value"
    done <.env
}
sealed_env

# SEALED_CA_BUNDLE lies where builds and the sandbox look for it. Unless it is set: what programs of this
# machine are told to trust, for then they have a reason.
sealed_certificates() {
    local place=images/certificates/bundle.pem name
    for name in SSL_CERT_FILE REQUESTS_CA_BUNDLE; do
        if [ -z "${SEALED_CA_BUNDLE+set}" ] && [ -f "${!name:-}" ]; then
            echo "certificates: builds and prepare trust $name, as this machine does; SEALED_CA_BUNDLE= forbids it" >&2
            SEALED_CA_BUNDLE="${!name}"
        fi
    done
    [ -n "${SEALED_CA_BUNDLE:-}" ] || return 0
    if [ ! -f "$SEALED_CA_BUNDLE" ]; then
        echo "SEALED_CA_BUNDLE names no file: $SEALED_CA_BUNDLE. Give a PEM file." >&2
        return 3
    fi
    cmp -s "$SEALED_CA_BUNDLE" "$place" || install -m 644 "$SEALED_CA_BUNDLE" "$place"
}

# Where the engine's socket is not the usual one, Compose must mount the one that is used here.
sealed_socket() {
    local host
    host="${DOCKER_HOST:-$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || true)}"
    case "$(uname) $host" in
        "Linux unix://"*) export SEALED_ENGINE_SOCKET="${SEALED_ENGINE_SOCKET:-${host#unix://}}" ;;
    esac
}
