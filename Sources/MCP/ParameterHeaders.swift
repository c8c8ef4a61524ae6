// SPDX-License-Identifier: Apache-2.0

package import JSONRPC
package import NIOCore

/// The arguments of a tool that its clients repeat in headers: those whose schema has `x-mcp-header` (2026-07-28,
/// "Custom Request Headers").
package struct ParameterHeaders: Sendable, Equatable {
    private struct Parameter: Sendable, Equatable {
        /// The name behind `Mcp-Param-`, lowercased.
        var header: String
        /// The names that lead to it from the arguments.
        var path: [String]
    }

    private var parameters: [Parameter] = []

    package var isEmpty: Bool { parameters.isEmpty }

    /// Reads the `inputSchema` of a tool. Only a chain of `properties` can lead to an annotation.
    package init(schema: ByteRange, in message: ByteBuffer) {
        collect(schema, [], in: message)
    }

    private mutating func collect(_ schema: ByteRange, _ path: [String], in message: ByteBuffer) {
        // Deeper than any tool is, and no deeper than the stack allows.
        guard path.count < 32 else { return }
        for member in members(of: schema, in: message) {
            if member.name == "x-mcp-header", !path.isEmpty, let header = message.string(member.value) {
                parameters.append(Parameter(header: header.lowercased(), path: path))
            } else if member.name == "properties" {
                for property in members(of: member.value, in: message) {
                    collect(property.value, path + [property.name], in: message)
                }
            }
        }
    }

    /// What contradicts the arguments, in words; nil when nothing does.
    package func fault(_ headers: RoutingHeaders, arguments: ByteRange?, in message: ByteBuffer) -> String? {
        for parameter in parameters {
            let argument = value(at: parameter.path, in: arguments, message)
            let name = "Mcp-Param-\(parameter.header)"
            switch (headers.parameters[parameter.header], argument) {
            case (nil, nil): continue
            case (nil, .some):
                return "\(name) is missing; it must repeat the argument \(parameter.path.joined(separator: "."))"
            case (.some, nil): return "\(name) repeats an argument that is not there"
            case (let header?, let argument?):
                guard let decoded = HeaderValue.decode(header) else { return "\(name) is not properly encoded" }
                guard matches(decoded, argument, in: message) else {
                    return "\(name) does not repeat the argument \(parameter.path.joined(separator: "."))"
                }
            }
        }
        return nil
    }

    private func value(at path: [String], in range: ByteRange?, _ message: ByteBuffer) -> ByteRange? {
        var range = range
        for name in path {
            range = range.flatMap { object in members(of: object, in: message).last { $0.name == name }?.value }
        }
        return range.flatMap { message.text($0) == "null" ? nil : $0 }
    }

    /// Strings and booleans verbatim, integers by their value: 42.0 is 42.
    private func matches(_ text: String, _ argument: ByteRange, in message: ByteBuffer) -> Bool {
        if let string = message.string(argument) { return text.utf8.elementsEqual(string.utf8) }
        let token = message.text(argument)
        if text.utf8.elementsEqual(token.utf8) { return true }
        guard let left = integer(text), let right = integer(token) else { return false }
        return left == right
    }

    /// The digits of an integer, which may have a fraction of zeros; nil when the text is none.
    private func integer(_ text: String) -> String? {
        let isNegative = text.hasPrefix("-")
        let parts = text.dropFirst(isNegative ? 1 : 0).split(separator: ".", omittingEmptySubsequences: false)
        let digits = parts[0].utf8
        guard parts.count <= 2, !digits.isEmpty, digits.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
            digits.count == 1 || digits.first != UInt8(ascii: "0")
        else { return nil }
        if parts.count == 2 {
            guard !parts[1].isEmpty, parts[1].utf8.allSatisfy({ $0 == UInt8(ascii: "0") }) else { return nil }
        }
        return (isNegative && parts[0] != "0" ? "-" : "") + parts[0]
    }
}
