// SPDX-License-Identifier: Apache-2.0

import JSONRPC
import NIOCore
import YAML

/// `text` without the white space between its tokens if it is a JSON object, else nil.
func jsonObject(_ text: String) -> String? {
    guard let value = jsonValue(text), value.hasPrefix("{") else { return nil }
    var compact = String.UnicodeScalarView()
    var inString = false
    var isEscaped = false
    for character in value.unicodeScalars {
        if !inString, character.properties.isWhitespace { continue }
        compact.append(character)
        if character == "\"", !isEscaped { inString.toggle() }
        isEscaped = character == "\\" && !isEscaped
    }
    return String(compact)
}

/// A value of a configuration file as compact JSON. What is written plainly is a number or literal if JSON has it so,
/// and nothing at all is `null`.
func jsonText(_ node: YAMLNode) -> String {
    var json = ByteBuffer()
    json.write(node)
    return String(buffer: json)
}

/// The JSON value that `text` is, without the white space around it; nil if it is none.
private func jsonValue(_ text: String) -> String? {
    // As the only element of an array it is checked to its end.
    let array = ByteBuffer(string: "[\(text)]")
    guard let elements = try? Batch.split(array), elements.count == 1, let element = elements.first else { return nil }
    return array.text(element)
}

extension ByteBuffer {
    fileprivate mutating func write(_ node: YAMLNode) {
        switch node.content {
        case .mapping(let members):
            writeStaticString("{")
            for (index, member) in members.enumerated() {
                if index > 0 { writeStaticString(",") }
                writeJSONString(member.key)
                writeStaticString(":")
                write(member.value)
            }
            writeStaticString("}")
        case .sequence(let elements):
            writeStaticString("[")
            for (index, element) in elements.enumerated() {
                if index > 0 { writeStaticString(",") }
                write(element)
            }
            writeStaticString("]")
        case .scalar("", isQuoted: false):
            writeStaticString("null")
        case .scalar(let text, isQuoted: false):
            if let value = jsonValue(text) { writeString(value) } else { writeJSONString(text) }
        case .scalar(let text, isQuoted: true):
            writeJSONString(text)
        }
    }
}
