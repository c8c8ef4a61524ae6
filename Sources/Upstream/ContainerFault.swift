// SPDX-License-Identifier: Apache-2.0

package import Events
import Glibc

/// What a container engine's client could not do, told in one clause with the way to mend it.
package struct ContainerFault: Sendable, Equatable, Error {
    /// `engine`, or `spawnFailed` when the engine did its part and the image can't do its own.
    package var reason: ExitReason
    package var detail: String
    /// False when the engine did not answer at all.
    package var isEngineReachable = true
}

extension ContainerRun {
    /// What the client failed at, by its own words: those of the engine reach its stderr through it.
    package func fault(stderr: String) -> ContainerFault {
        knownFault(stderr: stderr)
            ?? ContainerFault(
                reason: .engine,
                detail: "\(client.rawValue) could not run the image '\(image)'; its own words are on stderr"
            )
    }

    /// The same; nil when the words say nothing that is known here.
    package func knownFault(stderr: String) -> ContainerFault? {
        let words = stderr.lowercased()
        if let detail = unreachable(words) {
            return ContainerFault(reason: .engine, detail: detail, isEngineReachable: false)
        }
        let match = Complaint.table.first { $0.signs.contains { words.contains($0) } }
        return match.map { ContainerFault(reason: $0.reason, detail: $0.text(self)) }
    }

    private func unreachable(_ words: String) -> String? {
        if words.contains("permission denied while trying to connect") {
            return "this user may not use the socket of \(client.rawValue): add the user to the group docker, which is "
                + "as good as root, or use rootless Podman"
        }
        let signs = [
            "cannot connect to the docker daemon", "is the docker daemon running", "error during connect",
            "cannot connect to podman", "unable to connect to podman",
            // It went away while the container ran.
            "error waiting for container",
        ]
        guard signs.contains(where: words.contains) else { return nil }
        let remedy =
            client == .docker ? "start it (systemctl start docker), or correct DOCKER_HOST" : "start its service"
        return "the engine of \(client.rawValue) can't be reached: \(remedy)"
    }

    /// How the process ended that `termination` tells of, with what a container's exit status means.
    ///
    /// The client passes on the container's own exit status, in which 128 + N stands for the signal N, and has three of
    /// its own: 125 when it or the engine failed, 126 and 127 when the engine could not run the program. A server may
    /// exit with those as well, so the engine must be heard to speak.
    ///
    /// - Parameter stderr: The last the client wrote, which ends with what the engine said.
    package func ending(_ termination: Termination, stderr: String) -> ContainerEnding {
        guard case .exited(let status) = termination else {
            if case .outOfMemory = termination {
                return ContainerEnding(.outOfMemory, detail: "raise --memory, or mend the server")
            }
            return ContainerEnding(.signal, detail: "the client itself (\(client.rawValue) run) was killed")
        }
        let words = stderr.lowercased()
        switch status {
        case 125:
            let fault = fault(stderr: stderr)
            return ContainerEnding(fault.reason, detail: fault.detail)
        case 126, 127:
            let isTheEngines = ["error response from daemon", "oci ", "runc", "crun", "tini", "catatonit"].contains(
                where: words.contains
            )
            guard isTheEngines else { return ContainerEnding(.exit) }
            let fault = fault(stderr: stderr)
            return ContainerEnding(fault.reason, detail: fault.detail)
        case 1 where words.contains("the input device is not a tty"), 255 where words.contains("exec format error"),
            1 where words.contains("exec format error"):
            let fault = fault(stderr: stderr)
            return ContainerEnding(fault.reason, detail: fault.detail)
        case 128 + SIGKILL:
            let how = "docker kill, docker rm -f".replacing("docker", with: client.rawValue)
            return ContainerEnding(.signal, signal: SIGKILL, detail: "from outside of the proxy (\(how), or the host)")
        case 128 + SIGTERM:
            return ContainerEnding(
                .signal,
                signal: SIGTERM,
                detail: "from outside of the proxy (\(client.rawValue) stop, or the engine was shut down)"
            )
        case 128 + SIGSEGV:
            return ContainerEnding(.signal, signal: SIGSEGV, detail: "a memory fault in the server")
        case 128 + SIGABRT, 128 + SIGBUS, 128 + SIGFPE, 128 + SIGILL, 128 + SIGHUP, 128 + SIGINT, 128 + SIGQUIT:
            return ContainerEnding(.signal, signal: status - 128)
        case 0 where isOn("detach"):
            return ContainerEnding(.exit, detail: "-d detaches the container from the proxy: leave it out")
        case 0 where !isOn("interactive"):
            return ContainerEnding(.exit, detail: "without -i it has no stdin to read requests from: add -i")
        default:
            return ContainerEnding(.exit)
        }
    }
}

