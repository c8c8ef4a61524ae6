// SPDX-License-Identifier: Apache-2.0

import CZlib
import Prometheus
import SeededRandom
import Testing

private let text = "text/plain; version=0.0.4; charset=utf-8"
private let openMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8"
private let openMetrics0 = "application/openmetrics-text; version=0.0.1; charset=utf-8"
private let protobuf =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
private let protobufRange =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
private let prometheus2 =
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
/// With native histograms enabled.
private let prometheus2Native =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
    + "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
    + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

private func prometheus3(_ scheme: String) -> String {
    "application/openmetrics-text;version=1.0.0;escaping=\(scheme);q=0.6,"
        + "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=\(scheme);q=0.4,"
        + "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
}

@Suite struct NegotiationTests {
    private static let answers: [(String?, String)] = [
        (nil, text), ("", text), ("*/*", text), (prometheus2, openMetrics), (prometheus2Native, openMetrics),
        (prometheus3("allow-utf-8"), openMetrics + "; escaping=allow-utf-8"),
        (prometheus3("underscores"), openMetrics + "; escaping=underscores"),
        (prometheus3("values"), openMetrics + "; escaping=values"),
        // `dots` would double the underscores of every name.
        (prometheus3("dots"), openMetrics + "; escaping=underscores"),
        (prometheus3("x\"; y=z"), openMetrics + "; escaping=underscores"),
        ("text/plain;version=1.0.0;escaping=values", "text/plain; version=1.0.0; charset=utf-8; escaping=values"),
        ("text/plain; version=1.0.0", "text/plain; version=1.0.0; charset=utf-8"),
        ("text/plain;version=0.0.4", text), ("text/plain", text), ("text/*", text), ("TEXT/PLAIN", text),
        ("application/openmetrics-text", openMetrics), ("application/openmetrics-text;version=0.0.1", openMetrics0),
        ("application/openmetrics-text; version=\"1.0.0\"; charset=utf-8", openMetrics),
        ("application/openmetrics-text;version=2.0.0", text),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", text),
        // Weights beat order, equal weights go by order.
        ("text/plain;q=0.5,application/openmetrics-text;q=0.501", openMetrics),
        ("text/plain;q=0.5,application/openmetrics-text;q=0.5", text),
        ("application/openmetrics-text;q=0,text/plain;q=0.1", text), ("application/openmetrics-text;q=0", text),
        ("application/openmetrics-text;q=0.000,*/*", text), ("application/openmetrics-text;Q=1.000", openMetrics),
        // What can't be read is passed over.
        ("application/openmetrics-text;q=1.5", text), ("application/openmetrics-text;q=x", text),
        ("application/openmetrics-text;q=0.0001", text), ("application/openmetrics-text;q=-1", text),
        ("application/openmetrics-text;version", text), (";;;,,,q=1;=", text),
        (",application/openmetrics-text,", openMetrics),
        ("application/json", text), (protobufRange, text), ("\u{0}\r\n\u{1F600}", text),
    ]

    @Test(arguments: answers)
    func withoutProtobuf(_ accept: String?, _ contentType: String) {
        let negotiated = ExpositionFormat.negotiate(accept: accept, allowsProtobuf: false)
        #expect(negotiated.contentType == contentType)
        #expect(negotiated.format == (contentType.hasPrefix("text/") ? .text : .openMetrics))
    }

    private static let answersWithProtobuf: [(String?, String)] = [
        (nil, text), (prometheus2, openMetrics), (protobufRange, protobuf),
        (prometheus2Native, protobuf), (protobufRange + "," + prometheus2, protobuf),
        (prometheus2 + "," + protobufRange, openMetrics), (protobufRange + ";q=0.6," + prometheus2, openMetrics),
        (protobufRange + ";q=0.7," + prometheus3("allow-utf-8"), protobuf),
        (protobufRange + ";escaping=allow-utf-8;q=0.7", protobuf + "; escaping=allow-utf-8"),
        ("application/vnd.google.protobuf", text), ("application/vnd.google.protobuf;proto=x;encoding=delimited", text),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", text),
    ]

    @Test(arguments: answersWithProtobuf)
    func withProtobuf(_ accept: String?, _ contentType: String) {
        let negotiated = ExpositionFormat.negotiate(accept: accept, allowsProtobuf: true)
        #expect(negotiated.contentType == contentType)
        #expect((negotiated.format == .protobuf) == contentType.hasPrefix("application/vnd"))
    }

    private static let codings: [(String?, Bool)] = [
        (nil, false), ("", false), ("gzip", true), ("GZIP", true), ("x-gzip", true), ("deflate, gzip;q=1.0", true),
        ("gzip;q=0", false), ("gzip; q=0.000", false), ("gzip;q=0.001", true), ("*", true), ("*;q=0", false),
        ("gzip;q=0, *", false), ("*;q=0, gzip", true), ("identity", false), ("gzipped", false), ("gzip;q=2", false),
    ]

    @Test(arguments: codings)
    func encodings(_ header: String?, _ expected: Bool) {
        #expect(acceptsGzip(header) == expected)
    }

    @Test(arguments: [0, 1, 1000, 1_000_000]) func gzipReadsBack(_ count: Int) throws {
        var random = SeededGenerator(seed: 7)
        // Half of it can't be compressed.
        let bytes = (0..<count).map { $0 < count / 2 ? UInt8(ascii: "a") : UInt8.random(in: 0...255, using: &random) }
        let compressed = try #require(gzip(bytes))
        #expect(compressed.starts(with: [0x1F, 0x8B, 8]))
        #expect(count < 1000 || compressed.count < count)
        #expect(unzipped(compressed, capacity: count) == bytes)
    }

    private func unzipped(_ input: [UInt8], capacity: Int) -> [UInt8]? {
        var input = input
        var output = [UInt8](repeating: 0, count: capacity + 1)
        var stream = z_stream()
        guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return nil
        }
        defer { inflateEnd(&stream) }
        let status = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                return inflate(&stream, Z_FINISH)
            }
        }
        return status == Z_STREAM_END ? Array(output.prefix(Int(stream.total_out))) : nil
    }
}
