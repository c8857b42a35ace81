#!/bin/sh
# usage: apt-source.sh FILE SUITE WANTED
# Print the first entry of an apt sources FILE that offers SUITE, rewritten to offer suite WANTED
# (component main) from the same place with the same options; nothing when there is none.
set -eu

# deb822 format: stanzas of fields, a field goes on in lines that begin with a space.
stanza() {
    awk -v suite="$2" -v wanted="$3" '
        function flush_stanza() {
            if (!done && offers > 0 && binary) { printf "%s", text; done = 1 }
            text = ""; offers = 0; binary = 0; skip = 0
        }
        /^#/ { next }
        /^[ \t]*$/ { flush_stanza(); next }
        /^[^ \t]/ { skip = 0 }
        /^Enabled:[ \t]*no/ { offers = -99 }
        /^Types:/ {
            for (i = 2; i <= NF; i++) if ($i == "deb") binary = 1
            text = text "Types: deb\n"; skip = 1; next
        }
        /^Suites:/ {
            for (i = 2; i <= NF; i++) if ($i == suite) offers++
            text = text "Suites: " wanted "\n"; skip = 1; next
        }
        /^Components:/ { text = text "Components: main\n"; skip = 1; next }
        !skip { text = text $0 "\n" }
        END { flush_stanza() }
    ' "$1"
}

one_line() {
    sed -n -E "s#^deb([[:space:]]+\[[^]]*\])?[[:space:]]+([^[:space:]]+)[[:space:]]+$2/?[[:space:]].*#deb\1 \2 $3 main#p" \
        "$1" | head -n 1
}

case "$1" in
*.sources) stanza "$@" ;;
*) one_line "$@" ;;
esac
