// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

extension Tool {
    /// Tools that break the protocol, or the process.
    static let misbehaving: [Tool] = [
        Tool(
            name: "crash",
            description: "Ends the process in mid-call, by exit status or signal; with partial, in mid-line.",
            arguments: ["status": "integer?", "signal": "integer?", "partial": "boolean?"],
            work: .now { server, call in
                if call.arguments["partial"]?.bool == true {
                    server.output.send(Array(#"{"jsonrpc":"2.0","id":\#(call.id.text),"result":{"cont"#.utf8))
                }
                if let number = call.arguments["signal"]?.int.map(Int32.init(clamping:)) {
                    signal(number, SIG_DFL)
                    kill(getpid(), number)
                    // Some signals arrive a moment later, and SIGSTOP and its like return here.
                    while true { pause() }
                }
                _exit(Int32(clamping: try call.int("status", else: 3)))
            }
        ),
        Tool(
            name: "exit0",
            description: "Ends the process in mid-call with status 0.",
            work: .now { _, _ in _exit(0) }
        ),
        Tool(
            name: "exit_after_ms",
            description: "Answers, and ends the process some milliseconds later.",
            arguments: ["ms": "integer", "status": "integer?"],
            work: .now { _, call in
                let (delay, status) = (try call.int("ms"), try call.int("status", else: 0))
                Task {
                    try await Task.sleep(for: .milliseconds(delay))
                    _exit(Int32(clamping: status))
                }
                return text("exiting in \(delay) ms")
            }
        ),
        Tool(
            name: "hang",
            description: "Says nothing any more, for ever; input is still read.",
            work: .now { server, _ in
                server.output.mute()
                throw Silence()
            }
        ),
        Tool(
            name: "hang_call",
            description: "Never answers this call, cancelled or not.",
            work: .now { _, _ in throw Silence() }
        ),
        Tool(
            name: "stop_reading",
            description: "Answers, and reads no input any more.",
            work: .now { server, _ in
                server.state.withLock { $0.isReading = false }
                return text("no longer reading")
            }
        ),
        Tool(
            name: "close_stdout",
            description: "Closes standard output and stays alive.",
            work: .now { server, _ in
                server.output.close()
                throw Silence()
            }
        ),
        Tool(
            name: "flood_stderr",
            description: "Writes that many MiB to standard error, then answers.",
            arguments: ["mb": "integer"],
            work: .now { _, call in
                let line = [UInt8](repeating: UInt8(ascii: "e"), count: 1023) + [UInt8(ascii: "\n")]
                for _ in 0..<(max(0, try call.int("mb")) * 1024) { writeAll(line, to: STDERR_FILENO) }
                return text("flooded")
            }
        ),
        Tool(
            name: "allocate",
            description: "Takes that many MiB more memory, writes to all of it, and keeps it.",
            arguments: ["mb": "integer"],
            work: .now { _, call in
                for _ in 0..<(max(0, try call.int("mb"))) { memset(malloc(1 << 20), 1, 1 << 20) }
                return text("allocated")
            }
        ),
        Tool(
            name: "fork_grandchild",
            description: "Starts a process of the same group that holds all descriptors; answers with its id.",
            work: .now { _, _ in
                var pid: pid_t = 0
                var arguments = ["sleep", "1000"].map { (word: String) in strdup(word) } + [nil]
                defer { arguments.forEach { free($0) } }
                let status = posix_spawnp(&pid, "sleep", nil, nil, &arguments, environ)
                return status == 0 ? text("\(pid)") : text(String(cString: strerror(status)), isError: true)
            }
        ),
        Tool(
            name: "garbage",
            description: "Writes what no server should; Tests/Fixtures/README.md lists the kinds.",
            arguments: ["kind": "string"],
            work: .now { server, call in try server.writeGarbage(try call.string("kind"), call) }
        ),
    ]
}

extension Server {
    /// What `--garbage-on-start` writes: a banner, an empty line, and bytes that are no UTF-8.
    func writeBanner() {
        output.send(Array("fixture-server is starting\n\n".utf8) + [0xC3, 0x28, 0xFF, 0x0A])
    }

    /// Writes garbage and returns the proper answer, or throws `Silence` where the garbage stands for the answer.
    fileprivate func writeGarbage(_ kind: String, _ call: Call) throws -> JSON {
        let answer = Tool.text("after \(kind)")
        func line(id: JSON) -> String { (["jsonrpc": "2.0", "id": id, "result": answer] as JSON).text }
        switch kind {
        case "text": output.send(Array("this is not JSON\n".utf8))
        case "empty": output.send(Array("\n \n\r\n".utf8))
        case "utf8": output.send([0xC3, 0x28, 0xFF, 0x0A])
        case "utf8_json":
            let start = #"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":""#
            output.send(Array(start.utf8) + [0xC3, 0x28] + Array("\"}}\n".utf8))
        case "not_jsonrpc": output.send(Array("{\"hello\":\"world\"}\n[]\n17\n\"text\"\nnull\n".utf8))
        case "truncated": output.send(Array((line(id: call.id).dropLast(2) + "\n").utf8))
        case "wrong_id": output.send(Array((line(id: 999_999_999) + "\n").utf8))
        case "null_id": output.send(Array((line(id: nil) + "\n").utf8))
        case "duplicate": output.send(Array((line(id: call.id) + "\n").utf8))
        case "unknown_progress":
            notify("notifications/progress", ["progressToken": "no-such-token", "progress": 1])
        case "batch":
            output.send(Array("[\(line(id: call.id))]\n".utf8))
            throw Silence()
        case "cr", "crlf":
            let spaced = line(id: call.id).replacing(
                "\"jsonrpc\":",
                with: kind == "cr" ? "\r\"jsonrpc\" :\r" : "\"jsonrpc\":"
            )
            output.send(Array((spaced + (kind == "cr" ? "\n" : "\r\n")).utf8))
            throw Silence()
        case "split":
            output.send(Array(line(id: call.id).replacing(",", with: ",\n").utf8) + [0x0A])
            throw Silence()
        case "string_id":
            output.send(Array((line(id: .string(call.id.text.replacing("\"", with: ""))) + "\n").utf8))
            throw Silence()
        case "utf8_answer":
            let parts = line(id: call.id).split(separator: "after ", maxSplits: 1)
            output.send(parts.map { Array($0.utf8) }.joined(separator: [0xC3, 0x28]) + [0x0A])
            throw Silence()
        case "result_and_error":
            let error: JSON = ["code": -32000, "message": "both"]
            output.send(["jsonrpc": "2.0", "id": call.id, "result": answer, "error": error])
            throw Silence()
        case "no_result":
            output.send(["jsonrpc": "2.0", "id": call.id])
            throw Silence()
        default: throw Fault.invalidParams("unknown kind of garbage")
        }
        return answer
    }
}
