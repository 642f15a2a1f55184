#!/usr/bin/env bash
# Installs into a temporary prefix, moves it, and builds an outside program against it, once through
# find_package(gradus) and once through pkg-config. Program and library together stay below 10 MB.
#
#   tests/check_install.sh BUILD_DIR [SOURCE_DIR]
set -euo pipefail
build=$(cd "$1" && pwd)
source=$(cd "${2:-$(dirname "$0")/..}" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/gradus-install-XXXXXX")
trap 'rm -rf "$work"' EXIT

quiet() { "$@" > "$work/log" 2>&1 || { cat "$work/log"; echo "failed: $*"; exit 1; }; }
expect() { [ "$1" = "$2" ] || { echo "$3: got '$1', wanted '$2'"; exit 1; }; }

version=$(sed -n 's/^#define GR_VERSION "\(.*\)"/\1/p' "$source/include/gradus/base.h")
quiet cmake --install "$build" --prefix "$work/first"
mv "$work/first" "$work/prefix" # nothing in it may remember where it was

quiet cmake -S "$source/tests/install" -B "$work/outside" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix"
quiet cmake --build "$work/outside"
expect "$("$work/outside/outside")" "$version" "program built through find_package"

export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name gradus.pc)")
expect "$(pkg-config --modversion gradus)" "$version" "pkg-config --modversion"
libdir=$(pkg-config --variable=libdir gradus)
# shellcheck disable=SC2046 # flags are several words
quiet "${CC:-cc}" -std=c17 "$source/tests/install/main.c" -o "$work/by-pkg-config" $(pkg-config --cflags --libs gradus)
expect "$(LD_LIBRARY_PATH=$libdir "$work/by-pkg-config")" "$version" "program built through pkg-config"

files=("$libdir"/libgradus.so.*.*.*)
if [ -x "$build/gradus" ]; then
    case $("$work/prefix/bin/gradus" --version) in
    *"$version"*) ;;
    *) echo "the installed program does not print its version"; exit 1 ;;
    esac
    files+=("$work/prefix/bin/gradus")
fi
bytes=$(cat "${files[@]}" | wc -c)
[ "$bytes" -le 10000000 ] || { echo "program and library have $bytes bytes, more than 10 MB"; exit 1; }
echo "installed, moved and used; $bytes bytes"
