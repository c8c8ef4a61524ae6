// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// An environment variable that is set to something.
struct Variable {
    let name: String
    let value: String

    func error(_ problem: String, _ remedy: String) -> TracingConfigurationError {
        TracingConfigurationError(variable: name, problem: problem, remedy: remedy)
    }

    func integer(_ range: ClosedRange<Int>) throws(TracingConfigurationError) -> Int {
        guard let number = Int(value), range.contains(number) else {
            throw error("is \(quoted(value))", "set it to a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A list such as `a=1,b=x%20y`, percent-decoded (W3C Baggage without properties).
    func pairs() throws(TracingConfigurationError) -> [(key: String, value: String)] {
        var pairs: [(key: String, value: String)] = []
        for member in value.split(separator: ",") {
            guard let equals = member.firstIndex(of: "="),
                let key = percentDecoded(trimmed(member[..<equals])), !key.isEmpty,
                let value = percentDecoded(trimmed(member[member.index(after: equals)...]))
            else {
                // The text may be a key of the collector's: not shown.
                throw error(
                    "has a malformed member, number \(pairs.count + 1)",
                    "write it as NAME=VALUE,NAME=VALUE, with %2C for a comma and %25 for a percent sign in a value"
                )
            }
            pairs.append((key, value))
        }
        return pairs
    }
}

/// The variables of OpenTelemetry that this program understands, read one by one.
struct Variables {
    static let baseEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
    /// Headers that the exporter writes itself.
    private static let ownHeaders: Set<String> = [
        "connection", "content-encoding", "content-length", "content-type", "host", "transfer-encoding",
    ]

    private let environment: [String: String]

    init(_ environment: [String: String]) { self.environment = environment }

    /// Nil if it is unset or blank.
    subscript(name: String) -> Variable? {
        guard let value = environment[name].map({ trimmed($0[...]) }), !value.isEmpty else { return nil }
        return Variable(name: name, value: value)
    }

    var endpoint: Variable? { exporterSetting("ENDPOINT") }

    /// That of the exporter of traces, else that of all OTLP exporters.
    func exporterSetting(_ name: String) -> Variable? {
        self["OTEL_EXPORTER_OTLP_TRACES_\(name)"] ?? self["OTEL_EXPORTER_OTLP_\(name)"]
    }

    func isExporterWanted() throws(TracingConfigurationError) -> Bool {
        guard let variable = self["OTEL_TRACES_EXPORTER"] else { return true }
        switch variable.value {
        case "otlp": return true
        case "none": return false
        default: throw variable.error("is \(quoted(variable.value))", "set it to otlp, or to none for no tracing")
        }
    }

    func encoding() throws(TracingConfigurationError) -> OTLPEncoding {
        guard let variable = exporterSetting("PROTOCOL") else { return .protobuf }
        if let encoding = OTLPEncoding(rawValue: variable.value) { return encoding }
        throw variable.error(
            variable.value == "grpc"
                ? "is 'grpc', but spans are sent over HTTP only" : "is \(quoted(variable.value))",
            "set it to http/protobuf or http/json; collectors listen for both on port 4318"
        )
    }

    func isCompressed() throws(TracingConfigurationError) -> Bool {
        guard let variable = exporterSetting("COMPRESSION"), variable.value != "none" else { return false }
        if variable.value == "gzip" { return true }
        throw variable.error("is \(quoted(variable.value))", "set it to gzip or none")
    }

    func headers() throws(TracingConfigurationError) -> [TracingConfiguration.Header] {
        guard let variable = exporterSetting("HEADERS") else { return [] }
        var headers: [TracingConfiguration.Header] = []
        for (index, pair) in try variable.pairs().enumerated() {
            guard pair.key.utf8.allSatisfy(isTokenByte) else {
                throw variable.error("has a name that is none of a header, number \(index + 1)", "correct the name")
            }
            guard pair.value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
                throw variable.error(
                    "has a control character in the value of '\(pair.key)'",
                    "remove it: a header is one line"
                )
            }
            guard !Self.ownHeaders.contains(pair.key.lowercased()) else {
                throw variable.error("sets the header '\(pair.key)', which is not yours to set", "remove it")
            }
            headers.append(.init(name: pair.key, value: pair.value))
        }
        return headers
    }

    func batches() throws(TracingConfigurationError) -> BatchSettings {
        var settings = BatchSettings()
        if let delay = self["OTEL_BSP_SCHEDULE_DELAY"] {
            settings.delay = .milliseconds(Int64(try delay.integer(1...3_600_000)))
        }
        let queue = self["OTEL_BSP_MAX_QUEUE_SIZE"]
        if let queue { settings.queue = try queue.integer(1...65536) }
        if let batch = self["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"] {
            settings.batch = try batch.integer(1...settings.queue)
        } else {
            settings.batch = min(settings.batch, settings.queue)
        }
        return settings
    }

    func sampler() throws(TracingConfigurationError) -> Sampler {
        guard let variable = self["OTEL_TRACES_SAMPLER"] else { return Sampler(ratio: 1, followsParent: true) }
        let prefix = "parentbased_"
        let followsParent = variable.value.hasPrefix(prefix)
        switch followsParent ? variable.value.dropFirst(prefix.count) : variable.value[...] {
        case "always_on": return Sampler(ratio: 1, followsParent: followsParent)
        case "always_off": return Sampler(ratio: 0, followsParent: followsParent)
        case "traceidratio": return Sampler(ratio: try samplerRatio(), followsParent: followsParent)
        default:
            throw variable.error(
                "is \(quoted(variable.value))",
                "set it to always_on, always_off or traceidratio, or one of them behind parentbased_"
            )
        }
    }

    private func samplerRatio() throws(TracingConfigurationError) -> Double {
        guard let variable = self["OTEL_TRACES_SAMPLER_ARG"] else { return 1 }
        guard let ratio = Double(variable.value), 0...1 ~= ratio else {
            throw variable.error("is \(quoted(variable.value))", "set it to a number from 0 to 1, such as 0.1")
        }
        return ratio
    }

    func resource() throws(TracingConfigurationError) -> [Attribute] {
        var attributes = try self["OTEL_RESOURCE_ATTRIBUTES"]?.pairs() ?? []
        if let name = self["OTEL_SERVICE_NAME"] {
            attributes.removeAll { $0.key == "service.name" }
            attributes.append(("service.name", name.value))
        }
        return attributes.map { Attribute($0.key, $0.value) }
    }
}

private func isTokenByte(_ byte: UInt8) -> Bool {
    // RFC 9110, 5.6.2.
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}

/// Without blanks at either end.
private func trimmed(_ text: Substring) -> String {
    func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }
    var rest = text.drop(while: isBlank)
    while let last = rest.last, isBlank(last) { rest.removeLast() }
    return String(rest)
}

/// Nil if a percent sign stands without two hexadecimal digits, or the result is not UTF-8.
private func percentDecoded(_ text: String) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        guard let high = rest.popFirst().flatMap(hexValue), let low = rest.popFirst().flatMap(hexValue) else {
            return nil
        }
        bytes.append(high << 4 | low)
    }
    return String(validating: bytes, as: UTF8.self)
}

private func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}

/// A value between single quotes, shortened and without control characters, so that it fits one line.
func quoted(_ text: String) -> String {
    let limit = 80
    var shown = ""
    for scalar in text.unicodeScalars.prefix(limit) {
        shown.unicodeScalars.append(scalar.properties.generalCategory == .control ? "?" : scalar)
    }
    return text.unicodeScalars.count > limit ? "'\(shown)...'" : "'\(shown)'"
}
