// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The server of benchmarks: it finds the id, answers with a fixed text, and writes once per read.
///
/// It knows `initialize`, `ping`, `tools/list` and `tools/call`, does not check what it reads, and ends with its input.
/// As a server of 2026-07-28 it knows `server/discover` instead of the first two.
struct FastMode {
    private static let call = Array(#","result":{"content":[{"type":"text","text":"ok"}],"isError":false}}"#.utf8)
    /// Like the official servers, it says in each result who gave it: then the proxy has nothing to add.
    private static let statelessCall = Array(
        (#","result":{"resultType":"complete","content":[{"type":"text","text":"ok"}],"isError":false,"#
            + #""_meta":{"io.modelcontextprotocol/serverInfo":{"name":"fixture-fast","version":"1.0.0"}}}}"#).utf8
    )
    private static let discover = Array(
        (#","result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"#
            + #""ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":"#
            + #"{"name":"fixture-fast","version":"1.0.0"}}}}"#).utf8
    )
    private static let initialize = Array(
        (#","result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"#
            + #""serverInfo":{"name":"fixture-fast","version":"1.0.0"}}}"#).utf8
    )
    private static let list = Array(
        (#","result":{"tools":[{"name":"echo","description":"Answers ok.","#
            + #""inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}}]}}"#).utf8
    )
    private static let ping = Array(#","result":{}}"#.utf8)
    private static let unknown = Array(#","error":{"code":-32601,"message":"not in fast mode"}}"#.utf8)
    private static let prefix = Array(#"{"jsonrpc":"2.0","id":"#.utf8)

    private var input = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    private var filled = 0
    private var output: [UInt8] = []
    private let isStateless: Bool

    init(isStateless: Bool) { self.isStateless = isStateless }

    mutating func run() {
        while true {
            if filled == input.count { grow() }
            let count = read(STDIN_FILENO, input.baseAddress.map { $0 + filled }, input.count - filled)
            guard count > 0 else { return }
            let searched = filled
            filled += count
            answerLines(searched: searched)
            guard writeAll(output, to: STDOUT_FILENO) else { return }
            output.removeAll(keepingCapacity: true)
        }
    }

    private mutating func grow() {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count * 2, alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(input))
        input.deallocate()
        input = larger
    }

    /// Answers every whole line and moves the rest to the front; the first `searched` bytes have no line end.
    private mutating func answerLines(searched: Int) {
        guard let base = input.baseAddress else { return }
        var (start, from) = (0, searched)
        while let end = memchr(base + from, 0x0A, filled - from) {
            let length = end - base - start
            answer(UnsafeRawBufferPointer(start: base + start, count: length))
            start += length + 1
            from = start
        }
        memmove(base, base + start, filled - start)
        filled -= start
    }

    private mutating func answer(_ line: UnsafeRawBufferPointer) {
        guard let id = FastMode.id(of: line) else { return }
        output += FastMode.prefix
        output += UnsafeRawBufferPointer(rebasing: line[id])
        if FastMode.holds(line, #"tools/call""#) {
            output += isStateless ? FastMode.statelessCall : FastMode.call
        } else if isStateless, FastMode.holds(line, #"server/discover""#) {
            output += FastMode.discover
        } else if !isStateless, FastMode.holds(line, #"initialize""#) {
            output += FastMode.initialize
        } else if FastMode.holds(line, #"tools/list""#) {
            output += FastMode.list
        } else {
            output += FastMode.holds(line, #"ping""#) ? FastMode.ping : FastMode.unknown
        }
        output.append(0x0A)
    }

    /// Where the id is: at the usual place, or wherever the slow search finds it.
    private static func id(of line: UnsafeRawBufferPointer) -> Range<Int>? {
        let start = prefix.count
        if line.count > start, let base = line.baseAddress, memcmp(base, prefix, start) == 0, line[start] != 0x22,
            let comma = memchr(base + start, 0x2C, line.count - start)
        {
            return start..<(UnsafeRawPointer(comma) - base)
        }
        return topLevelMembers(line)["id"]
    }

    /// Whether the line holds a text, looked for by its first byte.
    private static func holds(_ line: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard let base = line.baseAddress else { return false }
        let length = text.utf8CodeUnitCount
        var position = 0
        while position + length <= line.count,
            let found = memchr(base + position, Int32(text.utf8Start.pointee), line.count - position - length + 1)
        {
            if memcmp(found, text.utf8Start, length) == 0 { return true }
            position = UnsafeRawPointer(found) - base + 1
        }
        return false
    }
}
