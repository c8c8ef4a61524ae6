// SPDX-License-Identifier: Apache-2.0

/// A `docker run` or `podman run` command, read as the engine's own client reads it: what stands before `run`, the flags
/// after it, the image, and what the container is to run.
///
/// Pure: nothing is asked of an engine.
package struct ContainerRun: Sendable, Equatable {
    /// The client, by the name of its program.
    package enum Client: String, Sendable {
        case docker, podman, nerdctl
    }

    /// One flag of `run`. `-it` is two of them.
    package struct Flag: Sendable, Equatable {
        /// The long name, without dashes; a letter without a long name stays a letter.
        package var name: String
        /// What follows it; nil for a flag that takes none and was given none.
        package var value: String?
    }

    package let client: Client
    /// The words before `run`, such as `--host` and its value: what every other command to the same engine needs, too.
    package let globals: [String]
    package let flags: [Flag]
    /// Empty when there is none, as after a flag that is unknown and seems to take it for its value.
    package let image: String
    /// The command line without the program, up to and including `run`, and everything after it.
    private let head: [String]
    private let tail: [String]

    /// - Returns: Nil for any other command.
    package init?(program: String, arguments: [String]) {
        let name = program.split(separator: "/").last.map(String.init) ?? ""
        guard let client = Client(rawValue: name) else { return nil }
        var reader = FlagReader(arguments[...])
        _ = reader.flags(without: FlagNames.globalSwitches, letters: FlagNames.globalLetters)
        let globals = Array(arguments[..<reader.words.startIndex])
        if reader.words.first == "container" { reader.words.removeFirst() }
        guard reader.words.first == "run" else { return nil }
        reader.words.removeFirst()
        let flagsStart = reader.words.startIndex
        let flags = reader.flags(without: FlagNames.runSwitches, letters: FlagNames.runLetters)
        let image = reader.words.first ?? ""
        self.client = client
        self.globals = globals
        self.flags = flags
        self.image = image
        head = Array(arguments[..<flagsStart])
        tail = Array(arguments[flagsStart...])
    }

    /// Whether the proxy can look after its containers: what nerdctl is asked and answers differs in too much.
    package var isManageable: Bool { client != .nerdctl }

    /// What the last flag of this name was given; nil when there is none.
    package func value(of name: String) -> String? { flags.last { $0.name == name }?.value }

    package func has(_ name: String) -> Bool { flags.contains { $0.name == name } }

    /// Whether a switch is on.
    package func isOn(_ name: String) -> Bool {
        guard let flag = flags.last(where: { $0.name == name }) else { return false }
        return flag.value.map { ["1", "t", "true"].contains($0.lowercased()) } ?? true
    }

    /// The name the user gave the container.
    package var name: String? { value(of: "name") }

    /// Whether the client sees the image to be newer before each start, or only that it is there.
    package var pullPolicy: PullPolicy {
        switch value(of: "pull") {
        case nil, "missing": .missing
        case "always", "true": .always
        default: .byClient
        }
    }

    package enum PullPolicy: Sendable {
        case missing, always
        /// `never`, and what only the client understands.
        case byClient
    }

    /// The arguments that run the container under this name and with these labels, and as a child of a supervisor has to
    /// be run, as far as the user did not say otherwise:
    ///
    /// * `--init`: a server without a handler for SIGTERM ignores it as process 1, so it could only be killed.
    /// * `--log-driver none`: by default the engine writes every answer of the server to its disk.
    /// * `--rm`: each start is a container of its own.
    package func arguments(name: String, labels: [String]) -> [String] {
        var added: [String] = []
        if self.name == nil { added += ["--name", name] }
        for label in labels { added += ["--label", label] }
        if !has("init") { added.append("--init") }
        if !has("log-driver"), !has("log-opt") { added += ["--log-driver", "none"] }
        if removesItself, !has("rm") { added.append("--rm") }
        return head + added + tail
    }

    /// Whether the engine removes the container when it has ended.
    package var removesItself: Bool {
        if has("rm") { return isOn("rm") }
        // The engine refuses both together.
        return (value(of: "restart") ?? "no") == "no"
    }

    /// The command that pulls the image from where `run` would pull it, without `globals`.
    package var pullCommand: [String] {
        let kept = flags.filter { FlagNames.pull.contains($0.name) }
        let words = kept.map { flag in "--\(flag.name)" + (flag.value.map { "=\($0)" } ?? "") }
        return ["pull"] + words + [image]
    }
}

/// Takes flags off the front of a command line by the rules of the clients (pflag).
private struct FlagReader {
    var words: ArraySlice<String>

    init(_ words: ArraySlice<String>) { self.words = words }

    /// Every flag takes a value that is not named as one that does not: the flags without a value are the few.
    mutating func flags(without switches: Set<String>, letters: Set<Character>) -> [ContainerRun.Flag] {
        var flags: [ContainerRun.Flag] = []
        while let word = words.first, word.hasPrefix("-"), word != "-" {
            words.removeFirst()
            if word == "--" { break }
            if word.hasPrefix("--") {
                flags.append(long(word.dropFirst(2), switches))
            } else {
                flags += short(word.dropFirst(), letters)
            }
        }
        return flags
    }

    private mutating func long(_ word: Substring, _ switches: Set<String>) -> ContainerRun.Flag {
        if let equals = word.firstIndex(of: "=") {
            return .init(name: String(word[..<equals]), value: String(word[word.index(after: equals)...]))
        }
        let name = String(word)
        return .init(name: name, value: switches.contains(name) ? nil : words.popFirst())
    }

    /// `-it`, `-eKEY=VALUE`, `-ie KEY`, `-t=false`.
    private mutating func short(_ word: Substring, _ letters: Set<Character>) -> [ContainerRun.Flag] {
        var flags: [ContainerRun.Flag] = []
        var rest = word
        while let letter = rest.popFirst() {
            let name = FlagNames.ofLetter[letter] ?? String(letter)
            if rest.first == "=" {
                flags.append(.init(name: name, value: String(rest.dropFirst())))
                break
            }
            if letters.contains(letter) {
                flags.append(.init(name: name, value: nil))
            } else {
                flags.append(.init(name: name, value: rest.isEmpty ? words.popFirst() : String(rest)))
                break
            }
        }
        return flags
    }
}

/// The flags of Docker and Podman together.
private enum FlagNames {
    static let globalSwitches: Set<String> = [
        "debug", "help", "remote", "syslog", "tls", "tlsverify", "transient-store", "version",
    ]
    static let globalLetters: Set<Character> = ["D", "r", "v"]
    static let runSwitches: Set<String> = [
        "detach", "disable-content-trust", "env-host", "help", "http-proxy", "init", "interactive", "no-healthcheck",
        "no-hostname", "no-hosts", "oom-kill-disable", "passwd", "privileged", "publish-all", "quiet", "read-only",
        "read-only-tmpfs", "replace", "rm", "rmi", "rootfs", "sig-proxy", "tls-verify", "tty", "unsetenv-all",
        "use-api-socket",
    ]
    static let runLetters: Set<Character> = ["d", "i", "t", "P", "q"]
    static let ofLetter: [Character: String] = [
        "a": "attach", "c": "cpu-shares", "d": "detach", "e": "env", "h": "hostname", "i": "interactive",
        "l": "label", "m": "memory", "p": "publish", "P": "publish-all", "q": "quiet", "t": "tty", "u": "user",
        "v": "volume", "w": "workdir",
    ]
    /// Those that `pull` has as well.
    static let pull: Set<String> = [
        "arch", "authfile", "cert-dir", "creds", "disable-content-trust", "os", "platform", "tls-verify", "variant",
    ]
}
