// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

private func elicit(_ id: String, _ text: String = "who?") -> String {
    #"{"jsonrpc":"2.0","id":\#(id),"method":"elicitation/create","params":{"message":"\#(text)","requestedSchema":{}}}"#
}

@Suite("Calls of clients without a handshake whose child asks something: parked")
struct ParkingTests {
    /// A call that has been answered with a question.
    private struct Parked {
        let call: Text
        let state: String
        let key: String
    }

    private func park(_ world: World, tool: String = "t", credentials: String? = nil, question: String = "7") throws
        -> Parked
    {
        let exchange = world.post(StatelessRequest(), credentials: credentials)
        let call = try #require(world.sent().last)
        world.childSays(elicit(question))
        let answer = try #require(world.body(exchange))
        #expect(answer.contains(#""resultType":"input_required""#))
        return Parked(
            call: call,
            state: try #require(answer.between(#""requestState":""#, "\"")),
            key: try #require(answer.between(#""inputRequests":{""#, "\""))
        )
    }

    private func retry(
        _ parked: Parked,
        id: String = "2",
        answer: String = #"{"action":"accept","content":{"name":"x"}}"#,
        params: String = #""name":"t","arguments":{}"#
    ) -> StatelessRequest {
        let own = #""inputResponses":{"\#(parked.key)":\#(answer)},"requestState":"\#(parked.state)""#
        return StatelessRequest(id: id, params: params + "," + own)
    }

