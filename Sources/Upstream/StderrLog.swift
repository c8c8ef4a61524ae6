// SPDX-License-Identifier: Apache-2.0

internal import Events
package import NIOCore

/// Turns what a child writes to stderr into lines fit for a log, however much it writes.
///
/// Lines are capped and cleaned, and a token bucket keeps a flood from drowning the log: what it holds back is counted,
/// and its end is still kept as the tail that explains an exit. Cost follows what is passed on, not what is written:
/// a line that is held back is never copied or decoded.
package struct StderrLog {
    /// The numbers of the log.
    package struct Limits: Sendable, Equatable {
        /// Bytes of one line that are passed on.
        package var lineBytes = 4000
        /// Lines that may come at once.
        package var burst = 500
        /// Lines per second after that.
        package var linesPerSecond = 50
        /// Bytes kept for the exit report.
        package var tailBytes = 2048

        package init() {}
    }

    /// A line as it is passed on.
    package struct Entry: Equatable {
        package var line: String
        /// Whether its end was cut off.
        package var isTruncated: Bool

        package init(line: String, isTruncated: Bool = false) {
            self.line = line
            self.isTruncated = isTruncated
        }
    }

    private let limits: Limits
    private var bucket: TokenBucket
    /// The start of a line whose end was not read yet, at most one byte more than the cap.
    private var partial: [UInt8] = []
    private var suppressed = 0
    private var recent: [UInt8] = []

    /// - Parameter now: When the child was started.
    package init(_ limits: Limits = Limits(), now: NIODeadline) {
        self.limits = limits
        bucket = TokenBucket(capacity: limits.burst, perSecond: limits.linesPerSecond, now: now)
    }

    /// Takes what was read.
    package mutating func append(_ chunk: ByteBuffer, now: NIODeadline, emit: (Entry) -> Void) {
        var rest = chunk.readableBytesView
        remember(rest)
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let line = rest[rest.startIndex..<end]
            if partial.isEmpty {
                pass(line, now: now, emit: emit)
            } else {
                keep(line)
                pass(partial, now: now, emit: emit)
                partial.removeAll(keepingCapacity: true)
            }
            rest = rest[rest.index(after: end)...]
        }
        keep(rest)
    }

    /// Stderr ended: passes on a last line without a terminator.
    package mutating func finish(now: NIODeadline, emit: (Entry) -> Void) {
        guard !partial.isEmpty else { return }
        pass(partial, now: now, emit: emit)
        partial = []
    }

    /// How many lines were held back since this was last asked.
    package mutating func takeSuppressed() -> Int {
        defer { suppressed = 0 }
        return suppressed
    }

    /// Whether lines were held back that nobody was told about yet.
    package var isSuppressing: Bool { suppressed > 0 }

    /// The last lines, held back or not, cleaned and separated by newlines; at most `Limits.tailBytes`.
    package var tail: String {
        var bytes = recent.suffix(limits.tailBytes)
        if bytes.count < recent.count, let firstEnd = bytes.firstIndex(of: UInt8(ascii: "\n")),
            firstEnd < bytes.endIndex - 1
        {
            bytes = bytes[(firstEnd + 1)...]
        }
        let lines = bytes.split(separator: UInt8(ascii: "\n")).map { printable($0) }.filter { !$0.isEmpty }
        // Repairing invalid UTF-8 makes text longer, so the limit is applied again.
        return truncated(lines.joined(separator: "\n"), toBytes: limits.tailBytes)
    }

    private mutating func keep(_ bytes: ByteBufferView) {
        // One byte past the cap tells that the line is longer, without keeping the rest of it.
        partial.append(contentsOf: bytes.prefix(max(0, limits.lineBytes + 1 - partial.count)))
    }

    private mutating func remember(_ bytes: ByteBufferView) {
        recent.append(contentsOf: bytes.suffix(limits.tailBytes + 1))
        // Trimmed at twice the size only, so that small reads don't move the whole tail each time.
        if recent.count > 2 * (limits.tailBytes + 1) {
            recent.removeFirst(recent.count - (limits.tailBytes + 1))
        }
    }

    private mutating func pass(
        _ bytes: some RandomAccessCollection<UInt8>,
        now: NIODeadline,
        emit: (Entry) -> Void
    ) {
        guard !bytes.isEmpty else { return }
        guard bucket.take(now: now) else {
            suppressed += 1
            return
        }
        let isTruncated = bytes.count > limits.lineBytes
        let line = printable(bytes.prefix(limits.lineBytes))
        guard !line.isEmpty else { return }
        emit(Entry(line: truncated(line, toBytes: limits.lineBytes), isTruncated: isTruncated))
    }
}

/// Text that can't steer a terminal or fake a second line: escape sequences and control characters are left out
/// (a tab becomes a space), invalid UTF-8 becomes U+FFFD.
private func printable(_ bytes: some Collection<UInt8>) -> String {
    var result = String.UnicodeScalarView()
    var scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars.makeIterator()
    while let scalar = scalars.next() {
        switch scalar.value {
        case 0x09:
            result.append(" ")
        case 0x1B:
            skipEscapeSequence(&scalars)
        case 0x00...0x1F, 0x7F...0x9F, 0x2028, 0x2029:
            continue
        default:
            result.append(scalar)
        }
    }
    return String(result)
}

/// Skips what follows an ESC: a control sequence (`[ … final byte`, ECMA-48 5.4) or a two-character sequence.
private func skipEscapeSequence(_ scalars: inout String.UnicodeScalarView.Iterator) {
    guard scalars.next() == "[" else { return }
    while let scalar = scalars.next() {
        if (0x40...0x7E).contains(scalar.value) { return }
    }
}

/// The longest start of `text` that fits and does not cut a character.
private func truncated(_ text: String, toBytes limit: Int) -> String {
    guard text.utf8.count > limit else { return text }
    var end = text.utf8.index(text.utf8.startIndex, offsetBy: limit)
    while end > text.startIndex, end.samePosition(in: text.unicodeScalars) == nil {
        end = text.utf8.index(before: end)
    }
    return String(text[..<end])
}
