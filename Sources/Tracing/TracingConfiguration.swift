// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Why the environment's wishes for tracing cannot be met: what is wrong and how to mend it, both fit for one line.
package struct TracingConfigurationError: Error, Equatable, CustomStringConvertible {
    /// The variable's name.
    package let variable: String
    /// What is wrong. Never holds a value that may be a secret, or a line break.
    package let problem: String
    /// How to mend it, in the imperative.
    package let remedy: String

    package var description: String { "\(variable) \(problem); \(remedy)" }
}

/// Where spans go, and which: the variables OpenTelemetry has for it.
///
/// Source: OpenTelemetry specification 1.x, "Environment Variable Specification" and "OTLP Exporter". A variable that is
/// empty counts as unset.
package struct TracingConfiguration: Sendable, Equatable {
    package var endpoint: Endpoint
    package var encoding: OTLPEncoding
    /// Whether bodies are compressed with gzip.
    package var isCompressed: Bool
    /// Sent with every request. The values are secrets.
    package var headers: [Header]
    /// For one attempt to send a batch.
    package var timeout: TimeAmount
    package var batches: BatchSettings
    package var sampler: Sampler
    /// `service.name`, if the environment has one, and whatever else it wants to be known of the process.
    package var resource: [Attribute]

    /// An additional header of a request, for keys and the like.
    package struct Header: Sendable, Equatable {
        package let name: String
        package let value: String
    }

    /// - Parameter environment: of the process.
    /// - Returns: nil if tracing is off, which it is unless an endpoint is set.
    package init?(environment: [String: String]) throws(TracingConfigurationError) {
        let variables = Variables(environment)
        guard let endpointVariable = variables.endpoint,
            variables["OTEL_SDK_DISABLED"]?.value.lowercased() != "true",
            try variables.isExporterWanted()
        else { return nil }
        endpoint = try Endpoint(endpointVariable, isBase: endpointVariable.name == Variables.baseEndpoint)
        encoding = try variables.encoding()
        isCompressed = try variables.isCompressed()
        headers = try variables.headers()
        timeout = .milliseconds(Int64(try variables.exporterSetting("TIMEOUT")?.integer(1...600_000) ?? 10_000))
        batches = try variables.batches()
        sampler = try variables.sampler()
        resource = try variables.resource()
    }

    /// What is known of the process: what the environment says goes before what the program knows.
    ///
    /// - Parameter known: the program's attributes, `service.name` excepted.
    package func source(program: String, version: String, known: [Attribute]) -> SpanSource {
        var attributes = [Attribute("service.name", program), Attribute("service.version", version)]
        for attribute in known + resource {
            attributes.removeAll { $0.key == attribute.key }
            attributes.append(attribute)
        }
        return SpanSource(resource: attributes, program: program, version: version)
    }
}

extension TracingConfiguration: CustomStringConvertible {
    /// For people, without secrets.
    package var description: String {
        "\(encoding.rawValue) to \(endpoint)"
            + (headers.isEmpty ? "" : " with \(headers.map(\.name).joined(separator: ", "))")
    }
}

/// The address of a collector, as `http://host:port/path`.
package struct Endpoint: Sendable, Equatable, CustomStringConvertible {
    /// A name or an address; an IPv6 address without its brackets.
    package let host: String
    /// 1 to 65535.
    package let port: Int
    /// Starts with a slash.
    package let path: String

    package init(host: String, port: Int, path: String) {
        self.host = host
        self.port = port
        self.path = path
    }

    /// Host and port as they stand in a URL.
    package var authority: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

    package var description: String { "http://\(authority)\(path)" }

    /// - Parameter isBase: whether the path of the signal is still to be appended.
    init(_ variable: Variable, isBase: Bool) throws(TracingConfigurationError) {
        let url = variable.value
        // Whatever may hold a key is not shown.
        guard !url.contains("@") else {
            throw variable.error("holds a user name or password", "put credentials into OTEL_EXPORTER_OTLP_HEADERS")
        }
        guard !url.contains("?"), !url.contains("#") else {
            throw variable.error("has a query or fragment", "put keys into OTEL_EXPORTER_OTLP_HEADERS instead")
        }
        let scheme = url.prefix { $0 != ":" }.lowercased()
        guard scheme != "https" else {
            throw variable.error(
                "is \(quoted(url)), but spans are sent without TLS",
                "send them to a collector on this machine or network over http://, which passes them on"
            )
        }
        let malformed = variable.error("is \(quoted(url)), which is not a URL", "write it as http://HOST:4318")
        guard scheme == "http", url.dropFirst(4).hasPrefix("://") else { throw malformed }
        let rest = url.dropFirst(7)
        let authority = rest.prefix { $0 != "/" }
        guard let (host, port) = split(authority) else { throw malformed }
        let path = rest.dropFirst(authority.count)
        guard path.utf8.allSatisfy({ 0x21...0x7e ~= $0 }) else { throw malformed }
        self.host = host
        self.port = port
        if isBase {
            self.path = (path.hasSuffix("/") ? path.dropLast() : path) + "/v1/traces"
        } else {
            self.path = path.isEmpty ? "/" : String(path)
        }
    }
}

private func split(_ authority: Substring) -> (host: String, port: Int)? {
    let host: Substring
    let rest: Substring
    if authority.hasPrefix("[") {
        guard let bracket = authority.firstIndex(of: "]") else { return nil }
        host = authority[..<bracket].dropFirst()
        rest = authority[authority.index(after: bracket)...]
        let isAddress = host.utf8.allSatisfy { isHostByte($0) || $0 == UInt8(ascii: ":") }
        guard host.contains(":"), isAddress else { return nil }
    } else {
        host = authority.prefix { $0 != ":" }
        rest = authority.dropFirst(host.count)
        guard !host.isEmpty, host.utf8.allSatisfy(isHostByte) else { return nil }
    }
    if rest.isEmpty { return (String(host), 80) }
    guard rest.hasPrefix(":"), let port = Int(rest.dropFirst()), 1...65535 ~= port else { return nil }
    return (String(host), port)
}

private func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
        true
    default: false
    }
}
