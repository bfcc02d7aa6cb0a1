#!/bin/sh
# promise: Panics stay inside
# panics.sh LIBRARY: no exported function of the shared library can reach code that begins a panic or ends the process.
# Prints what it looked at, and every way that it found; the status is 1 if there is one.
#
# The call graph is read from the machine code: direct calls and jumps, and every address that a function takes, of
# another function or of data with pointers to functions (the linker's table, a vtable), counts as a call. What is
# missed is a pointer that the program or the C library hands over: those are C functions.
#
# Most of the ways in std's own code are there for its backtraces, which nothing but a panic calls. So only what an
# exported function can reach is looked at. Not a way to panic by themselves, and left out, are the functions that are
# called while a panic is under way already: a frame that must not be unwound (panic_cannot_unwind), a panic in a
# destructor (panic_in_cleanup), the end of catch_unwind. Which frames have them is the optimiser's whim.
#
# That a bounds check or a `push` is no way to panic is proved by the compiler, which leaves it out. A compiler other
# than the one that README.md names may prove less: write what it reports in a form that needs no proof (get, let-else,
# grow.rs), and it holds for both.
library=$1
if [ ! -f "$library" ]; then
    echo "usage: panics.sh LIBRARY" >&2
    exit 2
fi
if [ "$(uname -m)" != x86_64 ]; then
    echo "panics: reads the code of x86_64 only; not looked at"
    exit 0
fi
. "$(dirname "$0")/common.inc"
needs nm objdump readelf awk sort

# mawk has no number in base 16.
hex='function hex(s,    i, n) {
    n = 0
    for (i = 1; i <= length(s); i++) n = n * 16 + index("123456789abcdef", substr(s, i, 1))
    return n
}'
# Addresses as decimal numbers: "function ADDRESS NAME", "export ADDRESS".
nm -C --defined-only "$library" | awk "$hex"'$2 ~ /^[tTwW]$/ {
    address = hex($1)
    sub(/^[0-9a-f]+ . /, "")
    print "function", address, $0
}' > "$dir/functions"
nm -D --defined-only "$library" | awk "$hex"'{ print "export", hex($1) }' > "$dir/exports"
# "code FROM TO": FROM is the function. "trap FROM": ends the process by an instruction of its own, which is neither the
# end of a call that does not return nor the case of a switch that the compiler knows to be none.
objdump -d --no-show-raw-insn "$library" | awk "$hex"'
    /^[0-9a-f]+ <.*>:$/ { from = hex($1); before = "call"; next }
    !/^ +[0-9a-f]+:/ { next }
    /\tud2/ && before != "call" {
        at = hex(substr($1, 1, length($1) - 1))
        owner[at] = from
        fallen_into[at] = before != "jmp" && before != "ret"
    }
    { before = $2 }
    match($0, /# [0-9a-f]+ </) { print "code", from, hex(substr($0, RSTART + 2, RLENGTH - 4)); next }
    match($0, /\t(call|j[a-z]+) +[0-9a-f]+ </) {
        to = hex($3)
        target[to] = 1
        # Within a function the name is followed by an offset.
        if ($0 !~ /<[^>]*\+0x[0-9a-f]+>/) print "code", from, to
    }
    END { for (at in owner) if (fallen_into[at] || at in target) print "trap", owner[at] }
' > "$dir/code"
# "pointer WHERE TO": data that holds an address of ours, or the name of a function elsewhere.
readelf -rW "$library" | awk "$hex"'
    $3 == "R_X86_64_RELATIVE" { print "pointer", hex($1), hex($4) }
    $3 ~ /GLOB_DAT|JUMP_SLO|_64$/ { sub(/@.*/, "", $5); print "pointer", hex($1), "=" $5 }
' > "$dir/pointers"
# "data START TO": a pointer belongs to what begins at the last address before it that anything refers to.
{
    awk '$1 == "code" { print $3, 0 }' "$dir/code"
    awk '{ print $2, 1, $3; if ($3 !~ /^=/) print $3, 0 }' "$dir/pointers"
} | sort -n -k1,1 -k2,2 | awk '$2 == 0 { start = $1 } $2 == 1 { print "data", start, $3 }' > "$dir/data"

cat "$dir/functions" "$dir/exports" "$dir/code" "$dir/data" | awk '
    function begins(name) { return name ~ beginning && name ~ theirs }
    function way(node,    text) {
        for (text = ""; node != ""; node = from[node])
            if (node in name) text = text (text == "" ? "" : ", called by ") name[node]
        return text
    }
    BEGIN {
        theirs = "^<*&?(core|alloc|std|hashbrown|panic_unwind|panic_abort|__rustc|rust_|__rust_|=)"
        beginning = "panic|_failed|_fail(_rt)?$|handle_alloc_error|alloc_err|capacity_overflow|raw_vec::handle_error" \
            "|begin_unwind|process::abort|abort_internal|rust_oom|^=(abort|__assert_fail|_exit|_Unwind_RaiseException)$"
        later = "panic_cannot_unwind|panic_in_cleanup|rust_foreign_exception|rust_drop_panic|rust_panic_cleanup" \
            "|panicking::catch_unwind|panicking::try|panic_unwind::.*cleanup|panic_count::"
    }
    $1 == "function" { node = $2; sub(/^function [0-9]+ /, ""); name[node] = $0; machinery += begins($0) }
    $1 == "export" { if (!($2 in seen)) { seen[$2] = 1; queue[++last] = $2; exports++ } }
    $1 == "trap" { traps[$2] = 1 }
    $1 == "code" || $1 == "data" { if (!(($2, $3) in edge)) { edge[$2, $3] = 1; to[$2] = to[$2] " " $3; edges++ } }
    END {
        for (first = 1; first <= last; first++) {
            node = queue[first]
            if (node in name) reached++
            if (node in traps) { print "FAILED: ends the process by an instruction: " way(node); failed = 1 }
            n = split(to[node], next_ones, " ")
            for (i = 1; i <= n; i++) {
                other = next_ones[i]
                # A place in the table of the linker, which many use.
                if (!(other in name) && split(to[other], only, " ") == 1) other = only[1]
                called = other in name ? name[other] : other
                if (called ~ later) continue
                if (begins(called)) {
                    sub(/^=/, "", called)
                    print "FAILED: a way to panic: " called ", called by " way(node)
                    failed = 1
                } else if (!(other in seen)) {
                    seen[other] = 1
                    from[other] = node
                    queue[++last] = other
                }
            }
        }
        for (node in name) functions++
        print "panics: " exports " exported functions reach " reached " of " functions
        # Or it would find nothing wrong with a library that it cannot read.
        if (exports < 100 || reached < exports || edges < functions || machinery < 5) {
            print "FAILED: no call graph to be had: a library without symbols, or of another compiler"
            failed = 1
        }
        exit failed
    }'
