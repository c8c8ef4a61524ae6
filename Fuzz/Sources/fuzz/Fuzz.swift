// SPDX-License-Identifier: Apache-2.0

import CLibFuzzer
import JSONRPC
import NIOCore

/// The fuzzer. Its arguments are libFuzzer's.
@main struct Fuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
            let input = Array(UnsafeBufferPointer(start: data, count: size))
            checkScan(input)
            checkBatch(input)
            checkFraming(input)
            return 0
        }
    }
}

/// Stops the fuzzer with that message. Unlike `precondition`, it is told in an optimised build too.
private func check(_ condition: Bool, _ message: String = "a property does not hold", line: UInt = #line) {
    if !condition { fatalError(message, line: line) }
}

/// What is accepted is JSON, by a second parser; what is refused as JSON is not; and an accepted message with another
/// id is the same message otherwise.
private func checkScan(_ input: [UInt8]) {
    let message = ByteBuffer(bytes: input)
    do throws(ScanError) {
        let envelope = try Envelope.scan(message)
        check(SimpleParser.accepts(input), "accepted what is no JSON")
        checkSplice(message, envelope)
    } catch {
        switch error {
        case .invalidJSON(let offset, let expected):
            check(!SimpleParser.accepts(input), "refused valid JSON at \(offset), expecting \(expected)")
            check(offset <= input.count)
        case .batch: break
        case .notJSONRPC, .duplicateMember: check(SimpleParser.accepts(input), "overlooked invalid JSON")
        }
    }
}

private func checkSplice(_ message: ByteBuffer, _ envelope: Envelope) {
    var message = message
    if envelope.hasLineBreaks { message.flattenLineBreaks() }
    let id = RequestID(1_234_567)
    var edits: [Edit] = []
    if let range = envelope[.id] { edits.append(Edit(range, id)) }
    if let range = envelope[.metaProgressToken] { edits.append(Edit(range, "\"token\"")) }
    let spliced = message.splicing(edits.first, edits.dropFirst().first, newline: true)
    check(spliced.readableBytesView.filter { $0 == 10 || $0 == 13 }.count == 1, "more than one line")
    guard let again = try? Envelope.scan(spliced) else { fatalError("a spliced message was refused") }
    check(again.kind == envelope.kind)
    for member in Member.allCases {
        guard let before = envelope[member], let after = again[member] else {
            check(envelope[member] == nil && again[member] == nil, "a member came or went: \(member)")
            continue
        }
        switch member {
        case .id: check(again.id(in: spliced) == id)
        case .metaProgressToken: check(spliced.text(after) == "\"token\"")
        case .params, .meta:
            check(members(of: before, in: message).count == members(of: after, in: spliced).count)
        default:
            check(message.text(before) == spliced.text(after), "a token changed: \(member)")
            check(message.string(before) == spliced.string(after))
        }
    }
}

private func checkBatch(_ input: [UInt8]) {
    let message = ByteBuffer(bytes: input)
    guard let ranges = try? Batch.split(message) else { return }
    check(SimpleParser.accepts(input), "split what is no JSON")
    for range in ranges {
        check(SimpleParser.accepts(Array(message.slice(range).readableBytesView)), "a member is no JSON")
    }
}

/// The first byte says where the rest is cut.
private func checkFraming(_ input: [UInt8]) {
    guard let first = input.first else { return }
    let stream = input.dropFirst()
    let cut = stream.startIndex + min(Int(first), stream.count)
    for maxLine in [8, 64] {
        let whole = lines([stream], maxLine)
        check(lines([stream[..<cut], stream[cut...]], maxLine) == whole, "the lines depend on the cut")
        check(lines(stream.map { [$0] }, maxLine) == whole, "the lines depend on the chunks")
    }
}

private func lines(_ chunks: [ArraySlice<UInt8>], _ maxLine: Int) -> [Line] {
    var framer = LineFramer(maxLine: maxLine)
    var lines: [Line] = []
    for chunk in chunks {
        framer.append(ByteBuffer(bytes: chunk))
        while let line = framer.next() { lines.append(line) }
    }
    while let line = framer.finish() { lines.append(line) }
    return lines
}
