// SPDX-License-Identifier: Apache-2.0

/// Reading `Content-Type` and `Accept` (RFC 9110, 8.3 and 12.5.1), as far as two media types need it.
enum MediaRange {
    /// Whether a `Content-Type` is `application/json`, whatever its parameters.
    static func isJSON(_ contentType: String) -> Bool {
        contentType == "application/json" || self.essence(contentType.utf8[...]).equals(lowercase: "application/json")
    }

    /// Which of the two kinds of answer an `Accept` allows. None at all allows both.
    static func accepted(_ accept: String?) -> (json: Bool, eventStream: Bool) {
        // What the official clients send needs no reading.
        guard let accept, accept != "application/json, text/event-stream" else { return (true, true) }
        var json = Preference()
        var eventStream = Preference()
        for range in accept.utf8.split(separator: UInt8(ascii: ",")) {
            let essence = self.essence(range)
            let isRefused = self.isRefused(range)
            if essence.equals(lowercase: "application/json") {
                json.note(isRefused: isRefused, precision: 3)
            } else if essence.equals(lowercase: "text/event-stream") {
                eventStream.note(isRefused: isRefused, precision: 3)
            } else if essence.equals(lowercase: "application/*") {
                json.note(isRefused: isRefused, precision: 2)
            } else if essence.equals(lowercase: "text/*") {
                eventStream.note(isRefused: isRefused, precision: 2)
            } else if essence.elementsEqual("*/*".utf8) {
                json.note(isRefused: isRefused, precision: 1)
                eventStream.note(isRefused: isRefused, precision: 1)
            }
        }
        return (json.isAccepted, eventStream.isAccepted)
    }

    /// The most precise range that matches decides.
    private struct Preference {
        var isAccepted = false
        var precision = 0

        mutating func note(isRefused: Bool, precision: Int) {
            guard precision >= self.precision else { return }
            self.precision = precision
            self.isAccepted = !isRefused
        }
    }

    /// `type/subtype`, without parameters and blanks.
    private static func essence(_ range: Substring.UTF8View) -> Substring.UTF8View {
        let end = range.firstIndex(of: UInt8(ascii: ";")) ?? range.endIndex
        return self.trimmed(range[..<end])
    }

    /// Whether a range has the weight zero, which means "not this".
    private static func isRefused(_ range: Substring.UTF8View) -> Bool {
        guard range.contains(UInt8(ascii: ";")) else { return false }
        return range.split(separator: UInt8(ascii: ";")).dropFirst().contains { parameter in
            let parameter = self.trimmed(parameter)
            guard parameter.hasPrefix(lowercase: "q=") else { return false }
            let weight = parameter.dropFirst(2)
            return !weight.isEmpty && weight.allSatisfy { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ".") }
        }
    }

    private static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
        var text = text.drop(while: \.isBlank)
        while let last = text.last, last.isBlank { text = text.dropLast() }
        return text
    }
}
