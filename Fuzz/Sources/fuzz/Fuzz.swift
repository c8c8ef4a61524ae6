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

/// What is accepted is JSON, by a second parser; what is refused as JSON is not; and an accepted message with another
/// id is the same message otherwise.
private func checkScan(_ input: [UInt8]) {
    let message = ByteBuffer(bytes: input)
    do throws(ScanError) {
        let envelope = try Envelope.scan(message)
        precondition(SimpleParser.accepts(input), "accepted what is no JSON")
        checkSplice(message, envelope)
    } catch {
        switch error {
        case .invalidJSON(let offset, let expected):
            precondition(!SimpleParser.accepts(input), "refused valid JSON at \(offset), expecting \(expected)")
            precondition(offset <= input.count)
        case .batch: break
        case .notJSONRPC, .duplicateMember: precondition(SimpleParser.accepts(input), "overlooked invalid JSON")
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
    precondition(spliced.readableBytesView.filter { $0 == 10 || $0 == 13 }.count == 1, "more than one line")
    guard let again = try? Envelope.scan(spliced) else { preconditionFailure("a spliced message was refused") }
    precondition(again.kind == envelope.kind)
    for member in Member.allCases {
        guard let before = envelope[member], let after = again[member] else {
            precondition(envelope[member] == nil && again[member] == nil, "a member came or went: \(member)")
            continue
        }
        switch member {
        case .id: precondition(again.id(in: spliced) == id)
        case .metaProgressToken: precondition(spliced.text(after) == "\"token\"")
        case .params, .meta:
            precondition(members(of: before, in: message).count == members(of: after, in: spliced).count)
        default:
            precondition(message.text(before) == spliced.text(after), "a token changed: \(member)")
            precondition(message.string(before) == spliced.string(after))
        }
    }
}

private func checkBatch(_ input: [UInt8]) {
    let message = ByteBuffer(bytes: input)
    guard let ranges = try? Batch.split(message) else { return }
    precondition(SimpleParser.accepts(input), "split what is no JSON")
    for range in ranges {
        precondition(SimpleParser.accepts(Array(message.slice(range).readableBytesView)), "a member is no JSON")
    }
}

/// The first byte says where the rest is cut.
private func checkFraming(_ input: [UInt8]) {
    guard let first = input.first else { return }
    let stream = input.dropFirst()
    let cut = stream.startIndex + min(Int(first), stream.count)
    for maxLine in [8, 64] {
        let whole = lines([stream], maxLine)
        precondition(lines([stream[..<cut], stream[cut...]], maxLine) == whole, "the lines depend on the cut")
        precondition(lines(stream.map { [$0] }, maxLine) == whole, "the lines depend on the chunks")
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
