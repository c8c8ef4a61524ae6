// SPDX-License-Identifier: Apache-2.0

import Bridge
import Gateway
import NIOCore
import Prometheus
import Telemetry

/// The effective configuration of a proxy: checked, complete, and all that the running proxy gets to see.
struct Configuration: Sendable, Equatable {
    /// The name of this instance in logs and metrics.
    var name: String
    var command: ChildCommand

    /// Where MCP is served. Port 0 takes any free one.
    var listen: ListenAddress
    /// The path of Streamable HTTP; nil if it is not served.
    var streamEndpoint: String?
    /// The path of HTTP+SSE; nil if it is not served.
    var sseEndpoint: String?
    /// Paths that answer like `/healthz`, besides it.
    var healthEndpoints: [String]
    /// Where metrics and health are served instead of on the main port; nil for the main port.
    var adminListen: ListenAddress?

    var isolation: Isolation
    /// Which kind of revision a shared child is spoken to in.
    var upstreamProtocol: UpstreamProtocol
    /// A JSON object: what the proxy declares to a shared child; nil for its own choice.
    var clientCapabilities: String?
    var isStateless: Bool
    /// What is kept for the resumption of streams, per session; nil if nothing is.
    var eventStore: EventStore?

    var maxSessions: Int
    var maxConnections: Int
    var maxInFlight: Int
    /// Requests that may wait while `maxInFlight` are with the child; 0 refuses at once.
    var queue: Int
    /// Bytes of a request's body; nil for no limit.
    var maxBodySize: Int?
    /// Bytes of one message of the child.
    var maxLine: Int
    /// Bytes that requests coming in, and what is kept for clients, may each take in all.
    var maxBuffered: Int

    /// For the child's first handshake.
    var connectionTimeout: TimeAmount
    /// For the child's answer to a request, counted from its last progress.
    var requestTimeout: TimeAmount
    /// For a request altogether; never below `requestTimeout`.
    var maxRequestTime: TimeAmount
    /// For a client's answer to a request of the child.
    var clientRequestTimeout: TimeAmount
    /// Until an idle session ends; nil for never.
    var sessionIdleTimeout: TimeAmount?
    /// Until a response still without its answer becomes an event stream; 0 for at once.
    var streamAfter: TimeAmount
    /// Between comments on an idle event stream; nil for none.
    var keepAliveInterval: TimeAmount?
    /// Until an idle connection is closed; nil for never.
    var keepAliveTimeout: TimeAmount?
    /// For head and body of a request to arrive.
    var readTimeout: TimeAmount
    /// For requests in flight to finish when the proxy stops; 0 for not at all.
    var gracefulShutdownTimeout: TimeAmount

    /// Values of `Origin` that may call, besides loopback; `*` for all.
    var allowedOrigins: [String]
    /// Values of `Host` that are known besides loopback; one without a port stands for every port.
    var allowedHosts: [String]
    /// Whether an unknown `Host` is refused even without a foreign `Origin`.
    var isHostStrict: Bool

    var log: LogTarget
    /// Requests that the journal is told of, per second and at once.
    var journalRate: Int
    var journalBurst: Int
    /// Bytes of each message that are logged; 0 for none.
    var logPayloads: Int
    var histograms: HistogramMode
    /// False only to measure what telemetry costs.
    var hasTelemetry: Bool
    var isDebugging: Bool

    struct EventStore: Sendable, Equatable {
        var maxEvents: Int
        var maxBytes: Int
    }
}

/// Where the log goes (`--log`).
enum LogTarget: String, Sendable {
    /// The journal when stderr is connected to it, else text on stderr.
    case auto
    case journal
    case text
    case json
}

