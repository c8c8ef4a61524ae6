// SPDX-License-Identifier: Apache-2.0

import Upstream

/// The name of an instance that was given none.
struct InstanceName: Equatable {
    var name: String
    /// What it was taken from, in words.
    var source: String

    /// The instance of the systemd unit the process runs in, else the image of a `docker run` command, else the
    /// base name of the command.
    ///
    /// - Parameters:
    ///   - command: Program and arguments with secrets masked: a name ends up in every log line, so what is masked
    ///     does not serve as one.
    ///   - controlGroup: The text of `/proc/self/cgroup`, empty if there is none.
    ///   - isMainProcess: Whether systemd started this very process. A shell that happens to live in a service, as
    ///     after a login over SSH, is not asked for its unit's name.
    static func infer(command: [String], controlGroup: String, isMainProcess: Bool) -> InstanceName {
        if let unit = unit(inControlGroup: controlGroup), isMainProcess || unit.prefix.hasPrefix("mcp") {
            return InstanceName(name: unit.instance, source: "unit \(unit.prefix)@\(unit.instance)")
        }
        if let image = containerImage(in: command) {
            return InstanceName(name: image, source: "container image")
        }
        let program = baseName(command.first ?? "")
        return InstanceName(name: isMasked(program) ? Product.name : program, source: "command")
    }
}

extension InstanceName {
    /// The systemd unit that the process runs in, `mcp@time.service`; empty outside one.
    ///
    /// - Parameter controlGroup: The text of `/proc/self/cgroup`.
    static func unitName(inControlGroup text: String) -> String {
        text.split(separator: "\n").map(baseName).first { $0.hasSuffix(".service") }.map { String($0) } ?? ""
    }
}

/// `0::/system.slice/mcp@time.service` → `mcp` and `time`. The escapes of unit names are undone.
private func unit(inControlGroup text: String) -> (prefix: String, instance: String)? {
    for line in text.split(separator: "\n") {
        let unit = baseName(line)
        guard unit.hasSuffix(".service"), let at = unit.firstIndex(of: "@"), at > unit.startIndex else { continue }
        let instance = unescaped(unit[unit.index(after: at)...].dropLast(8))
        if !instance.isEmpty { return (String(unit[..<at]), instance) }
    }
    return nil
}

/// `a\x2db` → `a-b`, as systemd-escape wrote it.
private func unescaped(_ text: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "x"),
            let digits = String(rest.dropFirst().prefix(2)), digits.utf8.count == 2,
            let value = UInt8(digits, radix: 16)
        {
            bytes.append(value)
            rest = rest.dropFirst(3)
        } else {
            bytes.append(byte)
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}

/// `ghcr.io:443/org/time:1.2@sha256:…` → `time`, for `docker run …`, `podman run …` and the same with
/// `container run`; nil for any other command.
func containerImage(in command: [String]) -> String? {
    guard let program = command.first,
        let run = ContainerRun(program: program, arguments: Array(command.dropFirst()))
    else { return nil }
    let name = baseName(run.image).prefix { $0 != ":" && $0 != "@" }
    return isMasked(name) ? nil : String(name)
}

/// Whether nothing can be read off a word: it is empty, masked, or a variable that the shell is to fill in.
private func isMasked(_ word: some StringProtocol) -> Bool {
    word.isEmpty || word.contains("*") || word.contains("$")
}

/// The part of a path after its last slash.
func baseName(_ path: some StringProtocol) -> String {
    String(path.split(separator: "/").last ?? "")
}
