// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// What a child runs. Never shown to anyone but the operating system: arguments and environment carry secrets.
package struct Command: Sendable, Equatable {
    /// A path when it contains a slash, otherwise a name that is looked up in the `PATH` of `environment` (of the
    /// proxy, when that has none).
    package var program: String
    /// The arguments after the program's name.
    package var arguments: [String]
    /// The whole environment of the process; nothing is inherited.
    package var environment: [String: String]
    /// Where it runs; nil for the proxy's own working directory.
    package var workingDirectory: String?

    package init(
        program: String,
        arguments: [String] = [],
        environment: [String: String] = [:],
        workingDirectory: String? = nil
    ) {
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
    }
}

/// The limits of one supervised child.
package struct ChildOptions: Sendable {
    /// The longest line of stdout in bytes, without its terminator; a longer one is thrown away and reported.
    package var maxLine = 64 * 1024 * 1024
    /// From closing stdin to SIGTERM, when the child is stopped.
    package var stopGrace: TimeAmount = .seconds(2)
    /// From SIGTERM to SIGKILL.
    package var termGrace: TimeAmount = .seconds(2)
    /// When a process that ended is started again.
    package var restart = RestartPolicy.Settings()
    /// What is passed on of stderr.
    package var stderr = StderrLog.Limits()

    package init() {}
}
