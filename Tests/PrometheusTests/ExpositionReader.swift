// SPDX-License-Identifier: Apache-2.0

/// A strict reader of both text formats: it throws at everything the formats forbid and this project never does.
struct ExpositionReader {
    struct Sample: Equatable {
        var name: String
        var labels: [[String]]
        var value: String
        var exemplar: String?

        func label(_ name: String) -> String? { labels.first { $0[0] == name }?[1] }
        /// The labels but `le`, for what belongs together.
        var series: [[String]] { labels.filter { $0[0] != "le" } }
    }

    struct Family {
        var name: String
        var type = ""
        var help = ""
        var unit: String?
        var samples: [Sample] = []
    }

    struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    private let isOpenMetrics: Bool

    static func read(_ bytes: [UInt8], openMetrics: Bool) throws -> [Family] {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Violation(description: "not UTF-8") }
        return try ExpositionReader(isOpenMetrics: openMetrics).read(text)
    }

    private func read(_ text: String) throws -> [Family] {
        // Split by bytes: for a String, CR and LF together are one character.
        var lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
            Substring($0)
        }
        try require(lines.removeLast().isEmpty, "the last line isn't ended")
        if isOpenMetrics { try require(lines.popLast() == "# EOF", "no EOF at the end") }
        var families: [Family] = []
        // The metadata of a family comes first, in this order.
        let order = isOpenMetrics ? ["TYPE", "UNIT", "HELP"] : ["HELP", "TYPE"]
        var last: Int?
        for line in lines {
            guard line.hasPrefix("# ") else {
                try require(last == order.count - 1, "samples before the metadata is complete")
                try require(!families.isEmpty, "a sample without a family")
                families[families.count - 1].samples.append(try sample(line))
                continue
            }
            let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
            let position = order.firstIndex(of: words[1])
            guard let position, words.count == 4 else { throw Violation(description: "a strange line: \(line)") }
            if position == 0 {
                families.append(Family(name: words[2]))
            } else {
                let expected = [position - 1, isOpenMetrics && position == 2 ? 0 : position - 1]
                try require(expected.contains(last ?? -1), "\(words[1]) at the wrong place")
            }
            last = position
            try require(families.last?.name == words[2], "metadata of another family: \(line)")
            switch words[1] {
            case "TYPE": families[families.count - 1].type = words[3]
            case "UNIT": families[families.count - 1].unit = words[3]
            default: families[families.count - 1].help = try unescaped(words[3], quotes: isOpenMetrics)
            }
        }
        try check(families)
        return families
    }

    // MARK: Lines

    private func sample(_ line: Substring) throws -> Sample {
        var rest = line.utf8[...]
        var sample = Sample(name: try name(&rest), labels: [], value: "", exemplar: nil)
        if rest.first == UInt8(ascii: "{") { sample.labels = try labels(&rest) }
        try expect(" ", &rest)
        let value = rest.prefix { $0 != UInt8(ascii: " ") }
        sample.value = String(Substring(value))
        rest = rest[value.endIndex...]
        let isNumber = ["+Inf", "-Inf", "NaN"].contains(sample.value) || Double(sample.value)?.isFinite == true
        try require(isNumber, "no number: \(line)")
        if rest.isEmpty { return sample }
        try require(isOpenMetrics && sample.name.hasSuffix("_bucket"), "something behind the value: \(line)")
        try expect(" ", &rest)
        try expect("#", &rest)
        try expect(" ", &rest)
        sample.exemplar = String(Substring(rest))
        let length = try labels(&rest).joined().reduce(0) { $0 + $1.unicodeScalars.count }
        try require(length <= 128, "an exemplar too long")
        return sample
    }

    private func labels(_ rest: inout Substring.UTF8View) throws -> [[String]] {
        var labels: [[String]] = []
        try expect("{", &rest)
        while true {
            let name = try name(&rest)
            try expect("=", &rest)
            try expect("\"", &rest)
            var end = rest.startIndex
            while end < rest.endIndex, rest[end] != UInt8(ascii: "\"") {
                if rest[end] == UInt8(ascii: "\\") { rest.formIndex(after: &end) }
                if end < rest.endIndex { rest.formIndex(after: &end) }
            }
            labels.append([name, try unescaped(String(Substring(rest[..<end])), quotes: true)])
            rest = rest[end...]
            try expect("\"", &rest)
            if rest.first != UInt8(ascii: ",") { break }
            try expect(",", &rest)
        }
        try expect("}", &rest)
        try require(Set(labels.map { $0[0] }).count == labels.count, "a label twice")
        return labels
    }

    private func name(_ rest: inout Substring.UTF8View) throws -> String {
        let name = rest.prefix { (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20) || $0 == 0x5F }
        try require(!name.isEmpty, "no name")
        rest = rest[name.endIndex...]
        return String(Substring(name))
    }

    private func expect(_ character: Unicode.Scalar, _ rest: inout Substring.UTF8View) throws {
        try require(rest.first == UInt8(ascii: character), "no \(character) in front of \(Substring(rest))")
        rest = rest.dropFirst()
    }

    private func unescaped(_ text: String, quotes: Bool) throws -> String {
        var result = String.UnicodeScalarView()
        var isEscaped = false
        for scalar in text.unicodeScalars {
            switch (isEscaped, scalar) {
            case (false, "\\"):
                isEscaped = true
                continue
            case (true, "n"): result.append("\n")
            case (true, "\\"): result.append("\\")
            case (true, "\"") where quotes: result.append("\"")
            case (false, "\"") where quotes: throw Violation(description: "a bare quote in \(text)")
            case (true, _): throw Violation(description: "a wrong escape in \(text)")
            default: result.append(scalar)
            }
            isEscaped = false
        }
        try require(!isEscaped, "a lone backslash in \(text)")
        return String(result)
    }

    // MARK: Families

    private func check(_ families: [Family]) throws {
        let names = families.map(\.name)
        try require(Set(names).count == names.count, "a family twice")
        for family in families {
            try require(!family.samples.isEmpty, "\(family.name) has no samples")
            let suffixes =
                switch family.type {
                case "histogram": ["_bucket", "_sum", "_count"]
                case "counter" where isOpenMetrics: ["_total"]
                case "info": ["_info"]
                default: [""]
                }
            for sample in family.samples {
                try require(
                    suffixes.contains { sample.name == family.name + $0 },
                    "\(sample.name) is in \(family.name)"
                )
            }
            var seen: Set<[[String]]> = []
            for sample in family.samples {
                let bytes = sample.labels.map { $0.map { "\(Array($0.utf8))" } }
                try require(seen.insert([[sample.name]] + bytes).inserted, "a sample twice: \(sample)")
            }
            if family.type == "histogram" { try check(histogram: family.samples[...]) }
        }
    }

    /// Series after series: buckets that ascend up to `+Inf`, then the sum and a count that is the last bucket.
    private func check(histogram: ArraySlice<Sample>) throws {
        var rest = histogram
        while let first = rest.first {
            var count = 0
            var bound = -Double.infinity
            while let sample = rest.first, sample.name.hasSuffix("_bucket") {
                let label = sample.label("le") ?? ""
                try require(label.contains { ".e".contains($0) } || label == "+Inf", "le isn't canonical: \(label)")
                let next = label == "+Inf" ? Double.infinity : Double(label) ?? .nan
                let value = Int(sample.value) ?? -1
                try require(next > bound && value >= count && sample.series == first.series, "buckets: \(sample)")
                (bound, count) = (next, value)
                rest.removeFirst()
            }
            try require(bound == .infinity, "no bucket +Inf")
            let (sum, total) = (rest.popFirst(), rest.popFirst())
            try require(sum?.name.hasSuffix("_sum") == true && sum?.labels == first.series, "no sum")
            try require(total?.name.hasSuffix("_count") == true && total?.labels == first.series, "no count")
            try require(total?.value == "\(count)", "the count isn't the last bucket")
        }
    }

    private func require(_ condition: Bool, _ message: String) throws {
        if !condition { throw Violation(description: message) }
    }
}
