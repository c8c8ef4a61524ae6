// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// Resources: `test://static/1` to `/5`, `test://blob/1`, `test://item/{id}`, and what `list_change` adds.
extension Server {
    static let resourceTemplates: JSON = [
        "resourceTemplates": [
            ["uriTemplate": "test://item/{id}", "name": "item", "description": "Any item.", "mimeType": "text/plain"]
        ]
    ]

    func listResources(_ call: Call) throws -> JSON {
        let additions = state.withLock { $0.additions["resource"] ?? 0 }
        var resources: [JSON] = []
        for number in 1...5 {
            resources.append([
                "uri": .string("test://static/\(number)"), "name": .string("static \(number)"),
                "mimeType": "text/plain",
            ])
        }
        resources.append(["uri": "test://blob/1", "name": "blob", "mimeType": "application/octet-stream"])
        for number in 0..<additions {
            resources.append(["uri": .string("test://extra/\(number + 1)"), "name": .string("extra \(number + 1)")])
        }
        return try page(resources, named: "resources", of: options.pageSize, call)
    }

    func readResource(_ call: Call) throws -> JSON {
        let uri = try self.uri(call)
        if uri == "test://blob/1" {
            return ["contents": [["uri": "test://blob/1", "mimeType": "application/octet-stream", "blob": "AAECAwQ="]]]
        }
        guard ["test://static/", "test://item/", "test://extra/"].contains(where: uri.hasPrefix) else {
            throw Fault(code: -32002, message: "Resource not found", data: ["uri": .string(uri)])
        }
        return ["contents": [["uri": .string(uri), "mimeType": "text/plain", "text": .string("content of \(uri)")]]]
    }

    func subscribe(_ call: Call, _ wanted: Bool) throws -> JSON {
        let uri = try self.uri(call)
        state.withLock { state in
            if wanted { state.subscriptions.insert(uri) } else { state.subscriptions.remove(uri) }
        }
        return [:]
    }

    private func uri(_ call: Call) throws -> String {
        guard let uri = call.params["uri"]?.string else { throw Fault.invalidParams("uri is missing") }
        return uri
    }
}
