// SPDX-License-Identifier: Apache-2.0

/// One element of a header such as `Accept` (RFC 9110, 12.4.2 and 12.5).
struct WeightedValue: Equatable {
    /// In lower case.
    let name: String
    /// By name in lower case, without the weight; quotes removed.
    let parameters: [String: String]
    /// Thousandths, 0 to 1000. 0 means "not this".
    let weight: Int

    /// The elements of a header, without those that can't be read.
    static func list(_ header: String) -> [WeightedValue] {
        header.split(separator: ",").compactMap(WeightedValue.init)
    }

    private init?(_ text: Substring) {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false).map(\.trimmed)
        guard let first = parts.first, !first.isEmpty else { return nil }
        var parameters: [String: String] = [:]
        var weight = 1000
        for part in parts.dropFirst() where !part.isEmpty {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(\.trimmed)
            guard pair.count == 2 else { return nil }
            if pair[0].lowercased() == "q" {
                guard let thousandths = Self.thousandths(pair[1]) else { return nil }
                weight = thousandths
            } else {
                parameters[pair[0].lowercased()] = pair[1].filter { $0 != "\"" }
            }
        }
        self.name = first.lowercased()
        self.parameters = parameters
        self.weight = weight
    }

    /// A weight: `0` or `1`, with up to three digits behind a point.
    private static func thousandths(_ text: Substring) -> Int? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = parts.count > 1 ? parts[1] : ""
        guard parts[0] == "0" || parts[0] == "1", fraction.utf8.count <= 3,
            fraction.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let value = Int(parts[0] + fraction + String(repeating: "0", count: 3 - fraction.utf8.count))
        else { return nil }
        return value <= 1000 ? value : nil
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
