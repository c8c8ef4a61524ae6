// SPDX-License-Identifier: Apache-2.0

/// The bytes `lowerBound..<upperBound` of a message, counted from its first readable byte.
///
/// Offsets are 32 bits wide, as are those of a `ByteBuffer`. A range stays valid for as long as the message's reader
/// index and the bytes up to `upperBound` stay where they are.
package struct ByteRange: Hashable, Sendable {
    package let lowerBound: UInt32
    package let upperBound: UInt32

    /// The range of those offsets. An upper bound below the lower one gives an empty range.
    package init(_ lowerBound: Int, _ upperBound: Int) {
        self.lowerBound = UInt32(clamping: lowerBound)
        self.upperBound = max(self.lowerBound, UInt32(clamping: upperBound))
    }

    /// The range of offsets that a scan of a `ByteBuffer` has found, which are in order and fit.
    @inline(__always)
    init(scanned lowerBound: Int, _ upperBound: Int) {
        self.lowerBound = UInt32(truncatingIfNeeded: lowerBound)
        self.upperBound = UInt32(truncatingIfNeeded: upperBound)
    }

    /// The number of bytes.
    package var count: Int { Int(upperBound) - Int(lowerBound) }

    /// Whether it holds no byte at all.
    package var isEmpty: Bool { lowerBound == upperBound }
}
