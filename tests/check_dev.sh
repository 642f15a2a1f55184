#!/usr/bin/env bash
# ./dev asks before it works: help and wrong words do nothing, an ordinary user is told once what is missing, another compiler
# begins the build folder anew. A copy of it works in a tree of its own, with programs that only write down what they are asked.
#
#   tests/check_dev.sh [SOURCE_DIR]
set -euo pipefail
source=$(cd "${1:-$(dirname "$0")/..}" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/gradus-dev-check-XXXXXX")
trap 'rm -rf "$work"' EXIT
tree=$work/tree bin=$work/bin
failed=0
wrong() { echo "$*"; failed=1; }

mkdir -p "$tree/tests" "$tree/build" "$bin"
cp "$source/dev" "$tree/"
cp "$source/tests/CMakeLists.txt" "$tree/tests/"
touch "$tree/tests/test_ops.c" "$tree/build/kept"
for tool in awk bash cat dirname env grep head mktemp nproc readlink rm sed sort tail tee; do ln -s "$(command -v $tool)" "$bin/"; done
stub() { printf '#!/usr/bin/env bash\n%s\n' "$2" > "$bin/$1"; chmod +x "$bin/$1"; }
stub id 'echo 1000'
stub pkg-config 'exit 1'
stub apt-get 'echo "apt-get $*" >> '"$work/log"
stub dpkg-query '[[ $* = *cmake* || $* = *libjansson-dev* || $* = *libpng-dev* ]] || echo -n installed'
# shellcheck disable=SC2016
stub cmake 'echo "cmake ${CC:-cc} $*" >> '"$work/log"'
[ "$1" != --preset ] || { mkdir -p build; touch build/build.ninja; echo "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" > build/CMakeCache.txt; }'
ln -s "$(command -v mkdir)" "$(command -v touch)" "$bin/"

run() { # WANTED_STATUS ARGUMENT...: what it says is in $work/out
    local want=$1 got=0
    shift
    : > "$work/log"
    PATH=$bin "$tree/dev" "$@" > "$work/out" 2>&1 || got=$?
    [ "$got" = "$want" ] || wrong "./dev $*: status $got in place of $want: $(head -n 5 "$work/out")"
}
says() { grep -qE "$1" "$work/out" || wrong "it does not say '$1' but: $(head -n 5 "$work/out")"; }
idle() {
    if [ -s "$work/log" ] || [ ! -e "$tree/build/kept" ]; then wrong "it works where it should not: $(cat "$work/log")"; fi
}

for command in demo build test bench fmt clean; do
    for flag in -h --help; do
        run 0 $command $flag
        says "^  $command "
        idle
    done
done
run 2 clean all; idle
run 2 fmt src; idle
run 2 build release debug; idle
run 2 build bogus; idle
run 2 test bogus; says "no test 'bogus'; there are: .*ops.* docs"; idle
run 2 test ops kernels; idle
run 0 test list; says '^ops$'; says '^docs$'; idle

run 1 build
says 'install these as root: apt-get install .*cmake.*libjansson-dev.*libpng-dev'
[ "$(grep -c 'as root' "$work/out")" = 1 ] || wrong "it says more than once what is missing"
idle

stub dpkg-query 'echo -n installed'
run 0 build
run 0 build
! grep -q preset "$work/log" || wrong "the same build is configured twice"
touch "$tree/build/kept"
CC=clang run 0 build
grep -q '^cmake clang --preset' "$work/log" || wrong "another compiler does not configure anew"
[ ! -e "$tree/build/kept" ] || wrong "another compiler goes on with the old build folder"

[ $failed = 0 ] && echo "./dev: help, wrong words, packages and compilers hold"
exit $failed
