// SPDX-License-Identifier: Apache-2.0

import Bridge
import Gateway
import JSONRPC
import MCP
import NIOCore
import Upstream

// What each room gets to know of the configuration.
extension Configuration {
    var bridge: BridgeConfiguration {
        var bridge = BridgeConfiguration()
        bridge.isolation = isolation
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
        return bridge
    }

    var gateway: GatewayConfiguration {
        var gateway = GatewayConfiguration()
        gateway.listen = listen
        gateway.adminListen = adminListen
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
