// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import mcp_proxy

/// A made-up machine with `server` and `docker` in /usr/bin.
func surroundings(
    _ arguments: [String],
    environment: [String: String] = [:],
    files: [String: String] = [:],
    unreadable: Set<String> = []
) -> Surroundings {
    let kinds: [String: FileKind] = [
        "/usr/bin/server": .executable, "/usr/bin/docker": .executable, "/srv": .directory,
        "/srv/bin/run.py": .executable, "/srv/notes": .other, "/bin/sh": .executable,
    ]
    return Surroundings(
        arguments: arguments,
        environment: environment.merging(["PATH": "/nowhere:/usr/bin"]) { given, _ in given },
        processID: "42",
        instanceID: "0123456789abcdef0123456789abcdef",
        read: { path throws(FileError) in
            if unreadable.contains(path) { throw .unreadable("Permission denied") }
            guard let text = files[path] else { throw .missing }
            return text
        },
        list: { directory in
            files.keys.filter { $0.hasPrefix("\(directory)/") }.map { String($0.dropFirst(directory.count + 1)) }
        },
        kind: { kinds[$0] ?? .missing }
    )
}

func configuration(
    _ arguments: [String],
    environment: [String: String] = [:],
    files: [String: String] = [:]
) throws -> Configuration {
    let invocation = try Invocation.interpret(
        surroundings(arguments, environment: environment, files: files),
        warn: { Issue.record("unexpected warning: \($0)") }
    )
    guard case .serve(let configuration) = invocation else { throw NotServing() }
    return configuration.configuration
}

struct NotServing: Error {}

/// The line and the status of the error that the arguments lead to.
func failure(
    _ arguments: [String],
    environment: [String: String] = [:],
    files: [String: String] = [:],
    unreadable: Set<String> = []
) -> (line: String, status: Int32)? {
    do {
        let machine = surroundings(arguments, environment: environment, files: files, unreadable: unreadable)
        _ = try Invocation.interpret(machine, warn: { _ in })
        return nil
    } catch {
        return (error.line, error.status.rawValue)
    }
}

/// What the arguments print, by `--check-config` for example.
func output(
    _ arguments: [String],
    environment: [String: String] = [:],
    files: [String: String] = [:]
) throws -> String {
    let machine = surroundings(arguments, environment: environment, files: files)
    guard case .print(let text) = try Invocation.interpret(machine, warn: { _ in }) else { throw NotServing() }
    return text
}

/// The value and the origin that `--check-config` reports for an option.
func reported(
    _ name: String,
    _ arguments: [String],
    environment: [String: String] = [:],
    files: [String: String] = [:]
) throws -> [String] {
    try output(["--check-config"] + arguments, environment: environment, files: files)
        .split(separator: "\n")
        .filter { $0.hasPrefix("\(name) ") }
        .map { $0.split(separator: " ").dropFirst().joined(separator: " ") }
}