extension Configuration {
    init(name: String, command: ChildCommand, settings: Settings) throws(ConfigurationError) {
        let reader = SettingReader(settings: settings)
        let server = try reader.text(.server)
        self.name = name
        self.command = command
        listen = .tcp(host: try reader.text(.host), port: try reader.integer(.port))
        streamEndpoint = server == "sse" ? nil : try reader.text(.streamEndpoint)
        sseEndpoint = server == "stream" ? nil : try reader.text(.sseEndpoint)
        healthEndpoints = reader.texts(.healthEndpoint)
        adminListen = reader.address(.adminListen)
        isolation = try reader.choice(.isolation)
        upstreamProtocol = try reader.choice(.upstreamProtocol)
        clientCapabilities = reader.texts(.clientCapabilities).last
        isStateless = try reader.boolean(.stateless)
        eventStore =
            try reader.boolean(.eventStore)
            ? EventStore(
                maxEvents: try reader.integer(.eventStoreMaxEvents),
                maxBytes: try reader.integer(.eventStoreMaxBytes)
            ) : nil
        maxSessions = try reader.integer(.maxSessions)
        maxConnections = try reader.integer(.maxConnections)
        maxInFlight = try reader.integer(.maxInFlight)
        queue = try reader.integer(.queue)
        let bodySize = try reader.integer(.maxBodySize)
        maxBodySize = bodySize == 0 ? nil : bodySize
        maxLine = try reader.integer(.maxLine)
        maxBuffered = try reader.integer(.maxBuffered)
        connectionTimeout = try reader.time(.connectionTimeout)
        requestTimeout = try reader.time(.requestTimeout)
        maxRequestTime = try reader.time(.maxRequestTime)
        clientRequestTimeout = try reader.time(.clientRequestTimeout)
        sessionIdleTimeout = try reader.timeUnlessZero(.sessionIdleTimeout)
        streamAfter = try reader.time(.streamAfter)
        keepAliveInterval = try reader.timeUnlessZero(.keepAliveInterval)
        keepAliveTimeout = try reader.timeUnlessZero(.keepAliveTimeout)
        readTimeout = try reader.time(.readTimeout)
        gracefulShutdownTimeout = try reader.time(.gracefulShutdownTimeout)
        allowedOrigins = reader.texts(.allowOrigin)
        allowedHosts = reader.texts(.allowHost)
        isHostStrict = try reader.boolean(.strictHost)
        log = try reader.choice(.log)
        journalRate = try reader.integer(.journalRate)
        journalBurst = try reader.integer(.journalBurst)
        logPayloads = try reader.integer(.logPayloads)
        histograms = try reader.choice(.histograms)
        hasTelemetry = try reader.boolean(.telemetry)
        isDebugging = try reader.boolean(.debug)
    }
}

/// Typed access to settings. What it throws cannot happen as long as the table's kinds match the uses above,
/// which a test makes sure of.
struct SettingReader {
    let settings: Settings

    func boolean(_ key: Option.Key) throws(ConfigurationError) -> Bool {
        if case .boolean(let flag)? = settings[key].values.last { return flag }
        throw mismatch(key)
    }

    func integer(_ key: Option.Key) throws(ConfigurationError) -> Int {
        switch settings[key].values.last {
        case .integer(let number)?, .bytes(let number)?: return number
        default: throw mismatch(key)
        }
    }

    func time(_ key: Option.Key) throws(ConfigurationError) -> TimeAmount {
        if case .milliseconds(let milliseconds)? = settings[key].values.last {
            return .milliseconds(Int64(milliseconds))
        }
        throw mismatch(key)
    }

    func timeUnlessZero(_ key: Option.Key) throws(ConfigurationError) -> TimeAmount? {
        let time = try time(key)
        return time == .zero ? nil : time
    }

    func text(_ key: Option.Key) throws(ConfigurationError) -> String {
        guard let text = texts(key).last else { throw mismatch(key) }
        return text
    }

    func texts(_ key: Option.Key) -> [String] {
        settings[key].values.compactMap { value in
            if case .text(let text) = value { text } else { nil }
        }
    }

    func choice<Choice: RawRepresentable<String>>(_ key: Option.Key) throws(ConfigurationError) -> Choice {
        guard let choice = Choice(rawValue: try text(key)) else { throw mismatch(key) }
        return choice
    }

    func address(_ key: Option.Key) -> ListenAddress? {
        if case .address(let address)? = settings[key].values.last { address } else { nil }
    }

    private func mismatch(_ key: Option.Key) -> ConfigurationError {
        ConfigurationError(.internalError, "the option \(key.rawValue) has no usable value", "report this as a bug")
    }
}
