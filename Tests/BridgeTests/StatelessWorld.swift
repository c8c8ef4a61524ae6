// SPDX-License-Identifier: Apache-2.0

import MCP
import NIOCore

@testable import Bridge

/// What a client of the stateless revision sends.
struct StatelessRequest {
    var id = "1"
    var method = "tools/call"
    /// Members of `params` beside `_meta`, as JSON text.
    var params = #""name":"t","arguments":{}"#
    var capabilities = #"{"elicitation":{"form":{},"url":{}},"sampling":{}}"#
    /// Further members of `_meta`.
    var meta = ""
    var version = "2026-07-28"

    var body: String {
        let own = #""\#(MetaKey.protocolVersion)":"\#(version)","\#(MetaKey.clientCapabilities)":\#(capabilities)"#
        let client = #""\#(MetaKey.clientInfo)":{"name":"c","version":"1"}"#
        let extra = meta.isEmpty ? "" : "," + meta
        let rest = params.isEmpty ? "" : params + ","
        return
            #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":{\#(rest)"_meta":{\#(own),\#(client)\#(extra)}}}"#
    }

    /// The headers that repeat it.
    var routing: RoutingHeaders {
        var headers = RoutingHeaders()
        headers.method = method
        if method == "tools/call" || method == "prompts/get" { headers.name = "t" }
        if method == "resources/read" { headers.name = "file:///a" }
        return headers
    }
}

extension World {
    /// Sends a request of the stateless revision with all its headers.
    @discardableResult
    func post(_ request: StatelessRequest, credentials: String? = nil) -> ExchangeID {
        post(request.body, version: request.version, routing: request.routing, credentials: credentials)
    }
}

extension World {
    /// The status a request is answered with at once; nil when it is not.
    func status(_ request: StatelessRequest, credentials: String? = nil) -> Int? {
        let exchange = post(request, credentials: credentials)
        return replies[exchange]?.status
    }
}

extension Text {
    /// The text between two texts, the first that fits.
    func between(_ start: String, _ end: String) -> String? {
        guard let from = text.firstRange(of: start) else { return nil }
        let rest = text[from.upperBound...]
        return rest.firstRange(of: end).map { String(rest[..<$0.lowerBound]) }
    }
}
