// SPDX-License-Identifier: Apache-2.0

import Upstream

/// The words of a command whose secrets are handed to its container by name.
struct ContainerSecrets {
    /// `-e KEY` for `-e KEY=VALUE` where the value is a secret: `ps` shows command lines to everybody.
    var words: [CommandWord]
    /// What the client of the engine needs in its environment for that.
    var variables: [String: String] = [:]

    /// The letters of flags of `run` that take no value.
    fileprivate static let switches: Set<Character> = ["d", "i", "t", "P", "q"]

    /// Every value that came from a variable is a secret, and every one whose name says so. Words after the image
    /// belong to the server and stay as they are, and so does any other command than `docker run` and its like.
    init(_ words: [CommandWord]) {
        self.words = words
        guard let program = words.first?.text else { return }
        let arguments = words.dropFirst().map(\.text)
        guard let run = ContainerRun(program: program, arguments: arguments) else { return }
        // As many words stand before the image as it takes for one to be found.
        let end = arguments.indices.first { index in
            ContainerRun(program: program, arguments: Array(arguments[...index]))?.image.isEmpty == false
        }
        for flag in run.flags where flag.name == "env" {
            guard let value = flag.value, let equals = value.firstIndex(of: "=") else { continue }
            let name = String(value[..<equals])
            guard !isReadByClient(name) else { continue }
            let candidates = self.words.indices.dropFirst().prefix(end ?? arguments.count)
            for index in candidates where isEnvironment(self.words[index].text, value) {
                let word = self.words[index]
                guard word.text != word.shown || soundsSecret(name) else { continue }
                variables[name] = String(value[value.index(after: equals)...])
                let text = word.text.dropLast(value.count) + name
                self.words[index] = CommandWord(text: String(text), shown: String(text))
            }
        }
    }
}

/// Whether a word before the image gives this `KEY=VALUE`, alone or with its flag.
private func isEnvironment(_ word: String, _ value: String) -> Bool {
    guard word.hasSuffix(value) else { return false }
    let flag = word.dropLast(value.count)
    if flag.isEmpty || flag == "--env=" { return true }
    // -e, -ite, -e=
    let letters = flag.hasSuffix("=") ? flag.dropLast() : flag
    return letters.hasPrefix("-") && letters.hasSuffix("e")
        && letters.dropFirst().dropLast().allSatisfy { ContainerSecrets.switches.contains($0) }
}

/// Whether the client of an engine goes by this variable itself: set for the container, it would change the client.
private func isReadByClient(_ name: String) -> Bool {
    ["HOME", "PATH", "TMPDIR", "USER"].contains(name) || name.uppercased().hasSuffix("_PROXY")
        || ["BUILDKIT_", "BUILDX_", "CONTAINER", "DOCKER_", "LD_", "SSH_", "XDG_"].contains { name.hasPrefix($0) }
}
