#!/usr/bin/env bash
# What the documents say is so: relative links lead somewhere, docs/config.md is what the program says, README.zh.md shows the
# commands and the code of README.md, what is kept by hand names all there is, and the shell blocks behind <!-- run --> run
# (with few steps).
#
#   tests/check_docs.sh BUILD_DIR [SOURCE_DIR]
#   tests/check_docs.sh --write-config BUILD_DIR      writes docs/config.md anew
set -euo pipefail
write=
if [ "$1" = --write-config ]; then write=1; shift; fi
build=$(cd "$1" && pwd)
source=$(cd "${2:-$(dirname "$0")/..}" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/gradus-docs-XXXXXX")
trap 'rm -rf "$work"' EXIT
failed=0
wrong() { echo "$*"; failed=1; }

config_page() {
    cat <<'TEXT'
# Keys of a configuration

What `gradus help config` prints. A file is YAML; `key=value` on the command line sets a key and wins over the file
(`train.lr=1e-3`, `model.hidden=[128, 64]`); `${NAME}` in a value is an environment variable. A section that has a main key
may be that value alone: `loss: mse`, `data: book.txt`. An unknown key is an error that names the nearest one.

```
TEXT
    "$build/gradus" help config
    echo '```'
}

if [ -n "$write" ]; then
    config_page > "$source/docs/config.md"
    exit
fi
[ -x "$build/gradus" ] || { echo "skip reason: no program"; exit 77; }

# ---- links
while IFS=: read -r file target; do
    case $target in *://* | \#*) continue ;; esac
    [ -e "$source/$(dirname "$file")/${target%%#*}" ] || wrong "$file: the link to '$target' leads nowhere"
done < <(cd "$source" && grep -oE '\]\([^) ]+\)' README.md README.zh.md docs/*.md examples/*.md bench/*.md src/*/README.md |
    sed -E 's/^([^:]*):\]\((.*)\)$/\1:\2/')

# ---- keys
config_page > "$work/config.md"
diff -u "$source/docs/config.md" "$work/config.md" > "$work/diff" || {
    head -n 20 "$work/diff"
    wrong "docs/config.md is old: tests/check_docs.sh --write-config $build"
}

# ---- both languages
blocks() { awk '/^```/ { inside = !inside; print; next } inside { sub(/ *(#|\/\/) .*/, ""); print }' "$1"; }
diff <(blocks "$source/README.md") <(blocks "$source/README.zh.md") || wrong "README.md and README.zh.md show different code"

# ---- lists that are kept by hand
names_all() { # PAGE NAME...
    local page=$1 name
    shift
    for name in "$@"; do grep -qiwF -- "$name" "$source/$page" || wrong "$page does not name $name"; done
}
read -ra families <<< "$(sed -n 's/^GR_X(\(.*\))/\1/p' "$source/src/model/families.def" | tr '\n' ' ')"
names_all include/gradus/model.h "${families[@]}"
for page in docs/tour.md:src/model src/metric/README.md:src/metric bench/README.md:bench/peers; do
    case $page in
    docs/*) pattern='^const gr__family gr__family_|const gr__family gr__family_##' ;;
    *) pattern=. ;;
    esac
    mapfile -t files < <(cd "$source/${page#*:}" && grep -lE "$pattern" ./*.c ./*.py 2> /dev/null | sed 's|.*/||')
    names_all "${page%:*}" "${files[@]}"
done
for page in README.md README.zh.md; do
    names_all $page "gradus version"
    while read -r task length batch; do
        grep -qE "^\| .*\`$task\`.* $length [^|]*\| $batch\b" "$source/$page" || wrong "$page: '$task' trains for $length by $batch"
    done < <(awk '/train.batch=/ { match($0, /batch=[0-9]+/); batch = substr($0, RSTART + 6, RLENGTH - 6) }
        /^const gr__task_kind/ { name = ""; epochs = 100; steps = 0 }
        /^    \.name = / { split($0, part, "\""); name = part[2] }
        /^    \.epochs = / { epochs = $3 + 0 }
        /^    \.language = true/ { steps = 2000; batch = 12 }
        /^};/ && name { print name, steps ? steps : epochs, batch ? batch : 32; name = ""; batch = 0 }' "$source"/src/task/*.c)
done

# ---- shell blocks
mkdir "$work/tree"
ln -s "$source/docs" "$source/examples" "$work/tree/"
ln -s "$build" "$work/tree/build"
printf '#!/bin/sh\n' > "$work/tree/dev" # it is built already
chmod +x "$work/tree/dev"
awk '/<!-- run -->/ { run = 1; next } /^```/ { inside = run && !inside; run = inside; next } inside' "$source/README.md" |
    sed -E 's/train\.steps=[0-9]+/train.steps=3 model.width=32 model.layers=1/; s/--max-tokens [0-9]+/--max-tokens 5/' > "$work/blocks.sh"
[ -s "$work/blocks.sh" ] || wrong "no shell block of README.md is marked <!-- run -->"
(cd "$work/tree" && bash -eu "$work/blocks.sh") > "$work/log" 2>&1 || {
    tail -n 20 "$work/log"
    wrong "a shell block of README.md fails"
}

[ $failed = 0 ] && echo "links, keys, both languages and $(grep -c . "$work/blocks.sh") commands of README.md hold"
exit $failed
