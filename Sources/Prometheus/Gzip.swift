// SPDX-License-Identifier: Apache-2.0

internal import CZlib

/// Whether an `Accept-Encoding` header takes gzip (RFC 9110, 12.5.3). None at all doesn't ask for it.
package func acceptsGzip(_ acceptEncoding: String?) -> Bool {
    let codings = WeightedValue.list(acceptEncoding ?? "")
    let named = codings.last { $0.name == "gzip" || $0.name == "x-gzip" }
    return (named ?? codings.last { $0.name == "*" })?.weight ?? 0 > 0
}

/// The bytes as a gzip file (RFC 1952), at the fastest level: higher ones take three times as long to save a sixth.
///
/// - Returns: nil when zlib has no memory, or for more than 4 GB.
package func gzip(_ bytes: [UInt8]) -> [UInt8]? {
    guard let inputCount = UInt32(exactly: bytes.count) else { return nil }
    var stream = z_stream()
    // 15 bits of window, and 16 for "with a gzip header".
    let opened = deflateInit2_(
        &stream,
        1,
        Z_DEFLATED,
        15 + 16,
        8,
        Z_DEFAULT_STRATEGY,
        ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size)
    )
    guard opened == Z_OK else { return nil }
    defer { deflateEnd(&stream) }
    guard let capacity = UInt32(exactly: deflateBound(&stream, UInt(inputCount))) else { return nil }
    var isFinished = false
    let output = [UInt8](unsafeUninitializedCapacity: Int(capacity)) { output, count in
        bytes.withUnsafeBufferPointer { input in
            // zlib reads only; its type lacks the const.
            stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.avail_in = inputCount
            stream.next_out = output.baseAddress
            stream.avail_out = capacity
            // The output has room for the worst case, so that one call does it.
            isFinished = deflate(&stream, Z_FINISH) == Z_STREAM_END
        }
        count = Int(capacity - stream.avail_out)
    }
    return isFinished ? output : nil
}
