#!/usr/bin/env bash
# Each public header compiles alone as C17 and as C++17, each header of src/ alone as C17; and the example at the top of a
# public header compiles.
#
#   tests/check_headers.sh [SOURCE_DIR]        CC and CXX choose the compilers
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"
export CC=${CC:-cc} CXX=${CXX:-c++}

alone() { # LANGUAGE HEADER: includes it twice, so that the guard is tested too
    local language=$1 header=$2 command=(-Wall -Wextra -Werror -Iinclude)
    local name=${header#include/}
    case $language in
    public-c) command=("$CC" -std=c17 -pedantic -xc "${command[@]}") ;;
    public-c++) command=("$CXX" -std=c++17 -pedantic -xc++ "${command[@]}") ;;
    src)
        command=("$CC" -std=c17 -D_GNU_SOURCE -DGR__ISA=generic -DGR__HAVE_X86=0 -xc "${command[@]}" -Isrc)
        name=${header#src/}
        ;;
    esac
    printf '#include "%s"\n#include "%s"\nextern int nothing;\n' "$name" "$name" |
        "${command[@]}" -Wno-unused-function -fsyntax-only - ||
        { echo "$header does not compile alone ($language)"; return 1; }
}
export -f alone

# The first indented block of the first comment, within a function; what it takes as given stands before it.
example() { # HEADER
    local body
    body=$(awk '/^ \*   / { print substr($0, 6); found = 1; next } found || /\*\// { exit }' "$1")
    [ -n "$body" ] || return 0
    printf '%s\n' '#include <stdio.h>' '#include <gradus/ops.h>' '#include <gradus/plan.h>' "#include <${1#include/}>" \
        'extern gr_graph *g, *graph;' 'extern gr_store *store;' 'extern gr_value x, labels;' \
        'extern const char *sample;' 'extern size_t sample_n;' \
        'void example(void);' 'void example(void)' '{' "#line 1 \"the example of $1\"" "$body" '}' |
        "$CC" -std=c17 -D_GNU_SOURCE -xc -Wall -Wextra -Werror -Wno-unused -Iinclude -fsyntax-only - ||
        { echo "the example of $1 does not compile"; return 1; }
    echo "$1"
}
examples=0
for header in include/gradus/*.h; do
    said=$(example "$header") || { echo "$said"; exit 1; }
    [ -z "$said" ] || examples=$((examples + 1))
done
[ $examples -gt 10 ] || { echo "$examples examples found: has their form changed?"; exit 1; }

list=$(mktemp)
trap 'rm -f "$list"' EXIT
{ # *_tmpl.h and *_<isa>.h are bodies: the header or file that includes them chooses among them
    find include -name '*.h' -printf 'public-c %p\npublic-c++ %p\n'
    find src -name '*.h' ! -name '*_tmpl.h' ! -name '*_generic.h' ! -name '*_avx2.h' ! -name '*_avx512.h' ! -name '*_amx.h' -printf 'src %p\n'
} | LC_ALL=C sort > "$list"
[ -s "$list" ] || { echo "no header found: is this the source tree?"; exit 1; }
xargs -P "$(nproc)" -L 1 bash -c 'alone "$@"' alone < "$list"
echo "$(wc -l < "$list") header checks, $examples examples"
