// SPDX-License-Identifier: Apache-2.0

/// A method of the protocol, or the fact that it is none of them.
///
/// The closed set is what routing and telemetry may know; the name of any other method travels as bytes.
package enum Method: String, CaseIterable, Sendable {
    // Requests of clients.
    case initialize
    case ping
    case toolsList = "tools/list"
    case toolsCall = "tools/call"
    case promptsList = "prompts/list"
    case promptsGet = "prompts/get"
    case resourcesList = "resources/list"
    case resourcesTemplatesList = "resources/templates/list"
    case resourcesRead = "resources/read"
    case resourcesSubscribe = "resources/subscribe"
    case resourcesUnsubscribe = "resources/unsubscribe"
    case completionComplete = "completion/complete"
    case loggingSetLevel = "logging/setLevel"
    case tasksGet = "tasks/get"
    case tasksResult = "tasks/result"
    case tasksList = "tasks/list"
    case tasksCancel = "tasks/cancel"
    case serverDiscover = "server/discover"
    case subscriptionsListen = "subscriptions/listen"
    // Requests of servers.
    case samplingCreateMessage = "sampling/createMessage"
    case elicitationCreate = "elicitation/create"
    case rootsList = "roots/list"
    // Notifications.
    case initialized = "notifications/initialized"
    case cancelled = "notifications/cancelled"
    case progress = "notifications/progress"
    case message = "notifications/message"
    case rootsListChanged = "notifications/roots/list_changed"
    case toolsListChanged = "notifications/tools/list_changed"
    case promptsListChanged = "notifications/prompts/list_changed"
    case resourcesListChanged = "notifications/resources/list_changed"
    case resourcesUpdated = "notifications/resources/updated"
    case elicitationComplete = "notifications/elicitation/complete"
    case tasksStatus = "notifications/tasks/status"
    case subscriptionsAcknowledged = "notifications/subscriptions/acknowledged"
    /// None of the above.
    case other = "_OTHER"

    /// The method of that name, `.other` when the protocol has none.
    package init(name: String) { self = Method(rawValue: name) ?? .other }
}
