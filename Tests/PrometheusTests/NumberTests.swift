// SPDX-License-Identifier: Apache-2.0

import Glibc
import SeededRandom
import Testing

@testable import Prometheus

@Suite struct NumberTests {
    private func text(_ append: (inout [UInt8]) -> Void) -> String {
        var bytes: [UInt8] = []
        append(&bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(arguments: [0, 1, 9, 10, 99, 100, 12_345, -1, -10, Int.max, Int.min])
    func integers(_ value: Int) {
        #expect(text { $0.append(decimal: value) } == "\(value)")
    }

    @Test(arguments: [
        (0, "0"), (1, "0.000000001"), (1_000_000_000, "1"), (1_500_000_000, "1.5"), (-1, "-0.000000001"),
        (9_223_372_036_854_775_807, "9223372036.854775807"), (100_000_000_010, "100.00000001"),
    ])
    func nanosecondsAreExact(_ value: Int, _ expected: String) {
        #expect(text { $0.append(recorded: value, scale: .nanoseconds) } == expected)
    }

    @Test(arguments: [
        (0.0, "0"), (-0.0, "0"), (3, "3"), (-2, "-2"), (0.1, "0.1"), (1e20, "1e+20"), (1e-7, "1e-07"),
        (9_007_199_254_740_994, "9.007199254740994e+15"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
    ])
    func doubles(_ value: Double, _ expected: String) {
        #expect(text { $0.append(number: value) } == expected)
    }

    /// The examples of OpenMetrics 1.0, and what a server makes of such bounds.
    @Test(arguments: [
        (0.0, "0.0"), (0.001, "0.001"), (0.002, "0.002"), (0.01, "0.01"), (0.1, "0.1"), (0.9, "0.9"), (0.95, "0.95"),
        (0.999, "0.999"), (1.0, "1.0"), (1.7, "1.7"), (10.0, "10.0"), (1e-10, "1e-10"), (1e-9, "1e-09"),
        (1e-5, "1e-05"), (0.0001, "0.0001"), (0.00025, "0.00025"), (2.5e-5, "2.5e-05"), (100_000, "100000.0"),
        (262_144, "262144.0"), (1e6, "1e+06"), (1_048_576, "1.048576e+06"), (1.6777216e7, "1.6777216e+07"),
        (1e10, "1e+10"), (1e100, "1e+100"), (123.25, "123.25"), (1.5e-300, "1.5e-300"),
    ])
    func bounds(_ value: Double, _ expected: String) {
        #expect(value.canonicalBound == expected)
    }

    @Test func boundsReadBackAsTheyWere() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<2000 {
            let value =
                Double.random(in: 1...10, using: &random) * pow(10, Double.random(in: -20...200, using: &random))
            #expect(Double(value.canonicalBound) == value)
        }
    }

    @Test func hexadecimal() {
        #expect(text { $0.append(hexadecimal: 0x0123_4567_89AB_CDEF) } == "0123456789abcdef")
    }

    private static let encodings: [(UInt64, [UInt8])] = [
        (0, [0x08, 0]), (127, [0x08, 0x7F]), (128, [0x08, 0x80, 0x01]), (300, [0x08, 0xAC, 0x02]),
        (.max, [0x08] + Array(repeating: 0xFF, count: 9) + [0x01]),
    ]

    @Test(arguments: encodings)
    func varints(_ value: UInt64, _ expected: [UInt8]) {
        var writer = ProtobufWriter()
        writer.uint64(1, value)
        #expect(writer.bytes == expected)
    }

    @Test func fieldsOfEveryType() {
        var writer = ProtobufWriter([0xFF])
        writer.sint64(2, -2)
        writer.fixed64(16, 1)
        writer.double(1, 1)
        writer.string(3, "é")
        writer.bytes(4, [7, 8])
        #expect(
            writer.bytes == [
                0xFF, 0x10, 3, 0x81, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0x09, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0x1A, 2, 0xC3, 0xA9,
                0x22, 2, 7, 8,
            ]
        )
    }

    /// The length in front grows with the message, around each power of 128.
    @Test(arguments: [0, 1, 127, 128, 129, 16_383, 16_384, 2_097_151, 2_097_152])
    func lengths(_ count: Int) {
        let content = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        var expected = ProtobufWriter()
        expected.bytes(5, content)
        var writer = ProtobufWriter()
        writer.message(5) { $0.bytes.append(contentsOf: content) }
        #expect(writer.bytes == expected.bytes)
    }
}
