// SPDX-License-Identifier: Apache-2.0

import Bridge
import Gateway
import JSONRPC
import MCP
import NIOCore
import Telemetry
import Upstream

// What each room gets to know of the configuration.
extension Configuration {
    func bridge(tracing: RequestTracing?) -> BridgeConfiguration {
        var bridge = BridgeConfiguration()
        bridge.isolation = isolation
        bridge.upstreamProtocol = upstreamProtocol
        bridge.stateless = isStateless
        bridge.version = Product.version
        if let clientCapabilities {
            let json = ByteBuffer(string: clientCapabilities)
            bridge.sharedCapabilities = clientCapabilities
            bridge.sharedCapabilitySet = ClientCapabilities(at: ByteRange(0, json.readableBytes), in: json)
        }
        if let sseEndpoint { bridge.messageEndpoint = sseEndpoint + "/messages" }
        bridge.maxSessions = maxSessions
        bridge.maxInFlight = maxInFlight
        bridge.maxQueue = queue
        bridge.maxBuffered = maxBuffered
        bridge.requestTimeout = requestTimeout
        bridge.maxRequestTime = maxRequestTime
        bridge.connectionTimeout = connectionTimeout
        bridge.sessionIdleTimeout = sessionIdleTimeout ?? .zero
        bridge.clientRequestTimeout = clientRequestTimeout
        bridge.streamAfter = streamAfter
        bridge.eventStore = eventStore != nil
        if let eventStore {
            bridge.maxStoredEvents = eventStore.maxEvents
            bridge.maxStoredBytes = eventStore.maxBytes
        }
        bridge.payloadBytes = logPayloads
        if let tracing { bridge.startTrace = tracing.start }
        return bridge
    }

    func gateway(sockets: InheritedSockets) -> GatewayConfiguration {
        var gateway = GatewayConfiguration()
        gateway.listen = listen
        gateway.adminListen = adminListen
        gateway.inheritedMain = sockets.main
        gateway.inheritedAdmin = sockets.admin
        switch (streamEndpoint, sseEndpoint) {
        case (let stream?, let sse?):
            gateway.transports = .both
            gateway.streamEndpoint = stream
            gateway.sseEndpoint = sse
        case (let stream?, nil):
            gateway.transports = .stream
            gateway.streamEndpoint = stream
        case (nil, let sse):
            gateway.transports = .sse
            gateway.sseEndpoint = sse ?? gateway.sseEndpoint
        }
        gateway.maxBodySize = maxBodySize ?? Int(Int32.max)
        gateway.maxBuffered = maxBuffered
        // A connection without an idle limit still ends with its client: TCP keep-alive sees to dead ones.
        gateway.keepAliveTimeout = keepAliveTimeout ?? .hours(24 * 365)
        gateway.readTimeout = readTimeout
        gateway.keepAliveInterval = keepAliveInterval
        gateway.maxConnections = maxConnections
        gateway.allowedOrigins = allowedOrigins
        gateway.allowedHosts = allowedHosts
        gateway.strictHost = isHostStrict
        gateway.healthEndpoints = healthEndpoints
        return gateway
    }

    var limits: ConfiguredLimits {
        var limits = ConfiguredLimits()
        limits.maxInFlight = maxInFlight
        limits.queue = queue
        limits.maxSessions = maxSessions
        limits.maxConnections = maxConnections
        limits.maxBuffered = maxBuffered
        limits.requestTimeout = requestTimeout
        limits.maxRequestTime = maxRequestTime
        limits.clientRequestTimeout = clientRequestTimeout
        limits.connectionTimeout = connectionTimeout
        limits.sessionIdleTimeout = sessionIdleTimeout ?? .zero
        return limits
    }

    func facts(unit: String) -> InstanceFacts { InstanceFacts(version: Product.version, name: name, unit: unit) }

    var journalRates: JournalRates {
        JournalRates(requestsPerSecond: journalRate, requestBurst: journalBurst)
    }

    var child: Command {
        Command(
            program: command.executable,
            arguments: command.arguments,
            environment: command.environment,
            workingDirectory: command.workingDirectory
        )
    }

    var childOptions: ChildOptions {
        var options = ChildOptions()
        options.maxLine = maxLine
        return options
    }
}
