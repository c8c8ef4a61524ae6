// SPDX-License-Identifier: Apache-2.0

/// Writes the wire format of Protocol Buffers (protobuf.dev, "Encoding"). The names of the functions are those of the
/// types in a `.proto` file; the first parameter is the number of the field, 1 to 536,870,911.
///
/// Fields are written in the order of the calls, also those with a default value.
package struct ProtobufWriter {
    /// What was written so far.
    package var bytes: [UInt8]

    /// Appends to bytes that are there already.
    package init(_ bytes: [UInt8] = []) { self.bytes = bytes }

    private enum WireType: UInt64 {
        case varint = 0
        case fixed64 = 1
        case lengthDelimited = 2
    }

    /// For `uint64`, `uint32`, enums, and `bool` as 0 or 1.
    package mutating func uint64(_ field: Int, _ value: UInt64) {
        tag(field, .varint)
        varint(value)
    }

    /// For `sint64` and `sint32`.
    package mutating func sint64(_ field: Int, _ value: Int64) {
        tag(field, .varint)
        zigzag(value)
    }

    /// For `fixed64`.
    package mutating func fixed64(_ field: Int, _ value: UInt64) {
        tag(field, .fixed64)
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// For `double`.
    package mutating func double(_ field: Int, _ value: Double) { fixed64(field, value.bitPattern) }

    /// For `string`.
    package mutating func string(_ field: Int, _ value: String) {
        tag(field, .lengthDelimited)
        varint(UInt64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    /// For `bytes`.
    package mutating func bytes(_ field: Int, _ value: some Collection<UInt8>) {
        tag(field, .lengthDelimited)
        varint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    /// For a nested message, or a packed repeated field: whatever `body` appends.
    package mutating func message(_ field: Int, _ body: (inout ProtobufWriter) -> Void) {
        tag(field, .lengthDelimited)
        delimited(body)
    }

    /// A message with its length in front and no field number, as in a stream of messages.
    package mutating func delimited(_ body: (inout ProtobufWriter) -> Void) {
        // The length comes before what it measures. One byte is enough for most messages; for a longer one the
        // message moves.
        let start = bytes.count
        bytes.append(0)
        body(&self)
        var length = bytes.count - start - 1
        let extraBytes = max(0, (Int.bitWidth - length.leadingZeroBitCount - 1) / 7)
        if extraBytes > 0 { bytes.insert(contentsOf: repeatElement(0, count: extraBytes), at: start) }
        for index in start..<start + extraBytes {
            bytes[index] = UInt8(truncatingIfNeeded: length) | 0x80
            length >>= 7
        }
        bytes[start + extraBytes] = UInt8(truncatingIfNeeded: length)
    }

    /// One number of a packed `sint64` field.
    package mutating func zigzag(_ value: Int64) { varint(UInt64(bitPattern: (value << 1) ^ (value >> 63))) }

    /// One number of a packed `uint64` field.
    package mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    private mutating func tag(_ field: Int, _ type: WireType) { varint(UInt64(field) << 3 | type.rawValue) }
}
