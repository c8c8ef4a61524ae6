// SPDX-License-Identifier: Apache-2.0

// `environ` and `stderr` are plain global variables of C; nothing in this process writes them.
@preconcurrency import Glibc

/// What the command line is judged against: the words, the environment and the file system. A value, so that
/// tests can make one up.
struct Surroundings: Sendable {
    /// The words after the program's name.
    var arguments: [String]
    var environment: [String: String]
    /// The id of this process, in decimal.
    var processID: String
    /// Names this run of the proxy among all others: what systemd calls it, or 128 random bits.
    var instanceID: String
    /// The text of a small file.
    var read: @Sendable (_ path: String) throws(FileError) -> String
    /// The names of what lies in a directory, in no order; none if it cannot be read.
    var list: @Sendable (_ directory: String) -> [String]
    /// What a path leads to, following links.
    var kind: @Sendable (_ path: String) -> FileKind

    /// Those of this process.
    static var live: Surroundings {
        let environment = processEnvironment()
        return Surroundings(
            arguments: Array(CommandLine.arguments.dropFirst()),
            environment: environment,
            processID: String(getpid()),
            instanceID: environment["INVOCATION_ID"] ?? randomID(),
            read: readFile,
            list: listDirectory,
            kind: fileKind
        )
    }
}

/// Why a file could not be read.
enum FileError: Error, Equatable {
    case missing
    /// With the system's words for it.
    case unreadable(String)

    var reason: String {
        switch self {
        case .missing: "does not exist"
        case .unreadable(let reason): "cannot be read (\(reason))"
        }
    }
}

enum FileKind: Sendable {
    case missing
    case directory
    /// A file that this process may execute.
    case executable
    case other
}

/// 128 bits, as systemd writes them.
private func randomID() -> String {
    let digits = String(UInt128.random(in: .min ... .max), radix: 16)
    return String(repeating: "0", count: 32 - digits.count) + digits
}

private func processEnvironment() -> [String: String] {
    var environment: [String: String] = [:]
    var entry = environ
    while let variable = entry.pointee {
        let text = String(cString: variable)
        // Of two entries with one name, getenv finds the first.
        if let equals = text.firstIndex(of: "="), environment[String(text[..<equals])] == nil {
            environment[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        entry += 1
    }
    return environment
}

/// Configuration files are small; something larger is the wrong file, or a device.
private let largestFile = 1 << 20

@Sendable func readFile(_ path: String) throws(FileError) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
        throw errno == ENOENT || errno == ENOTDIR ? .missing : .unreadable(systemError())
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = Glibc.read(descriptor, &chunk, chunk.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw .unreadable(systemError()) }
        if count == 0 { break }
        bytes += chunk[..<count]
        guard bytes.count <= largestFile else { throw .unreadable("larger than \(formatSize(largestFile))") }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw .unreadable("not UTF-8 text") }
    return text
}

@Sendable private func listDirectory(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        names.append(name)
    }
    return names
}

@Sendable private func fileKind(_ path: String) -> FileKind {
    var status = stat()
    guard stat(path, &status) == 0 else { return .missing }
    if status.st_mode & S_IFMT == S_IFDIR { return .directory }
    return status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0 ? .executable : .other
}

func systemError() -> String { String(cString: strerror(errno)) }

/// Writes all of `text` to a descriptor. A reader that went away is no concern of the writer, and one that does not read
/// is given half a second.
func write(_ text: String, to descriptor: Int32) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        var writable = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&writable, 1, 500) > 0 else { return }
        let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return }
        rest = rest.dropFirst(count)
    }
}
