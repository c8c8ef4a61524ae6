// SPDX-License-Identifier: Apache-2.0

import Events
import Foundation
import Journal
import MCP
import Prometheus
import Testing
import Tracing

@testable import Telemetry

/// The catalogues and the code say the same.
@Suite struct CatalogueTests {
    private static func values(_ metric: MetricDescription, _ label: String) -> [String]? {
        metric.labels.first { $0.name == label }?.values
    }

    @Test func closedSetsAreThoseOfTheCode() {
        let sets: [([String]?, [String])] = [
            (Self.values(.requests, "outcome"), Outcome.allCases.map(\.rawValue)),
            (Self.values(.requestsRejected, "reason"), RejectReason.allCases.map(\.rawValue)),
            (Self.values(.upstreamExits, "reason"), ExitReason.allCases.map(\.rawValue)),
            (Self.values(.sessionsClosed, "reason"), SessionCloseReason.allCases.map(\.rawValue)),
            (Self.values(.protocolErrors, "kind"), ProtocolViolation.allCases.map(\.rawValue)),
            (Self.values(.protocolErrors, "direction"), Peer.allCases.map(\.rawValue)),
            (Self.values(.sessionsOpened, "transport"), Transport.allCases.map(\.rawValue)),
            (Self.values(.sessionsOpened, "mcp_protocol_version"), Revision.allCases.map(\.rawValue)),
            (Self.values(.streams, "kind"), StreamKind.allCases.map(\.rawValue)),
            (Self.values(.streamsClosed, "reason"), StreamEnd.allCases.map(\.rawValue)),
            (Self.values(.cancellations, "initiator"), CancelInitiator.allCases.map(\.rawValue)),
            (Self.values(.serverRequests, "outcome"), ServerRequestOutcome.allCases.map(\.rawValue)),
            (Self.values(.connectionsClosed, "reason"), ConnectionEnd.allCases.map(\.rawValue)),
            (Self.values(.httpDuration, "http_request_method"), HTTPMethodName.allCases.map(\.rawValue)),
            (Self.values(.httpDuration, "http_route"), HTTPRoute.allCases.map(\.rawValue)),
            (Self.values(.upstreamLogMessages, "level"), LogLevel.allCases.map(\.rawValue) + ["_OTHER"]),
            (Self.values(.serverOperationDuration, "error_type"), ErrorType.allCases.map(\.rawValue)),
            (Self.values(.spansDropped, "reason"), SpanLoss.allCases.map(\.rawValue)),
            (Self.values(.exportFailures, "reason"), ExportFailure.allCases.map(\.rawValue)),
            (Self.values(.journalDropped, "reason"), JournalWriter.LossReason.allCases.map(\.rawValue)),
            (Self.values(.upstreamState, "mcp_proxy_upstream_state"), ReadinessState.allCases.map(\.rawValue)),
            (Self.values(.events, "event"), EventKind.allCases.map(\.rawValue)),
            (Self.values(.journalEvents, "priority"), Severity.allCases.map { String($0.rawValue) }),
        ]
        for (declared, known) in sets { #expect(declared.map(Set.init) == Set(known)) }
        let methods = Set(Self.values(.requests, "mcp_method_name") ?? [])
        #expect(methods.allSatisfy { Method(rawValue: $0) != nil })
        #expect(methods.contains("_OTHER"))
    }

    @Test func everyEventHasTheFieldsItDeclares() {
        for event in samples {
            let record = EventRecord(event)
            let declared = record.kind.declaredFields
            let names = record.fields.map(\.name)
            for field in record.fields {
                let row = declared.first { $0.name == field.name }
                #expect(row != nil, "\(record.kind.rawValue) does not declare \(field.name)")
                switch (field.value, row?.type) {
                case (.text, .text), (.integer, .integer), (.boolean, .boolean), (_, nil): break
                default: Issue.record("\(record.kind.rawValue): \(field.name) is of another type than declared")
                }
            }
            for row in declared where !row.isOptional {
                #expect(names.contains(row.name), "\(record.kind.rawValue) lacks \(row.name)")
            }
        }
    }

    @Test func everyEventHasOneOfThePrioritiesItDeclares() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../..")
        let file = root.appending(path: "Sources/Telemetry/Catalogue/events.json")
        let json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        let rows = try #require(json["events"] as? [[String: Any]])
        let priorities = Dictionary(
            uniqueKeysWithValues: rows.map { ($0["name"] as? String ?? "", $0["priorities"] as? [Int] ?? []) }
        )
        for event in samples {
            #expect(priorities[event.kind.rawValue]?.contains(event.severity.rawValue) == true, "\(event.kind)")
        }
    }

    @Test func messageIDsAreDistinct() {
        let ids = EventKind.allCases.map(\.messageID)
        #expect(Set(ids).count == ids.count)
        #expect(ids.allSatisfy { $0.count == 32 && $0.allSatisfy { "0123456789abcdef".contains($0) } })
    }
}
