// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import NIOCore

// Trace context: in with a client's request, out to the child. Without tracing, messages stay as they are, to the byte.
extension Bridge {
    /// Where a request stands in its trace; nil with tracing off. The message's own context is the parent, and what came
    /// in headers beside it is linked (OpenTelemetry's conventions for MCP, "Context propagation").
    func trace(of incoming: Incoming) -> RequestTrace? {
        guard let startTrace = configuration.startTrace else { return nil }
        guard let parent = incoming.contextInMessage else { return startTrace(incoming.contextInHeaders, nil) }
        return startTrace(parent, incoming.contextInHeaders == parent ? nil : incoming.contextInHeaders)
    }

    /// The request as the child gets it: with the proxy's span as the parent when the trace is recorded, with what
    /// came in headers when only they had it, and else untouched.
    func traced(_ incoming: Incoming, _ trace: RequestTrace?) -> Incoming {
        guard let trace else { return incoming }
        if trace.server.isSampled {
            return incoming.carrying(trace.server.child(trace.upstream, isSampled: true))
        }
        guard let context = incoming.contextInHeaders, incoming.contextInMessage == nil else { return incoming }
        return incoming.carrying(context)
    }
}

extension Incoming {
    /// `traceparent` and `tracestate` in `params._meta`, without a prefix (2026-07-28, "Trace Context").
    fileprivate var contextInMessage: TraceContext? {
        guard let meta = envelope[.meta] else { return nil }
        let members = members(of: meta, in: message)
        func text(_ name: String) -> String? {
            members.first { $0.name == name }.flatMap { message.string($0.value) }
        }
        return text("traceparent").flatMap { TraceContext(traceparent: $0, tracestate: text("tracestate")) }
    }

    /// The same message with that context in `params._meta`.
    fileprivate func carrying(_ context: TraceContext) -> Incoming {
        guard let edit = edit(carrying: context) else { return self }
        let new = message.splicing(edit, newline: false)
        guard let envelope = try? Envelope.scan(new) else { return self }
        return Incoming(new, envelope)
    }

    private func edit(carrying context: TraceContext) -> Edit? {
        let parent = #""traceparent":"\#(context.traceparent)""#
        let state = context.state.isEmpty ? "" : #","tracestate":"# + quoted(context.state)
        if let meta = envelope[.meta] {
            let members = members(of: meta, in: message)
            if let old = members.first(where: { $0.name == "traceparent" }) {
                return Edit(old.value, "\"\(context.traceparent)\"")
            }
            // What it says of the state belongs to no valid parent.
            let hasState = members.contains { $0.name == "tracestate" }
            return insertion(into: meta, (hasState ? parent : parent + state), isEmpty: members.isEmpty)
        }
        let member = #""_meta":{"# + parent + state + "}"
        if let params = envelope[.params] {
            let isEmpty = members(of: params, in: message).isEmpty
            return insertion(into: params, member, isEmpty: isEmpty)
        }
        guard let method = envelope[.method] else { return nil }
        let end = Int(method.upperBound)
        return Edit(ByteRange(end, end), #","params":{"# + member + "}")
    }

    /// Puts members at the beginning of an object; nil when the range is none.
    private func insertion(into object: ByteRange, _ members: String, isEmpty: Bool) -> Edit? {
        guard message.getInteger(at: message.readerIndex + Int(object.lowerBound)) == UInt8(ascii: "{") else {
            return nil
        }
        let start = Int(object.lowerBound) + 1
        return Edit(ByteRange(start, start), isEmpty ? members : members + ",")
    }

    private func quoted(_ text: String) -> String {
        var buffer = ByteBuffer()
        buffer.writeJSONString(text)
        return String(buffer: buffer)
    }
}
