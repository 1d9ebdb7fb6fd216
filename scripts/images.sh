#!/usr/bin/env bash
# Builds the images: `images.sh roles` the two that trials run in, `images.sh all` the controller and
# the sandbox too.
#
# Wheels are downloaded on this machine first, with its own pip settings (mirrors, proxies,
# certificates), so that building a role image needs no network at all. An image whose inputs have not
# changed is left alone.
#
#   SEALED_BASE=IMAGE        base image to build on (default: see scripts/base.sh)
#   SEALED_OFFLINE=1         take the wheels that lie in images/wheels, download nothing
#   SEALED_TORCH=VERSION     torch to install (default: the Dockerfile's)
#   SEALED_TORCH_INDEX=URL   index to take torch from (default: pytorch.org's for CPUs, or, where the
#                            engine has NVIDIA's runtime, pip's own, whose builds are for CUDA)
#   SEALED_COMPILER=1        add g++ to the agent image, for torch.compile
#   SEALED_CA_BUNDLE=FILE    certificates that a build trusts which uses a network of its own
#   SEALED_PIP_INDEX=URL     and the index that it takes packages from
#
# .env may set them too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/env.sh
. scripts/env.sh

default_index() {
    case "$(docker info --format '{{json .Runtimes}}' 2>/dev/null)" in
        *'"nvidia"'*) ;;
        *) echo https://download.pytorch.org/whl/cpu ;;
    esac
}

python="${PYTHON:-python3}"
torch="${SEALED_TORCH:-$(sed -n 's/^ARG TORCH=//p' images/agent/Dockerfile)}"
torch_index="${SEALED_TORCH_INDEX-$(default_index)}"
compiler="${SEALED_COMPILER:-0}"
offline="${SEALED_OFFLINE:-0}"

say() { echo "images: $*" >&2; }

# One hash of the named files and folders: paths and contents.
hash_of() {
    find "$@" -type f -not -path '*/__pycache__/*' -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

# download IMAGE ARGUMENTS...: pip's download into images/wheels/IMAGE, for the engine's platform.
download() {
    local image="$1" tag options=()
    shift
    # Every tag that Debian 12 takes: pip does not derive the older ones from the newest.
    for tag in _2_{36..24} _2_17 2014 _2_12 2010 _2_5 1; do
        options+=(--platform "manylinux${tag}_$machine")
    done
    "$python" -m pip download -qq --disable-pip-version-check --only-binary=:all: \
        --python-version 3.11 --implementation cp "${options[@]}" --dest "images/wheels/$image" "$@" \
        2>>"$logs/$image.pip"
}

# torch_wheels INDEX: torch from an index (empty: pip's own), and what it asks for.
torch_wheels() {
    local folder=images/wheels/agent
    download agent --retries 1 --find-links "$folder" --constraint "$folder/.pins" \
        ${1:+--index-url "$1"} "torch==$torch"
}

# wheels IMAGE: puts what the image installs into images/wheels/IMAGE; fails where it cannot.
wheels() {
    local image="$1" folder="images/wheels/$1" stamp
    stamp="$(hash_of "requirements/$image.txt") $machine"
    [ "$image" != agent ] || stamp+=" torch $torch $torch_index"
    if [ "$offline" = 1 ] || [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$stamp" ]; then
        return 0
    fi
    say "$image: downloading wheels"
    rm -rf "$folder"
    mkdir -p "$folder"
    download "$image" --require-hashes -r "requirements/$image.txt" || return 1
    if [ "$image" = agent ]; then
        # What torch asks for is held to the versions that are pinned by hash.
        sed -n 's/^\([a-z0-9.-]*==[^ ]*\).*/\1/p' requirements/agent.txt >"$folder/.pins"
        if ! torch_wheels "$torch_index"; then
            # An index that nobody chose may be out of reach where pip's own is a mirror.
            [ -z "${SEALED_TORCH_INDEX+set}" ] && [ -n "$torch_index" ] || return 1
            say "agent: no torch from $torch_index; taking what pip's own index has"
            torch_wheels "" || return 1
        fi
    fi
    echo "$stamp" >"$folder/.stamp"
}

# image NAME FILE...: builds sealed-NAME from its wheels and these files, and nothing else of the
# repository: a build is not sent wheels or data that it does not need.
image() {
    local name="$1" started="$SECONDS" log="$logs/$1" inputs certificates=images/certificates/README.md
    local options=(--build-arg "BASE=$base")
    shift
    if wheels "$name"; then
        options+=(--build-arg OFFLINE=1)
        # Every package is at hand: no network, but for Debian packages (git, g++).
        case "$name/$compiler" in
            controller/* | agent/1) ;;
            *) options+=(--network none) ;;
        esac
    else
        tail -n 3 "$log.pip" >&2
        say "$name: pip could not download the wheels here; the build will use a network of its own"
        rm -rf "images/wheels/$name"
        certificates=images/certificates
        options+=(--build-arg "PIP_INDEX_URL=${SEALED_PIP_INDEX:-}")
    fi
    # Without a value: those that the environment has.
    options+=(--build-arg http_proxy --build-arg https_proxy --build-arg no_proxy)
    mkdir -p "images/wheels/$name"
    if [ "$name" = agent ]; then
        options+=(--build-arg "TORCH=$torch" --build-arg "COMPILER=$compiler")
        [ "$certificates" != images/certificates ] || options+=(--build-arg "TORCH_INDEX_URL=$torch_index")
    fi
    set -- "images/$name/Dockerfile" "requirements/$name.txt" images/build images/common \
        images/wheels/README.md "images/wheels/$name" "$certificates" "$@"

    inputs="$(printf '%s\n' "$(hash_of "$@")" "$(docker image inspect --format '{{.Id}}' "$base")" "${options[@]}" |
        sha256sum | cut -d' ' -f1)"
    if [ "$(docker image inspect --format '{{index .Config.Labels "sealed.inputs"}}' "sealed-$name" 2>/dev/null)" = "$inputs" ]; then
        say "sealed-$name: up to date"
        return
    fi
    say "sealed-$name: building (wheels $((SECONDS - started)) s)"
    if ! tar -c --exclude __pycache__ --exclude '.stamp' --exclude '.pins' "$@" |
        docker build --file "images/$name/Dockerfile" --tag "sealed-$name" \
            --label "sealed.inputs=$inputs" "${options[@]}" - >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        say "sealed-$name: the build failed"
        exit 1
    fi
    say "sealed-$name: $((SECONDS - started)) s," \
        "$(docker image inspect --format '{{.Size}}' "sealed-$name" | awk '{printf "%.0f MB", $1 / 1e6}')"
}

case "${1:-}" in
    roles | all) ;;
    *) echo "usage: $0 roles|all" >&2; exit 2 ;;
esac
sealed_certificates
logs="$(mktemp -d)"
trap 'rm -rf "$logs"' EXIT
base="$(scripts/base.sh)"
case "$(docker version --format '{{.Server.Arch}}')" in
    arm64 | aarch64) machine=aarch64 ;;
    *) machine=x86_64 ;;
esac
say "base $base, $machine"
# Side by side: each waits for disks and downloads half of its time.
image agent &
image scorer &
wait -n
wait -n
if [ "$1" = all ]; then
    image controller controller sandbox tests/attacks tests/tasks tasks/speed
    image sandbox sandbox
fi
