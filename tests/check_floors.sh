#!/usr/bin/env bash
# Reads every #include of src/ and include/ and fails where a file knows what its floor may not (docs/design.md,
# "Floors"): a file includes lower floors and its own folder only, peers on one floor never each other, the program
# nothing but gradus/*.h, and each outside library is seen by one file.
#
#   tests/check_floors.sh [SOURCE_DIR]
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

floors='
0 base
1 tensor conf
2 kernel device
3 comm format store fit
4 graph
5 op
6 pass backend nn
7 plan text image audio metric
8 model data
9 task
10 run
11 serve
12 cli'

# Headers of libraries that sit behind one file each.
shims='jansson.h yaml.h pcre2.h utf8proc.h dnnl.h mpi.h civetweb.h sqlite3.h sodium.h png.h turbojpeg.h'

find src include -name '*.[chd]' -o -name '*.def' -o -name '*.inc' | LC_ALL=C sort |
    xargs grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' |
    awk -v floors="$floors" -v shims="$shims" '
function wrong(text) { printf "%s:%s: %s\n", file, line, text; bad++ }
BEGIN {
    rows = split(floors, row, "\n")
    for (i = 1; i <= rows; i++) {
        n = split(row[i], word, " ")
        for (k = 2; k <= n; k++) floor[word[k]] = word[1]
    }
    n = split(shims, word, " ")
    for (k = 1; k <= n; k++) shim[word[k]] = 1
}
{
    split($0, part, ":")
    file = part[1]; line = part[2]; files[file] = 1; seen++
    quoted = $0 ~ /include[ \t]*"/
    name = $0
    sub(/^[^"<]*["<]/, "", name)
    sub(/[">].*/, "", name)

    if (file ~ /^include\//) {
        if (quoted && name !~ /^gradus\/[a-z0-9_]+\.h$/) wrong("a public header includes \"" name "\"; only gradus/*.h")
        if (!quoted && name !~ /^std[a-z]+\.h$/) wrong("a public header includes <" name ">; only standard C")
        next
    }
    if (!quoted) {
        whose = file
        sub(/\/onednn_[a-z]+\.[ch]$/, "/onednn.c", whose) # one shim in several files
        if (name in shim && whose ~ /\.c$/) {
            if (name in owner && owner[name] != whose) wrong("<" name "> belongs to " owner[name])
            owner[name] = whose
        } else if (name in shim) wrong("<" name "> in a header; keep it inside its one .c file")
        next
    }
    split(file, dir, "/"); mine = dir[2]
    if (!(mine in floor)) { wrong("folder src/" mine " is on no floor; add it to tests/check_floors.sh and docs/design.md"); next }
    if (name ~ /^gradus\/[a-z0-9_]+\.h$/) next
    if (name !~ /\//) { wrong("write \"" mine "/" name "\": includes are relative to src/"); next }
    other = name; sub(/\/.*/, "", other)
    if (other == mine) next
    if (!(other in floor)) wrong("\"" name "\" is in no folder of src/")
    else if (mine == "cli") wrong("the program includes \"" name "\"; only gradus/*.h")
    else if (floor[other] == floor[mine]) wrong(mine "/ and " other "/ are peers on floor " floor[mine] " and may not include each other")
    else if (floor[other] > floor[mine]) wrong(mine "/ (floor " floor[mine] ") includes " other "/ (floor " floor[other] ")")
}
END {
    if (!seen) { print "no #include found: is this the source tree?"; exit 1 }
    for (f in files) n_files++
    printf "%d files, %d includes, %d wrong\n", n_files, seen, bad
    exit bad > 0
}'
