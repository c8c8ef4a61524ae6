# SPDX-License-Identifier: Apache-2.0
# Turns CHANGELOG.md into the changelog of a Debian package. Variables: version, maintainer, and date, all as they stand
# in it. What is not released yet counts as part of the version that is packed, until that has a section of its own.

# fold(text): the text in lines that Debian allows, as an item of a list.
function fold(text,    words, n, i, line) {
    n = split(text, words, " ")
    line = "  *"
    for (i = 1; i <= n; i++) {
        if (length(line) + 1 + length(words[i]) > 79) {
            print line
            line = "   "
        }
        line = line " " words[i]
    }
    print line
}

function end_item() {
    if (item != "") fold(item)
    item = ""
}

function end_version() {
    end_item()
    if (open) print "\n -- " maintainer "  " when "\n"
    open = 0
}

# Seen before anything is printed, in the first of two passes.
NR == FNR {
    if (index($0, "## [" version "]") == 1) is_released = 1
    next
}

/^## \[/ {
    end_version()
    name = $2
    gsub(/[][]/, "", name)
    is_skipped = name == "Unreleased" && is_released
    if (is_skipped) next
    when = date
    if (name == "Unreleased") name = version
    else {
        command = "date -R -u -d '" $4 "'"
        command | getline when
        close(command)
    }
    print "mcp-proxy (" name ") stable; urgency=medium\n"
    open = 1
    next
}

!open || /^#/ { next }
/^- / { end_item(); item = substr($0, 3); next }
/^  / { item = item " " substr($0, 3); next }
END { end_version() }
