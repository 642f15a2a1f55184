#!/usr/bin/env bash
# libgradus.so shows public names only (gr_, not gr__), and every function that a public header declares is in it.
#
#   tests/check_symbols.sh LIBRARY [SOURCE_DIR]
set -euo pipefail
library=$1
include=${2:-$(dirname "$0")/..}/include/gradus

shown=$(nm -D --defined-only "$library" | awk '{ sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort -u)
status=0
foreign=$(grep -vE '^gr_[a-z]' <<< "$shown") &&
    { echo "exported, but not a public name:"; awk '{ print "  " $0 }' <<< "$foreign"; status=1; }

# Declarations begin with GR_API and may run over several lines; the name stands before the first parenthesis.
declared=$(cat "$include"/*.h | awk '
    /^#/ { next }
    /^GR_API/ { text = ""; open = 1 }
    open { text = text " " $0
           if (/\(/ || /;/) { open = 0; sub(/[ ]*[\(;].*/, "", text); sub(/.*[ *]/, "", text); print text } }' | LC_ALL=C sort -u)
missing=$(LC_ALL=C comm -13 <(echo "$shown") <(echo "$declared"))
[ -z "$missing" ] || { echo "declared in include/gradus, but not in $(basename "$library"):"; awk '{ print "  " $0 }' <<< "$missing"; status=1; }

echo "$(wc -w <<< "$shown") exported, $(wc -w <<< "$declared") declared"
exit $status
