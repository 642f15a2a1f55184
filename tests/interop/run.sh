#!/usr/bin/env bash
# Compares Gradus with other people's programs, PyTorch and Transformers above all: one line per comparison, at the end
# "N passed, N failed, N skipped". The environment is made by bench/env.sh outside the tree.
#
#   ./dev test interop [NAME...]      NAME: models, encoders, wordpiece, trained, steps, mlp, metrics, fitted, tokenizers (all)
#
# GRADUS_BUILD: the build folder (default: build); GRADUS_DATA: the test data (default: ../shared/data).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${GRADUS_BUILD:-$root/build}
data=${GRADUS_DATA:-$root/../shared/data}
work=$(mktemp -d "${TMPDIR:-/tmp}/gradus-interop-XXXXXX")
trap 'rm -rf "$work"' EXIT

die() { echo "interop: $*" >&2; exit 1; }

[ -x "$build/gradus" ] || "$root/dev" build
[ -x "$build/gradus" ] || die "there is no program in '$build'"
python=$("$root/bench/env.sh")

build_helpers() { # the C side of tokenizers.py and of the ids in trained.py, that of metrics.py; the example of mlp.py
    cmake --build "$build" --target gradus_static example_tower > "$work/log" 2>&1 || {
        cat "$work/log" >&2
        die "no static library, or no example"
    }
    local libraries
    libraries=$(pkg-config --libs jansson yaml-0.1 libpcre2-8 libutf8proc zlib)
    if grep -q '^GRADUS_DNNL_LIBRARY:FILEPATH=/' "$build/CMakeCache.txt"; then libraries+=" -ldnnl"; fi
    local name
    for name in tokenize metrics; do
        # shellcheck disable=SC2086 # flags are several words
        "${CC:-cc}" -std=c17 -D_GNU_SOURCE -O2 -fopenmp -I"$root" -I"$root/src" -I"$root/include" \
            "$here/${name}_main.c" "$build/libgradus_static.a" $libraries -lpthread -ldl -lm -o "$work/$name"
    done
}
build_helpers

export GRADUS_BUILD=$build GRADUS_PROGRAM=$build/gradus GRADUS_TOKENIZE=$work/tokenize
export GRADUS_METRICS=$work/metrics
export PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 CUDA_VISIBLE_DEVICES=

one() { # NAME: its lines; a script that dies without a line of its own counts as a failure
    local status=0
    case $1 in
    tokenizers)
        if [ ! -d "$data" ]; then echo "skipped tokenizers: there is no '$data'"; return; fi
        "$python" "$here/tokenizers.py" "$work/tokenize" "$data" || status=$?
        if [ $status = 0 ]; then echo "ok      tokenizers"; else echo "FAILED  tokenizers"; fi
        ;;
    *)
        "$python" "$here/$1.py" | tee "$work/lines" || status=$?
        if [ $status != 0 ] && ! grep -q '^FAILED' "$work/lines"; then
            echo "FAILED  $1.py ended with status $status"
        fi
        ;;
    esac
}

names=("$@")
if [ ${#names[@]} = 0 ]; then
    names=(models encoders wordpiece trained steps mlp metrics fitted)
    [ ! -f "$here/tokenizers.py" ] || names+=(tokenizers)
fi
for name in "${names[@]}"; do
    [ -f "$here/$name.py" ] || die "no comparison '$name'"
    one "$name"
done | tee "$work/all"

count() { grep -c "^$1 " "$work/all" || true; }
failed=$(count FAILED)
echo "$(count ok) passed, $failed failed, $(count skipped) skipped"
[ "$failed" = 0 ]