/// How a container ended.
package struct ContainerEnding: Sendable, Equatable {
    package var reason: ExitReason
    package var signal: Int32?
    package var detail: String?

    init(_ reason: ExitReason, signal: Int32? = nil, detail: String? = nil) {
        self.reason = reason
        self.signal = signal
        self.detail = detail
    }
}

/// Words of the engines, and what they mean to the operator.
private struct Complaint: Sendable {
    /// Any of these, in lower case.
    var signs: [String]
    var reason = ExitReason.engine
    var text: @Sendable (ContainerRun) -> String

    /// In the order they are looked for: some words are part of what is said in other cases, too.
    static let table = [
        Complaint(signs: ["docker-init\": exec", "container-init", "init binary"]) { _ in
            "the engine has no init program for containers: install tini (Docker) or catatonit (Podman), or add "
                + "--init=false"
        },
        Complaint(signs: ["the input device is not a tty"]) { _ in
            "-t needs a terminal, which an MCP server has not: leave it out"
        },
        Complaint(signs: ["exec format error"], reason: .spawnFailed) {
            "the image '\($0.image)' is built for another processor: pull it with the right --platform"
        },
        Complaint(signs: ["invalid reference format"]) { "the image name '\($0.image)' is malformed: correct it" },
        Complaint(signs: ["toomanyrequests", "rate limit"]) {
            "the registry allows no more pulls of '\($0.image)' for now: log in there, or try later"
        },
        Complaint(
            signs: [
                "pull access denied", "repository does not exist", "manifest unknown", "manifest for", "no such image",
                "image not known", "name unknown", "did not resolve to an alias",
            ]
        ) {
            "the image '\($0.image)' was not found: correct its name and tag, build it, or log in to its registry"
        },
        Complaint(signs: ["unauthorized", "authentication required", "no basic auth credentials", "access denied"]) {
            "the registry refuses the image '\($0.image)': log in with \($0.client.rawValue) login"
        },
        Complaint(signs: ["no space left on device"]) {
            "the engine's disk is full: make room, for instance with \($0.client.rawValue) system prune"
        },
        Complaint(signs: ["is already in use"]) {
            "the container name '\($0.name ?? "")' is taken: remove the other container, or leave --name out"
        },
        Complaint(signs: ["port is already allocated", "address already in use"]) { _ in
            "a published port is taken: free it, or leave -p out, which an MCP server on stdio does not need"
        },
        Complaint(signs: ["bind source path does not exist", "invalid mount config", "error mounting", "statfs"]) { _ in
            "a volume can't be mounted: see that its path exists"
        },
        Complaint(signs: ["dial tcp", "no such host", "i/o timeout", "tls handshake", "connection refused", "registry"])
        {
            "the registry of the image '\($0.image)' can't be reached: look at network and DNS, or load the image by hand"
        },
        Complaint(signs: ["unknown flag", "unknown shorthand flag", "flag needs an argument", "invalid argument"]) {
            "\($0.client.rawValue) run does not know a flag of the command: correct it"
        },
        Complaint(signs: ["executable file not found", "no such file or directory"], reason: .spawnFailed) {
            "the image '\($0.image)' has no such program: correct its ENTRYPOINT, or the words after its name"
        },
        Complaint(signs: ["permission denied"], reason: .spawnFailed) {
            "the program in the image '\($0.image)' is not executable: mend the image"
        },
    ]
}
