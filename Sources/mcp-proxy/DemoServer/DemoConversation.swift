// SPDX-License-Identifier: Apache-2.0

import Glibc
import JSONRPC
import MCP
import NIOCore

/// What the demo server says to what it hears: lines and time in, bytes out.
struct DemoConversation {
    /// A call of `slow` that still has steps to go.
    private struct SlowCall {
        let id: RequestID
        let progressToken: String?
        let steps: Int
        let interval: TimeAmount
        var step = 0
        var due: NIODeadline
    }

    private var output = ByteBuffer()
    private var slowCalls: [SlowCall] = []

    /// When `advance` has something to do next, nil for never.
    var nextDeadline: NIODeadline? { slowCalls.map(\.due).min() }

    /// The lines to write since the last call.
    mutating func takeOutput() -> ByteBuffer {
        defer { output = ByteBuffer() }
        return output
    }

    mutating func receive(_ line: Line, now: NIODeadline) {
        switch line {
        case .oversize(let id, let bytes): refuse(id, -32600, "the message has \(bytes) bytes, which is too many")
        case .message(let message):
            guard message.readableBytes > 0 else { return }
            do throws(ScanError) {
                receive(try Envelope.scan(message), in: message, now: now)
            } catch {
                switch error {
                case .invalidJSON(let offset, let expected):
                    refuse(nil, -32700, "the message is not JSON: at byte \(offset) \(expected) was expected")
                case .batch: refuse(nil, -32600, "this server takes no batches")
                case .notJSONRPC(let reason, let id), .duplicateMember(let reason, let id): refuse(id, -32600, reason)
                }
            }
        }
    }

    /// Takes every step that is due.
    mutating func advance(to now: NIODeadline) {
        for index in slowCalls.indices.reversed() {
            while slowCalls[index].due <= now && slowCalls[index].step < slowCalls[index].steps {
                slowCalls[index].step += 1
                slowCalls[index].due = slowCalls[index].due + slowCalls[index].interval
                reportProgress(of: slowCalls[index])
            }
            guard slowCalls[index].step == slowCalls[index].steps else { continue }
            let call = slowCalls.remove(at: index)
            answer(call.id, text: "Finished all \(call.steps) steps.")
        }
    }

    private mutating func receive(_ envelope: Envelope, in message: ByteBuffer, now: NIODeadline) {
        let method = envelope[.method].flatMap { message.string($0) }.map { MCP.Method(name: $0) }
        guard envelope.kind == .request, let id = envelope.id(in: message) else {
            if method == .cancelled, let cancelled = envelope[.requestID] {
                // The specification wants no answer to a cancelled request.
                let token = message.text(cancelled)
                slowCalls.removeAll { $0.id.token == token }
            }
            return
        }
        switch method {
        case .initialize:
            let requested = envelope[.protocolVersion].flatMap { message.string($0) }.flatMap(Revision.init(handshake:))
            answer(id, json: DemoTools.introduction(speaking: requested ?? .newestHandshake))
        case .ping: answer(id, json: "{}")
        case .toolsList: answer(id, json: DemoTools.list)
        case .toolsCall: call(id, envelope, in: message, now: now)
        default: refuse(id, -32601, "this server has no such method")
        }
    }

    private mutating func call(_ id: RequestID, _ envelope: Envelope, in message: ByteBuffer, now: NIODeadline) {
        var arguments: [String: ByteRange] = [:]
        if let params = envelope[.params],
            let object = members(of: params, in: message).last(where: { $0.name == "arguments" })
        {
            for member in members(of: object.value, in: message) { arguments[member.name] = member.value }
        }
        do throws(DemoTools.Refusal) {
            let values = DemoTools.Arguments(ranges: arguments, message: message)
            switch envelope[.name].flatMap({ message.string($0) }) {
            case "get_current_time": answer(id, text: try DemoTools.currentTime(values))
            case "convert_time": answer(id, text: try DemoTools.convertTime(values))
            case "echo": answer(id, text: try values.string("text"))
            case "slow":
                let (seconds, steps) = try DemoTools.pace(values)
                let interval = TimeAmount.nanoseconds(Int64(seconds / Double(steps) * 1e9))
                let token = envelope[.metaProgressToken].map { message.text($0) }
                slowCalls.append(
                    SlowCall(id: id, progressToken: token, steps: steps, interval: interval, due: now + interval)
                )
            default: refuse(id, -32602, "this server has no such tool; tools/list names those it has")
            }
        } catch {
            switch error {
            case .arguments(let reason): refuse(id, -32602, reason)
            case .tool(let reason): answer(id, text: reason, isError: true)
            }
        }
    }

    private mutating func reportProgress(of call: SlowCall) {
        guard let token = call.progressToken else { return }
        output.writeString(
            #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(token),"#
                + #""progress":\#(call.step),"total":\#(call.steps),"message":"step \#(call.step)"}}"# + "\n"
        )
    }

    private mutating func answer(_ id: RequestID, json result: String) {
        output.writeString(#"{"jsonrpc":"2.0","id":\#(id.token),"result":\#(result)}"# + "\n")
    }

    private mutating func answer(_ id: RequestID, text: String, isError: Bool = false) {
        output.writeString(#"{"jsonrpc":"2.0","id":\#(id.token),"result":{"content":[{"type":"text","text":"#)
        output.writeJSONString(text)
        output.writeString(#"}],"isError":\#(isError)}}"# + "\n")
    }

    private mutating func refuse(_ id: RequestID?, _ code: Int, _ reason: String) {
        var response = ErrorObject.response(id: id, code: code, message: reason, data: [])
        output.writeBuffer(&response)
        output.writeString("\n")
    }
}
