// SPDX-License-Identifier: Apache-2.0

internal import NIOCore
internal import NIOHTTP1

/// What a client sent while its previous request was still being answered, in order.
struct HeldParts {
    enum Part {
        case request(HTTPServerRequestPart)
        /// The bytes after the parts before are not HTTP.
        case malformed(isOverflow: Bool, description: String)
    }

    /// As long as more than this is held, nothing more is read.
    static let limit = 64 * 1024

    private var parts = CircularBuffer<Part>()
    private var bytes = 0

    var isEmpty: Bool { self.parts.isEmpty }
    var isFull: Bool { self.bytes > Self.limit }

    mutating func append(_ part: Part) {
        self.bytes += Self.size(of: part)
        self.parts.append(part)
    }

    mutating func popFirst() -> Part? {
        guard let part = self.parts.popFirst() else { return nil }
        self.bytes -= Self.size(of: part)
        return part
    }

    /// What a part weighs: a head, more than its bytes, because each of its strings has a place of its own.
    private static func size(of part: Part) -> Int {
        switch part {
        case .request(.head(let head)): 512 + head.uri.utf8.count + 64 * head.headers.count
        case .request(.body(let bytes)): bytes.readableBytes
        case .request(.end), .malformed: 64
        }
    }
}
