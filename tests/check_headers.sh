#!/usr/bin/env bash
# Each public header compiles alone as C17 and as C++17, each header of src/ alone as C17.
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

list=$(mktemp)
trap 'rm -f "$list"' EXIT
{ # *_tmpl.h and *_<isa>.h are bodies: the header or file that includes them chooses among them
    find include -name '*.h' -printf 'public-c %p\npublic-c++ %p\n'
    find src -name '*.h' ! -name '*_tmpl.h' ! -name '*_generic.h' ! -name '*_avx2.h' ! -name '*_avx512.h' ! -name '*_amx.h' -printf 'src %p\n'
} | LC_ALL=C sort > "$list"
[ -s "$list" ] || { echo "no header found: is this the source tree?"; exit 1; }
xargs -P "$(nproc)" -L 1 bash -c 'alone "$@"' alone < "$list"
echo "$(wc -l < "$list") header checks"
