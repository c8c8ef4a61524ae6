// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Subprocess
import SystemPackage

/// Asks a container engine something through its client, with the program, the flags before `run` and the environment
/// of the command that runs the server: so it is the same engine, whatever its kind and wherever it is.
struct ContainerClient: Sendable {
    let run: ContainerRun
    let command: Command

    /// What became of one question.
    struct Answer: Sendable {
        /// Nil when there was no answer in time.
        var status: Int32?
        var stdout = ""
        var stderr = ""

        var isSuccess: Bool { status == 0 }
    }

    /// More than any answer that is read.
    private static let outputLimit = 1 << 20

    /// - Parameters:
    ///   - words: The command after the flags that choose the engine.
    ///   - timeout: After that the client is killed.
    func ask(_ words: [String], within timeout: TimeAmount) async -> Answer {
        await withTaskGroup(of: Answer?.self) { group in
            group.addTask { await execute(words) }
            group.addTask {
                try? await Task.sleep(nanoseconds: UInt64(timeout.nanoseconds))
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first ?? Answer(stderr: "no answer within \(timeout.nanoseconds / 1_000_000_000) s")
        }
    }

    private func execute(_ words: [String]) async -> Answer {
        var options = PlatformOptions()
        options.processGroupID = 0
        options.teardownSequence = [.send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .zero)]
        let variables = command.environment.map { (Environment.Key(stringLiteral: $0.key), $0.value) }
        let configuration = Configuration(
            executable: command.program.contains("/")
                ? .path(FilePath(command.program)) : .name(command.program),
            arguments: Arguments(run.globals + words),
            environment: .custom(Dictionary(variables, uniquingKeysWith: { $1 })),
            workingDirectory: command.workingDirectory.map { FilePath($0) },
            platformOptions: options
        )
        do {
            let result = try await Subprocess.run(
                configuration,
                output: .string(limit: Self.outputLimit),
                error: .string(limit: Self.outputLimit)
            )
            let status: Int32? =
                switch result.terminationStatus {
                case .exited(let status): status
                case .signaled: nil
                }
            return Answer(status: status, stdout: result.standardOutput, stderr: result.standardError)
        } catch {
            return Answer(stderr: command.explain(error))
        }
    }
}
