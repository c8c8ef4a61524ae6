// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// The events of one session that a client may ask for again with `Last-Event-ID`: the newest, within a count and
/// a size (2025-11-25, "Resumability and Redelivery").
struct EventStore {
    private struct Stored {
        var stream: Int
        var sequence: Int
        var data: ByteBuffer
    }

    private var events = CircularBuffer<Stored>()
    private(set) var bytes = 0
    private let maxEvents: Int
    private let maxBytes: Int

    init(maxEvents: Int, maxBytes: Int) {
        self.maxEvents = maxEvents
        self.maxBytes = maxBytes
    }

    /// Keeps an event. `data` must own no more memory than it shows: a slice would pin its whole buffer.
    mutating func append(stream: Int, sequence: Int, data: ByteBuffer) {
        events.append(Stored(stream: stream, sequence: sequence, data: data))
        bytes += data.readableBytes
        while events.count > maxEvents || bytes > maxBytes, removeOldest() {}
    }

    /// Forgets the oldest event; false when there is none.
    mutating func removeOldest() -> Bool {
        guard let oldest = events.popFirst() else { return false }
        bytes -= oldest.data.readableBytes
        return true
    }

    /// The events of `stream` that came after `sequence`, oldest first.
    func events(of stream: Int, after sequence: Int) -> [(sequence: Int, data: ByteBuffer)] {
        events.lazy.filter { $0.stream == stream && $0.sequence > sequence }.map { ($0.sequence, $0.data) }
    }
}

/// The id of an event: which session's, which stream of it, which event of the stream.
struct EventID: Equatable {
    /// Drawn at random per session: an id of another session is recognised as foreign.
    var tag: String
    var stream: Int
    var sequence: Int

    init(tag: String, stream: Int, sequence: Int) {
        self.tag = tag
        self.stream = stream
        self.sequence = sequence
    }

    /// Reads `tag-stream-sequence`; nil for anything else.
    init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, let stream = Int(parts[1]), let sequence = Int(parts[2]), stream >= 0, sequence >= 0
        else { return nil }
        self.init(tag: String(parts[0]), stream: stream, sequence: sequence)
    }

    var text: String { "\(tag)-\(stream)-\(sequence)" }
}
