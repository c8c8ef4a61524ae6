// SPDX-License-Identifier: Apache-2.0

/// What `diff -u` prints for two small texts, without the two lines of its head; empty if they are the same.
package func unifiedDiff(_ old: String, _ new: String, context: Int = 3) -> String {
    let edits = lineEdits(lines(old), lines(new))
    // A hunk begins and ends with so many lines of context.
    var shown = [Bool](repeating: false, count: edits.count)
    for (index, edit) in edits.enumerated() where edit.mark != " " {
        for near in max(0, index - context)...min(edits.count - 1, index + context) { shown[near] = true }
    }
    var text = ""
    var (oldLine, newLine) = (1, 1)
    var index = 0
    while index < edits.count {
        let end = shown[index...].firstIndex { $0 != shown[index] } ?? edits.count
        let (oldCount, newCount) = (
            edits[index..<end].count { $0.mark != "+" }, edits[index..<end].count { $0.mark != "-" }
        )
        if shown[index] {
            text += "@@ -\(oldCount == 0 ? oldLine - 1 : oldLine),\(oldCount)"
            text += " +\(newCount == 0 ? newLine - 1 : newLine),\(newCount) @@\n"
            for edit in edits[index..<end] { text += "\(edit.mark)\(edit.line)\n" }
        }
        oldLine += oldCount
        newLine += newCount
        index = end
    }
    return text
}

private struct Edit {
    /// A space, `-` or `+`.
    var mark: Character
    var line: Substring
}

private func lines(_ text: String) -> [Substring] {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    return lines
}

/// The shortest way from one to the other, by the longest common subsequence.
private func lineEdits(_ old: [Substring], _ new: [Substring]) -> [Edit] {
    let width = new.count + 1
    var lengths = [Int](repeating: 0, count: (old.count + 1) * width)
    for row in old.indices.reversed() {
        for column in new.indices.reversed() {
            lengths[row * width + column] =
                old[row] == new[column]
                ? lengths[(row + 1) * width + column + 1] + 1
                : max(lengths[(row + 1) * width + column], lengths[row * width + column + 1])
        }
    }
    var edits: [Edit] = []
    var (row, column) = (0, 0)
    while row < old.count || column < new.count {
        if row < old.count, column < new.count, old[row] == new[column] {
            edits.append(Edit(mark: " ", line: old[row]))
            (row, column) = (row + 1, column + 1)
        } else if column == new.count
            || row < old.count && lengths[(row + 1) * width + column] >= lengths[row * width + column + 1]
        {
            edits.append(Edit(mark: "-", line: old[row]))
            row += 1
        } else {
            edits.append(Edit(mark: "+", line: new[column]))
            column += 1
        }
    }
    return edits
}
