// SPDX-License-Identifier: Apache-2.0

/// The entry at the head of the queue, taken out of the ring and not yet done with.
///
/// Its buffer is kept from entry to entry.
struct QueuedEntry {
    /// What stands before each entry in the ring.
    struct Header: BitwiseCopyable {
        /// Of the fields behind it, in bytes.
        var length: Int
        var sequence: Int
    }

    let sequenceField: JournalFieldName
    private(set) var sequence = 0
    /// As in `JournalEntry`, with the sequence number as the last field.
    private(set) var fields: [UInt8] = []
    private(set) var isEmpty = true

    init(sequenceField: JournalFieldName) { self.sequenceField = sequenceField }

    /// Takes the oldest entry out of the ring. Its consumer only.
    ///
    /// - Returns: false when there is none.
    mutating func load(from ring: ByteRing) -> Bool {
        fields.removeAll(keepingCapacity: true)
        // Entries are pushed as a whole: where there is a byte of one, there are all.
        take(MemoryLayout<Header>.size, from: ring)
        guard fields.count == MemoryLayout<Header>.size else { return false }
        let header = fields.withUnsafeBytes { $0.loadUnaligned(as: Header.self) }
        fields.removeAll(keepingCapacity: true)
        take(header.length, from: ring)
        sequence = header.sequence
        var number = JournalEntry()
        number.append(sequenceField, sequence)
        fields.append(contentsOf: number.bytes)
        isEmpty = false
        return true
    }

    mutating func clear() { isEmpty = true }

    private mutating func take(_ count: Int, from ring: ByteRing) {
        var missing = count
        while missing > 0 {
            let isFilled = ring.take { piece in
                let taken = piece.prefix(missing)
                fields.append(contentsOf: taken)
                missing -= taken.count
                return taken.count
            }
            if !isFilled { return }
        }
    }
}
