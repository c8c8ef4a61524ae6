// SPDX-License-Identifier: Apache-2.0

internal import CSystemd
internal import Glibc

/// The way to the journal; another than `system` in tests only.
package struct JournalTransport: Sendable {
    /// Sends one entry, each field followed by a newline. May block. Returns 0 or a negative `errno`; 0 also, with
    /// the entry gone, when the socket is missing.
    let send: @Sendable (_ fields: UnsafeRawBufferPointer) -> Int32
    /// Whether the socket is in its place.
    let isPresent: @Sendable () -> Bool

    package init(
        send: @escaping @Sendable (_ fields: UnsafeRawBufferPointer) -> Int32,
        isPresent: @escaping @Sendable () -> Bool
    ) {
        self.send = send
        self.isPresent = isPresent
    }

    /// `sd_journal_sendv`(3).
    ///
    /// - Parameter socketPath: where to look for the socket. It does not change where the library sends.
    static func system(socketPath: String) -> JournalTransport {
        JournalTransport(send: sendToJournal, isPresent: { access(socketPath, F_OK) == 0 })
    }
}

private func sendToJournal(_ fields: UnsafeRawBufferPointer) -> Int32 {
    let newline = UInt8(ascii: "\n")
    let count = fields.count { $0 == newline }
    return withUnsafeTemporaryAllocation(of: iovec.self, capacity: count) { vectors in
        var rest = fields[...]
        var filled = 0
        while let end = rest.firstIndex(of: newline) {
            let field = UnsafeRawBufferPointer(rebasing: rest[..<end])
            // The library only reads what C makes it take as mutable.
            let base = UnsafeMutableRawPointer(mutating: field.baseAddress)
            vectors.initializeElement(at: filled, to: iovec(iov_base: base, iov_len: field.count))
            filled += 1
            rest = rest[(end + 1)...]
        }
        return sd_journal_sendv(vectors.baseAddress, Int32(filled))
    }
}
