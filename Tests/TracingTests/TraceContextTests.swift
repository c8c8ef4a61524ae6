// SPDX-License-Identifier: Apache-2.0

import Events
import SeededRandom
import Testing

@Suite struct TraceContextTests {
    private let trace = "0af7651916cd43dd8448eb211c80319c"
    private let span = "b7ad6b7169203331"

    @Test func readsAndWritesTheExampleOfTheSpecification() throws {
        let text = "00-\(trace)-\(span)-01"
        let context = try #require(TraceContext(traceparent: text))
        #expect(context.traceID == TraceID(high: 0x0af7_6519_16cd_43dd, low: 0x8448_eb21_1c80_319c))
        #expect(context.spanID == SpanID(0xb7ad_6b71_6920_3331))
        #expect(context.isSampled)
        #expect(context.state == "")
        #expect(context.traceparent == text)
        #expect(context.traceID.hex == trace)
        #expect(context.spanID.hex == span)
    }

    @Test func keepsLeadingZeros() throws {
        let text = "00-00000000000000010000000000000002-0000000000000003-00"
        let context = try #require(TraceContext(traceparent: text))
        #expect(context.traceparent == text)
        #expect(!context.isSampled)
    }

    @Test(arguments: [
        "",
        "00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-011",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0A",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "FF-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01",
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c8031é-b7ad6b7169203331-01",
        " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01extra",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
    ])
    func refusesWhatBreaksARule(_ text: String) {
        #expect(TraceContext(traceparent: text, tracestate: "a=1") == nil)
    }

    @Test(arguments: ["", "-", "-what-comes-later"])
    func readsTheKnownPartOfALaterVersion(_ rest: String) throws {
        let context = try #require(TraceContext(traceparent: "cc-\(trace)-\(span)-09\(rest)"))
        #expect(context.isSampled)
        #expect(context.spanID.hex == span)
        // What is handed on is of this version.
        #expect(context.child(context.spanID, isSampled: true).traceparent == "00-\(trace)-\(span)-01")
    }

    @Test func childKeepsTheTraceAndDecidesAnew() throws {
        let parent = try #require(TraceContext(traceparent: "00-\(trace)-\(span)-ff", tracestate: "a=1"))
        let child = parent.child(try #require(SpanID(5)), isSampled: false)
        // Of the flags only the one that says that the id is random is of use to others.
        #expect(child.traceparent == "00-\(trace)-0000000000000005-02")
        #expect(child.state == "a=1")
        #expect(parent.child(child.spanID, isSampled: true).traceparent.hasSuffix("-03"))
    }

    @Test func anOwnTraceSaysWhetherItIsSampled() throws {
        var generator = SeededGenerator(seed: 1)
        let id = TraceID.random(using: &generator)
        let span = SpanID.random(using: &generator)
        #expect(TraceContext(traceID: id, spanID: span, isSampled: true).traceparent == "00-\(id.hex)-\(span.hex)-01")
        #expect(TraceContext(traceID: id, spanID: span, isSampled: false).traceparent.hasSuffix("-00"))
        #expect(TraceID.random(using: &generator) != id)
    }

    @Test func idsAreNeverZero() {
        var generator = ZerosFirst(zeros: 5)
        #expect(TraceID.random(using: &generator).low != 0)
        generator = ZerosFirst(zeros: 3)
        #expect(SpanID.random(using: &generator).value != 0)
    }

    @Test(arguments: [
        ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        (" a=1 ,\t, b=2\t,", "a=1,b=2"),
        ("a= x", "a= x"),
        ("fw529a3039@dt=FfG;x/y*z-_=1", ""),
        ("fw529a3039@dt=FfG;x,0a_-*/@=~!", "fw529a3039@dt=FfG;x,0a_-*/@=~!"),
        ("", ""),
        ("a", ""),
        ("a=", ""),
        ("=1", ""),
        ("A=1", ""),
        ("_a=1", ""),
        ("a b=1", ""),
        ("a=1,a=2", ""),
        ("a=1=2", ""),
        ("a=é", ""),
        ("a=1\r\nb=2", ""),
        ("good=1,bad", ""),
    ])
    func readsTheState(_ text: String, _ expected: String) throws {
        let context = try #require(TraceContext(traceparent: "00-\(trace)-\(span)-01", tracestate: text))
        #expect(context.state == expected)
    }

    @Test func limitsTheState() throws {
        func state(_ text: String) -> String? {
            TraceContext(traceparent: "00-\(trace)-\(span)-01", tracestate: text)?.state
        }
        let members = (0..<33).map { "k\($0)=v" }
        let full = members.dropLast().joined(separator: ",")
        #expect(state(full) == full)
        #expect(state(members.joined(separator: ",")) == "")
        let value = String(repeating: "v", count: 250)
        let long = "a=\(value),b=\(value),c=vvvv"
        #expect(long.utf8.count == 512)
        #expect(state(long) == long)
        #expect(state(long + "v") == "")
        #expect(state("a=" + String(repeating: "v", count: 256))?.isEmpty == false)
        #expect(state("a=" + String(repeating: "v", count: 257)) == "")
        #expect(state(String(repeating: "k", count: 256) + "=v")?.isEmpty == false)
        #expect(state(String(repeating: "k", count: 257) + "=v") == "")
    }
}

/// Some zeros, then other numbers.
private struct ZerosFirst: RandomNumberGenerator {
    var zeros: Int

    mutating func next() -> UInt64 {
        zeros -= 1
        return zeros >= 0 ? 0 : 7
    }
}
