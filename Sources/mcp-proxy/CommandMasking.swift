// SPDX-License-Identifier: Apache-2.0

private let mask = "***"

/// The words of a command with `***` for what looks like a secret: values of container environment variables,
/// values of options and headers whose name says secret, and credentials in URLs.
///
/// A guess by name, meant for what people write by habit. It rather hides too much.
func maskSecrets(_ words: [String]) -> [String] {
    var masked: [String] = []
    var previous = ""
    for word in words {
        masked.append(maskSecrets(word, after: previous))
        previous = word
    }
    return masked
}

private func maskSecrets(_ word: String, after previous: String) -> String {
    // docker run -e KEY=VALUE, -ie KEY=VALUE, --env KEY=VALUE
    let isEnvFlag = previous == "--env" || (isShortFlag(previous) && previous.hasSuffix("e"))
    if isEnvFlag, let equals = word.firstIndex(of: "=") { return word[...equals] + mask }
    // --env=KEY=VALUE, -eKEY=VALUE
    if word.hasPrefix("--env="), let equals = word.dropFirst(6).firstIndex(of: "=") { return word[...equals] + mask }
    if word.hasPrefix("-e"), let equals = word.firstIndex(of: "=") { return word[...equals] + mask }
    // --token VALUE
    if previous.hasPrefix("-"), !previous.contains("="), !word.hasPrefix("-"), soundsSecret(previous) { return mask }
    if word.contains("://") { return maskURL(word) }
    // --token=VALUE, TOKEN=VALUE, Authorization: VALUE
    if let separator = word.firstIndex(where: { $0 == "=" || $0 == ":" }), soundsSecret(word[..<separator]) {
        return word[...separator] + mask
    }
    return word
}

/// `scheme://user:secret@host/path?key=secret`, possibly after `--flag=`.
private func maskURL(_ word: String) -> String {
    var word = word
    if let scheme = word.utf8.firstRange(of: "://".utf8) {
        let authority = word[scheme.upperBound...].prefix { !"/?#".contains($0) }
        if let at = authority.lastIndex(of: "@") {
            let colon = authority[..<at].firstIndex(of: ":")
            word.replaceSubrange((colon.map { word.index(after: $0) } ?? authority.startIndex)..<at, with: mask)
        }
    }
    guard let question = word.firstIndex(of: "?") else { return word }
    let query = word[word.index(after: question)...].split(separator: "&", omittingEmptySubsequences: false)
    let masked = query.map { parameter in
        guard let equals = parameter.firstIndex(of: "="), soundsSecret(parameter[..<equals]) else {
            return String(parameter)
        }
        return parameter[...equals] + mask
    }
    return word[...question] + masked.joined(separator: "&")
}

private func isShortFlag(_ word: String) -> Bool { word.hasPrefix("-") && !word.hasPrefix("--") }

/// Whether the name of an option, a header or a variable says that its value is a secret.
func soundsSecret(_ name: some StringProtocol) -> Bool {
    let plain = name.lowercased().filter { $0.isLetter }
    return ["token", "secret", "password", "passwd", "passphrase", "apikey", "credential", "authorization"]
        .contains { plain.contains($0) } || ["key", "auth", "pass", "pwd", "pat"].contains { plain.hasSuffix($0) }
}