    @Test("the question answers the call; the answer resumes it; the result answers the second request")
    func roundTrip() throws {
        let world = World.ready()
        let parked = try park(world)
        let exchange = world.post(retry(parked))
        #expect(world.sent().map(\.text) == [result("7", #"{"action":"accept","content":{"name":"x"}}"#)])
        world.childSays(result(parked.call.id, #"{"content":[]}"#))
        #expect(world.body(exchange)?.id == "2")
        #expect(world.body(exchange)?.contains(#""resultType":"complete""#) == true)
        #expect(world.finished.map(\.outcome) == [.inputRequired, .ok])
        #expect(world.sessionCount == 0)
    }

    @Test("a child may ask again, and each answer is good once")
    func rounds() throws {
        let world = World.ready()
        let parked = try park(world)
        let second = world.post(retry(parked))
        world.childSays(elicit("8", "and why?"))
        let answer = try #require(world.body(second))
        let again = Parked(
            call: parked.call,
            state: try #require(answer.between(#""requestState":""#, "\"")),
            key: try #require(answer.between(#""inputRequests":{""#, "\""))
        )
        #expect(again.state != parked.state && again.key != parked.key)
        let replayed = world.post(retry(parked, id: "9"))
        #expect(world.replies[replayed]?.status == 400)
        #expect(world.body(replayed)?.contains("request_state_invalid") == true)
        _ = world.sent()
        let third = world.post(retry(again, id: "3"))
        #expect(world.sent().map(\.id) == ["8"])
        world.childSays(result(parked.call.id))
        #expect(world.body(third)?.id == "3")
    }

    @Test("the state opens nothing for another caller, another call, or after a change")
    func binding() throws {
        let world = World.ready()
        let parked = try park(world, credentials: "Bearer a")
        func status(_ request: StatelessRequest, _ credentials: String?) -> Int? {
            world.status(request, credentials: credentials)
        }
        #expect(status(retry(parked), "Bearer b") == 400)
        #expect(status(retry(parked), nil) == 400)
        #expect(status(retry(parked, params: #""name":"t","arguments":{"x":1}"#), "Bearer a") == 400)
        let tampered = Parked(call: parked.call, state: String(parked.state.reversed()), key: parked.key)
        #expect(status(retry(tampered), "Bearer a") == 400)
        #expect(world.sent().isEmpty)
        #expect(status(retry(parked), "Bearer a") == nil)
        #expect(world.sent().count == 1)
    }

    @Test("two callers answer in the opposite order, and each gets its own")
    func twoCallers() throws {
        let world = World.ready { $0.clientRequestTimeout = .seconds(60) }
        // Seen to ask while two calls run: from then on they take turns.
        world.post(StatelessRequest(id: "90"))
        world.post(StatelessRequest(id: "91"))
        let early = world.sent()
        world.childSays(elicit("1"))
        for call in early { world.childSays(result(call.id)) }
        _ = world.sent()

        let first = try park(world, question: "10")
        let waiting = world.post(StatelessRequest(id: "92"))
        #expect(world.sent().isEmpty, "the second waits until the first is done")
        let back = world.post(retry(first))
        world.childSays(result(first.call.id, #"{"content":["first"]}"#))
        #expect(world.body(back)?.contains("first") == true)
        let lines = world.sent()
        #expect(lines.last?.method == "tools/call")
        world.childSays(elicit("11", "second?"))
        #expect(world.body(waiting)?.contains("second?") == true)
    }

    @Test("an answer that comes while its client is away is kept for it")
    func lateClient() throws {
        let world = World.ready()
        let parked = try park(world)
        world.childSays(result(parked.call.id, #"{"content":["late"]}"#))
        let exchange = world.post(retry(parked))
        #expect(world.body(exchange)?.contains("late") == true)
        #expect(world.sessionCount == 0)
        #expect(world.readings.inFlight == 0)
    }

    @Test("a client that does not come back costs the child the call, and nobody else anything")
    func expiry() throws {
        let world = World.ready { $0.clientRequestTimeout = .seconds(60) }
        let parked = try park(world)
        world.pass(.seconds(61))
        let lines = world.sent()
        #expect(lines.contains { $0.id == "7" && $0.errorCode != nil })
        #expect(lines.contains { $0.method == "notifications/cancelled" })
        let exchange = world.post(retry(parked))
        #expect(world.body(exchange)?.contains("expired") == true)
        #expect(world.sessionCount == 0)
    }

    @Test("one whose client stays away gives way to a call of another that waits for its turn")
    func givesWay() throws {
        let world = World.ready()
        world.post(StatelessRequest(id: "90"))
        world.post(StatelessRequest(id: "91"))
        let early = world.sent()
        world.childSays(elicit("1"))
        for call in early { world.childSays(result(call.id)) }
        _ = world.sent()

        let parked = try park(world, question: "10")
        world.pass(.seconds(40))
        #expect(world.sent().isEmpty, "nobody waits")
        world.post(StatelessRequest(id: "92"))
        world.pass(.zero)
        let lines = world.sent()
        #expect(lines.contains { $0.id == "10" && $0.errorCode != nil })
        #expect(lines.contains { $0.method == "notifications/cancelled" })
        #expect(world.status(retry(parked)) == 400)
        world.childSays(result(parked.call.id))
        #expect(world.sent().last?.method == "tools/call")
    }

    @Test("answers kept for clients that are away count as kept, and the oldest goes first")
    func keptAnswers() throws {
        let world = World.ready { $0.maxBuffered = 3000 }
        let text = #"{"content":["\#(String(repeating: "x", count: 2000))"]}"#
        let first = try park(world)
        world.childSays(result(first.call.id, text))
        #expect(world.bufferedBytes > 2000)
        let second = try park(world, question: "8")
        world.childSays(result(second.call.id, text))
        #expect((2000..<3000).contains(world.bufferedBytes))
        #expect(world.status(retry(first)) == 400)
        #expect(world.status(retry(second, id: "3")) == 200)
        #expect(world.bufferedBytes == 0)
    }

    @Test("so many calls are parked at most; the oldest goes first")
    func parkedCalls() throws {
        let world = World.ready { $0.maxSessions = 2 }
        // Answered at once, so that the child may ask again.
        let parked = try (0..<3).map { round in
            let parked = try park(world, question: String(10 + round))
            world.childSays(result(parked.call.id))
            return parked
        }
        #expect(world.readings.parked == 2)
        #expect(world.status(retry(parked[0])) == 400)
        #expect(world.status(retry(parked[2], id: "3")) == 200)
    }

    @Test("they and listens take no session's place")
    func noSessions() throws {
        let world = World.ready { $0.maxSessions = 1 }
        _ = try park(world)
        world.post(StatelessRequest(method: "subscriptions/listen", params: #""notifications":{}"#))
        _ = try world.openSession()
        let second = world.post(World.initialize)
        #expect(world.replies[second]?.status == 503)
    }

    @Test("the retry may be written otherwise, if it says the same")
    func canonical() throws {
        let world = World.ready()
        let exchange = world.post(
            StatelessRequest(params: #""name":"t","arguments":{"a":"é/","b":{"x":[1, 2],"y":null}}"#)
        )
        let call = try #require(world.sent().last)
        world.childSays(elicit("7"))
        let answer = try #require(world.body(exchange))
        let parked = Parked(
            call: call,
            state: try #require(answer.between(#""requestState":""#, "\"")),
            key: try #require(answer.between(#""inputRequests":{""#, "\""))
        )
        let other = #""arguments": {"b":{"y":null,"x":[2,1]},"a":"\u00e9\/"},"name":"t""#
        #expect(world.status(retry(parked, params: other)) == 400)
        let same = #""arguments": { "b":{"y":null, "x":[1,2]}, "a":"\u00e9\/"},"name":"t""#
        world.post(retry(parked, params: same))
        #expect(world.sent().count == 1)
    }

    @Test("the retry has a trace of its own")
    func trace() throws {
        let world = World.ready {
            $0.startTrace = { parent, link in
                // swift-format-ignore: NeverForceUnwrap
                let span = SpanID(.random(in: 1 ... .max))!
                // swift-format-ignore: NeverForceUnwrap
                let server = TraceContext(traceID: TraceID(high: 1, low: 1)!, spanID: span, isSampled: true)
                return RequestTrace(parent: parent, link: link, server: server, upstream: span)
            }
        }
        let parked = try park(world)
        world.post(retry(parked))
        world.childSays(result(parked.call.id))
        #expect(Set(world.finished.compactMap { $0.trace?.server.spanID }).count == 2)
    }

    @Test("pages to visit are named to who can show them only", arguments: ["{}", #"{"elicitation":{}}"#])
    func urlElicitationUndeclared(capabilities: String) throws {
        let world = World.ready()
        let exchange = world.post(StatelessRequest(capabilities: capabilities))
        let call = try #require(world.sent().last)
        let data = #"{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://example.com","message":"m"}]}"#
        world.childSays(#"{"jsonrpc":"2.0","id":\#(call.id),"error":{"code":-32042,"message":"m","data":\#(data)}}"#)
        #expect(world.replies[exchange]?.status == 400)
        #expect(world.body(exchange)?.errorCode == -32021)
        #expect(world.body(exchange)?.contains(#""requiredCapabilities":{"elicitation":{"url":{}}}"#) == true)
    }

    @Test("pages without an address are none")
    func urlElicitationWithoutURL() throws {
        let world = World.ready()
        let exchange = world.post(StatelessRequest())
        let call = try #require(world.sent().last)
        let data = #"{"elicitations":[5,{"message":"m"},{"url":7}]}"#
        world.childSays(#"{"jsonrpc":"2.0","id":\#(call.id),"error":{"code":-32042,"message":"m","data":\#(data)}}"#)
        #expect(world.body(exchange)?.errorCode == -32603)
    }

    @Test("the child's death ends a parked call")
    func crash() throws {
        let world = World.ready()
        let parked = try park(world)
        world.childExits()
        world.childBecomesReady()
        _ = world.sent()
        let exchange = world.post(retry(parked))
        #expect(world.replies[exchange]?.status == 400)
        #expect(world.sent().isEmpty)
        #expect(world.sessionCount == 0)
    }

    @Test("another run of the proxy opens no state of this one")
    func restart() throws {
        let parked = try park(World.ready())
        let other = World.ready()
        #expect(other.status(retry(parked)) == 400)
    }

    @Test("an unanswered question is asked again; answers to nothing are ignored")
    func missingAnswer() throws {
        let world = World.ready()
        let parked = try park(world)
        let wrong = Parked(call: parked.call, state: parked.state, key: "q999")
        let exchange = world.post(retry(wrong))
        #expect(world.sent().isEmpty)
        #expect(world.body(exchange)?.contains(parked.key) == true)
    }

    @Test("answers of the wrong shape are refused and lose nothing")
    func malformed() throws {
        let world = World.ready()
        let parked = try park(world)
        #expect(world.status(retry(parked, answer: "7")) == 400)
        #expect(world.sent().isEmpty)
        world.post(retry(parked))
        #expect(world.sent().count == 1)
    }

    @Test("a client that declared nothing is asked nothing")
    func undeclared() throws {
        let world = World.ready()
        let exchange = world.post(StatelessRequest(capabilities: "{}"))
        let call = try #require(world.sent().last)
        world.childSays(elicit("7"))
        #expect(world.sent().first?.errorCode == -32601)
        world.childSays(result(call.id))
        #expect(world.replies[exchange]?.status == 200)
    }

    @Test("what a URL elicitation asks has no elicitationId")
    func urlMode() throws {
        let world = World.ready()
        let exchange = world.post(StatelessRequest())
        _ = world.sent()
        let params = #"{"mode":"url","message":"m","url":"https://example.com","elicitationId":"e"}"#
        world.childSays(#"{"jsonrpc":"2.0","id":7,"method":"elicitation/create","params":\#(params)}"#)
        #expect(world.body(exchange)?.contains("elicitationId") == false)
        #expect(world.body(exchange)?.contains("https://example.com") == true)
    }

    @Test("pages that must be visited first are asked for, and the retry is a new call")
    func urlElicitationRequired() throws {
        let world = World.ready()
        let exchange = world.post(StatelessRequest())
        let call = try #require(world.sent().last)
        let data = #"{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://example.com","message":"m"}]}"#
        world.childSays(#"{"jsonrpc":"2.0","id":\#(call.id),"error":{"code":-32042,"message":"m","data":\#(data)}}"#)
        #expect(world.body(exchange)?.contains(#""resultType":"input_required""#) == true)
        world.post(
            StatelessRequest(params: #""name":"t","arguments":{},"inputResponses":{"url1":{"action":"accept"}}"#)
        )
        let again = try #require(world.sent().last)
        #expect(again.method == "tools/call" && !again.contains("inputResponses"))
    }
}
