// SPDX-License-Identifier: Apache-2.0

/// What the process exits with. The numbers follow `sysexits.h` and, for a missing command, the shell.
enum ExitStatus: Int32, CaseIterable {
    case ok = 0
    /// A bad flag or value.
    case usage = 64
    /// The address cannot be bound.
    case unavailable = 69
    /// The proxy itself failed.
    case internalError = 70
    /// The configuration file, the env file or a `${NAME}` from them is not usable.
    case configuration = 78
    /// The child's command does not exist or cannot be executed.
    case commandNotFound = 127

    /// One phrase for `--help`.
    var meaning: String {
        switch self {
        case .ok: "stopped as asked"
        case .usage: "bad flag or value"
        case .unavailable: "cannot listen on the address"
        case .internalError: "internal error"
        case .configuration: "bad configuration file, env file or ${NAME}"
        case .commandNotFound: "command not found"
        }
    }
}

/// Why the proxy does not start: one line that says what is wrong and how to mend it.
struct ConfigurationError: Error, Equatable {
    var status: ExitStatus
    /// What is wrong. Never holds a secret value or a line break.
    var problem: String
    /// How to mend it, in the imperative.
    var remedy: String

    init(_ status: ExitStatus, _ problem: String, _ remedy: String) {
        self.status = status
        self.problem = problem
        self.remedy = remedy
    }

    /// The line for stderr, without its line break.
    var line: String { "\(Product.name): \(problem); \(remedy)" }
}
