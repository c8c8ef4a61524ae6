// SPDX-License-Identifier: Apache-2.0

import Events
import Foundation
import MCP
import NIOCore
import Telemetry
import Testing

@Suite struct RecordTests {
    private func line(_ format: LogFormat, _ event: Event, colour: Bool = false) -> String {
        String(decoding: format.line(EventRecord(event), at: sampleTime, colour: colour), as: UTF8.self)
    }

    @Test func everyKindHasASample() {
        // Made by sinks, out of no event.
        let made: Set<EventKind> = [.requestsSummary, .telemetryDropped]
        #expect(Set(samples.map(\.kind)) == Set(EventKind.allCases).subtracting(made))
    }

    @Test func readsAsExpectedAsText() {
        let expected = goldenText.split(separator: "\n").map { "2026-11-23T05:12:01.123Z \($0)\n" }
        #expect(samples.map { line(.text, $0) } == expected)
    }

    @Test func readsAsExpectedAsJSON() {
        let prefix = #"{"time":"2026-11-23T05:12:01.123Z","#
        let expected = goldenJSON.split(separator: "\n").map { "\(prefix)\($0)\n" }
        #expect(samples.map { line(.json, $0) } == expected)
    }

    @Test func everyLineOfJSONIsAFlatObjectThatAgreesWithTheRecord() throws {
        for event in samples {
            let record = EventRecord(event)
            let parsed = object(line(.json, event))
            #expect(parsed.count == 4 + record.fields.count, "a name occurs twice in \(record)")
            #expect(parsed["level"] as? String == record.severity.label)
            #expect(parsed["event"] as? String == record.kind.rawValue)
            #expect(parsed["message"] as? String == record.message)
            for field in record.fields {
                #expect(field.name.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "_" })
                switch field.value {
                case .text(let text): #expect(parsed[field.name] as? String == text)
                case .integer(let number): #expect(parsed[field.name] as? Int == number)
                case .boolean(let flag): #expect(parsed[field.name] as? Bool == flag)
                }
            }
        }
    }

    @Test func theSeverityOfTheRecordIsTheOneDecidedBefore() {
        for event in samples { #expect(EventRecord(event).severity == event.severity) }
    }

    /// Every word of the vocabulary yields a sentence, an event name and its own raw value in the fields.
    @Test func everyWordIsSaid() {
        var events: [Event] = Outcome.allCases.map { finished($0) }
        events += RejectReason.allCases.map { .requestRejected(reason: $0, detail: "") }
        events += ExitReason.allCases.map {
            crashed($0, status: $0 == .signal ? nil : 3, signal: $0 == .signal ? 9 : nil)
        }
        events += SessionCloseReason.allCases.map {
            .sessionClosed(.init(session: "s", reason: $0, requests: 0, duration: .zero))
        }
        for peer in Peer.allCases {
            events += ProtocolViolation.allCases.map { .protocolViolation(peer: peer, kind: $0, detail: "") }
        }
        for kind in StreamKind.allCases {
            events += StreamEnd.allCases.map {
                .streamClosed(session: "s", kind: kind, end: $0, events: 0, duration: .zero)
            }
        }
        events += CancelInitiator.allCases.map { .requestCancelled(initiator: $0) }
        events += ServerRequestOutcome.allCases.map { .serverRequestFinished(method: .ping, outcome: $0) }
        events += Method.allCases.map { .answerDropped(method: $0) }
        let records = events.map(EventRecord.init)
        #expect(Set(records.map(\.message)).count == records.count, "two words read the same")
        for record in records {
            #expect(record.kind.rawValue.split(separator: ".").count == 2)
            #expect(!record.message.isEmpty)
        }
    }

    @Test func coloursTheLevelAlone() {
        let plain = line(.text, crashed())
        let coloured = line(.text, crashed(), colour: true)
        #expect(coloured.contains(" \u{1B}[31merror\u{1B}[0m  upstream.crashed  "))
        #expect(coloured.replacing("\u{1B}[31m", with: "").replacing("\u{1B}[0m", with: "") == plain)
        #expect(line(.json, crashed(), colour: true) == line(.json, crashed()))
    }

    @Test func saysDurationsAsPeopleDo() {
        let expected = [
            (0, "0 ms"), (999, "999 ms"), (1_000, "1 s"), (1_999, "1.9 s"), (59_999, "59.9 s"), (60_000, "1 min 0 s"),
            (3_599_999, "59 min 59 s"), (3_600_000, "1 h 0 min"), (86_400_000, "1 d 0 h"),
        ]
        for (milliseconds, text) in expected {
            #expect(EventRecord(.proxyReady(afterMilliseconds: milliseconds)).message == "ready after \(text)")
        }
    }

    @Test func writesTimeInUTC() {
        #expect(WallTime(seconds: 0, milliseconds: 0).text == "1970-01-01T00:00:00.000Z")
        #expect(WallTime(seconds: 951_782_400, milliseconds: 7).text == "2000-02-29T00:00:00.007Z")
        #expect(WallTime(seconds: 4_102_444_799, milliseconds: 999).text == "2099-12-31T23:59:59.999Z")
        let now = WallTime.now()
        #expect(abs(now.seconds - Int(Date().timeIntervalSince1970)) < 60)
        #expect((0..<1000).contains(now.milliseconds))
    }
}
