// SPDX-License-Identifier: Apache-2.0

/// A member of a message that the scanner looks for, at one exact path.
///
/// Each may stand in a message once; all others are passed over. Source: the protocol's schema, revisions 2024-11-05
/// to 2026-07-28, with the reserved keys of `_meta` that the proxy has to read.
package enum Member: UInt8, CaseIterable, Sendable {
    // The message itself.
    case jsonrpc, id, method, params, result, error
    // In `params`.
    case name, uri, level, requestID, progressToken, taskID, task, protocolVersion, capabilities, clientInfo
    case elicitationID, mode, requestState
    // In `params._meta`.
    case meta, metaProgressToken, metaProtocolVersion, metaRelatedTask, metaRelatedTaskID
    case metaSubscriptionID, metaClientCapabilities, metaLogLevel
    // In `result`.
    case resultProtocolVersion, resultCapabilities, resultServerInfo, resultInstructions, resultIsError
    case resultTask, resultTaskID, resultType, resultTTL, resultCacheScope, resultRequestState, resultInputRequests
    // In `result._meta`.
    case resultMeta, resultMetaServerInfo
    // In `error`.
    case errorCode, errorMessage

    /// The names that lead to it from the message, joined with dots.
    package var path: String {
        switch self {
        case .jsonrpc: "jsonrpc"
        case .id: "id"
        case .method: "method"
        case .params: "params"
        case .result: "result"
        case .error: "error"
        case .name: "params.name"
        case .uri: "params.uri"
        case .level: "params.level"
        case .requestID: "params.requestId"
        case .progressToken: "params.progressToken"
        case .taskID: "params.taskId"
        case .task: "params.task"
        case .protocolVersion: "params.protocolVersion"
        case .capabilities: "params.capabilities"
        case .clientInfo: "params.clientInfo"
        case .elicitationID: "params.elicitationId"
        case .mode: "params.mode"
        case .requestState: "params.requestState"
        case .meta: "params._meta"
        case .metaProgressToken: "params._meta.progressToken"
        case .metaProtocolVersion: "params._meta.io.modelcontextprotocol/protocolVersion"
        case .metaRelatedTask: "params._meta.io.modelcontextprotocol/related-task"
        case .metaRelatedTaskID: "params._meta.io.modelcontextprotocol/related-task.taskId"
        case .metaClientCapabilities: "params._meta.io.modelcontextprotocol/clientCapabilities"
        case .metaLogLevel: "params._meta.io.modelcontextprotocol/logLevel"
        case .metaSubscriptionID: "params._meta.io.modelcontextprotocol/subscriptionId"
        case .resultProtocolVersion: "result.protocolVersion"
        case .resultCapabilities: "result.capabilities"
        case .resultServerInfo: "result.serverInfo"
        case .resultInstructions: "result.instructions"
        case .resultIsError: "result.isError"
        case .resultTask: "result.task"
        case .resultTaskID: "result.task.taskId"
        case .resultType: "result.resultType"
        case .resultTTL: "result.ttlMs"
        case .resultCacheScope: "result.cacheScope"
        case .resultRequestState: "result.requestState"
        case .resultInputRequests: "result.inputRequests"
        case .resultMeta: "result._meta"
        case .resultMetaServerInfo: "result._meta.io.modelcontextprotocol/serverInfo"
        case .errorCode: "error.code"
        case .errorMessage: "error.message"
        }
    }
}

/// An object of a message in which members are looked for.
enum Scope {
    case message, params, meta, relatedTask, result, resultTask, resultMeta, error

    /// The scope that the value of a member opens when it is an object, if any.
    @inline(__always)
    init?(of member: Member) {
        switch member {
        case .params: self = .params
        case .meta: self = .meta
        case .metaRelatedTask: self = .relatedTask
        case .result: self = .result
        case .resultTask: self = .resultTask
        case .resultMeta: self = .resultMeta
        case .error: self = .error
        default: return nil
        }
    }

    /// The member of that name, which has no escapes, in this scope.
    @inline(__always)
    func member(named name: Span<UInt8>) -> Member? {
        @inline(__always)
        func pick(_ text: StaticString, _ member: Member) -> Member? { equal(name, text) ? member : nil }
        switch (self, name.count) {
        case (.message, 2): return pick("id", .id)
        case (.message, 5): return pick("error", .error)
        case (.message, 6): return pick("method", .method) ?? pick("params", .params) ?? pick("result", .result)
        case (.message, 7): return pick("jsonrpc", .jsonrpc)
        case (.params, 3): return pick("uri", .uri)
        case (.params, 4): return pick("name", .name) ?? pick("task", .task) ?? pick("mode", .mode)
        case (.params, 5): return pick("_meta", .meta) ?? pick("level", .level)
        case (.params, 6): return pick("taskId", .taskID)
        case (.params, 9): return pick("requestId", .requestID)
        case (.params, 10): return pick("clientInfo", .clientInfo)
        case (.params, 12): return pick("capabilities", .capabilities) ?? pick("requestState", .requestState)
        case (.params, 13): return pick("progressToken", .progressToken) ?? pick("elicitationId", .elicitationID)
        case (.params, 15): return pick("protocolVersion", .protocolVersion)
        case (.meta, 13): return pick("progressToken", .metaProgressToken)
        case (.meta, 32): return pick("io.modelcontextprotocol/logLevel", .metaLogLevel)
        case (.meta, 36): return pick("io.modelcontextprotocol/related-task", .metaRelatedTask)
        case (.meta, 38): return pick("io.modelcontextprotocol/subscriptionId", .metaSubscriptionID)
        case (.meta, 39): return pick("io.modelcontextprotocol/protocolVersion", .metaProtocolVersion)
        case (.meta, 42): return pick("io.modelcontextprotocol/clientCapabilities", .metaClientCapabilities)
        case (.relatedTask, 6): return pick("taskId", .metaRelatedTaskID)
        case (.result, 4): return pick("task", .resultTask)
        case (.result, 5): return pick("ttlMs", .resultTTL) ?? pick("_meta", .resultMeta)
        case (.result, 7): return pick("isError", .resultIsError)
        case (.result, 10):
            return pick("serverInfo", .resultServerInfo) ?? pick("resultType", .resultType)
                ?? pick("cacheScope", .resultCacheScope)
        case (.result, 12):
            return pick("capabilities", .resultCapabilities) ?? pick("instructions", .resultInstructions)
                ?? pick("requestState", .resultRequestState)
        case (.result, 13): return pick("inputRequests", .resultInputRequests)
        case (.result, 15): return pick("protocolVersion", .resultProtocolVersion)
        case (.resultTask, 6): return pick("taskId", .resultTaskID)
        case (.resultMeta, 34): return pick("io.modelcontextprotocol/serverInfo", .resultMetaServerInfo)
        case (.error, 4): return pick("code", .errorCode)
        case (.error, 7): return pick("message", .errorMessage)
        default: return nil
        }
    }
}
