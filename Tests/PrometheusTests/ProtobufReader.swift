// SPDX-License-Identifier: Apache-2.0

/// Shows protobuf bytes as text, one field a line, by a description of the messages.
struct ProtobufReader {
    indirect enum Kind {
        case uint, sint, double, string
        case packedSint
        case message([Int: (name: String, kind: Kind)])
    }

    struct Violation: Error {}

    private static let label = Kind.message([1: ("name", .string), 2: ("value", .string)])
    private static let exemplar = Kind.message([
        1: ("label", label), 2: ("value", .double),
        3: ("timestamp", .message([1: ("seconds", .uint), 2: ("nanos", .uint)])),
    ])
    private static let span = Kind.message([1: ("offset", .sint), 2: ("length", .uint)])
    private static let histogram = Kind.message([
        1: ("sample_count", .uint), 2: ("sample_sum", .double),
        3: (
            "bucket",
            .message([1: ("cumulative_count", .uint), 2: ("upper_bound", .double), 3: ("exemplar", exemplar)])
        ),
        5: ("schema", .sint), 6: ("zero_threshold", .double), 7: ("zero_count", .uint),
        12: ("positive_span", span), 13: ("positive_delta", .packedSint), 16: ("exemplars", exemplar),
    ])
    private static let value = Kind.message([1: ("value", .double)])
    private static let family: [Int: (name: String, kind: Kind)] = [
        1: ("name", .string), 2: ("help", .string), 3: ("type", .uint),
        4: (
            "metric",
            .message([
                1: ("label", label), 2: ("gauge", value), 3: ("counter", value), 7: ("histogram", histogram),
            ])
        ),
        5: ("unit", .string),
    ]

    /// A stream of delimited `MetricFamily`, as text.
    static func text(_ bytes: [UInt8]) throws -> String {
        var rest = bytes[...]
        var lines: [String] = []
        while !rest.isEmpty {
            let message = try piece(&rest)
            try append(message, family, "", &lines)
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func append(
        _ message: ArraySlice<UInt8>,
        _ fields: [Int: (name: String, kind: Kind)],
        _ indent: String,
        _ lines: inout [String]
    ) throws {
        var rest = message
        while !rest.isEmpty {
            let tag = try varint(&rest)
            guard let (name, kind) = fields[Int(tag >> 3)] else { throw Violation() }
            switch (kind, tag & 7) {
            case (.uint, 0): lines.append("\(indent)\(name): \(try varint(&rest))")
            case (.sint, 0): lines.append("\(indent)\(name): \(zigzag(try varint(&rest)))")
            case (.double, 1):
                guard rest.count >= 8 else { throw Violation() }
                let bits = rest.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                rest = rest.dropFirst(8)
                lines.append("\(indent)\(name): \(Double(bitPattern: bits))")
            case (.string, 2): lines.append("\(indent)\(name): \(String(decoding: try piece(&rest), as: UTF8.self))")
            case (.packedSint, 2):
                var numbers = try piece(&rest)
                var values: [Int64] = []
                while !numbers.isEmpty { values.append(zigzag(try varint(&numbers))) }
                lines.append("\(indent)\(name): \(values)")
            case (.message(let fields), 2):
                lines.append("\(indent)\(name)")
                try append(piece(&rest), fields, indent + "  ", &lines)
            default: throw Violation()
            }
        }
    }

    private static func zigzag(_ value: UInt64) -> Int64 { Int64(value >> 1) ^ -Int64(value & 1) }

    private static func piece(_ rest: inout ArraySlice<UInt8>) throws -> ArraySlice<UInt8> {
        let count = Int(try varint(&rest))
        guard count <= rest.count else { throw Violation() }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private static func varint(_ rest: inout ArraySlice<UInt8>) throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw Violation() }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw Violation()
    }
}
