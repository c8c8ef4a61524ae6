// SPDX-License-Identifier: Apache-2.0

package import Events
import Glibc
package import NIOCore
import Synchronization

/// The containers of one proxy: gives each its name and labels, has its image pulled, finds out how it ended, and sees
/// to it that none is left.
///
/// The end of the client (`docker run`) does not end the container. So what the client does not report the end of is
/// removed by name, and what a killed proxy left is found by label when the next one starts. All of it is done by asking
/// the engine through its client, off the event loop and within bounds.
package final class ContainerKeeper: Sendable {
    /// The labels by which containers of a proxy are known.
    package static let instanceLabel = "mcp-proxy.instance"
    package static let ownerLabel = "mcp-proxy.owner"
    /// One for each start, also when the container has a name of the user's: others may have that, too.
    package static let startLabel = "mcp-proxy.start"

    /// How long the engine may take.
    package struct Patience: Sendable {
        /// For a question about an image or about containers.
        package var question = TimeAmount.seconds(10)
        /// For a pull.
        package var pull = TimeAmount.hours(1)
        /// For the removal of a container.
        package var removal = TimeAmount.seconds(20)
        /// For the question why a container was killed, which its calls wait for.
        package var evidence = TimeAmount.seconds(2)
        /// When to look again whether a container is gone that could not be removed, or that the engine may create
        /// although its client was killed.
        package var retries: [TimeAmount] = [.seconds(2), .seconds(8), .seconds(30)]

        package init() {}
    }

    /// A container that is to be started.
    struct Prepared: Sendable {
        /// What `startLabel` says, and the name unless the user gave one.
        let start: String
        let command: Command
        let facts: Event.ContainerStarted
    }

    /// A container to be removed.
    enum Target: Hashable {
        /// That of a start.
        case start(String)
        case id(String)
    }

    private struct State {
        /// The starts whose containers are in use.
        var live: Set<String> = []
        /// What should be gone and could not be removed yet.
        var leftovers: Set<Target> = []
        /// Whether what predecessors left has been looked for.
        var isSwept = false
        /// Nil before the engine was asked anything.
        var isEngineUp: Bool?
    }

    /// How long the engine may take to hear what the kernel did, in nanoseconds.
    private static let evidenceDelay = 100_000_000

    package let run: ContainerRun
    private let command: Command
    private let client: ContainerClient
    private let instance: String
    /// In the names of all containers of this run of the proxy.
    private let runID: String
    private let owner: ContainerOwner
    private let patience: Patience
    private let spawner: Spawner
    private let report: @Sendable (Event) -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - command: What runs the container, and what it was read as.
    ///   - instance: The name of this proxy: what carries it and has no owner any more is removed.
    ///   - spawner: Whose tasks try again what could not be removed.
    ///   - report: Called from any thread.
    package init(
        run: ContainerRun,
        command: Command,
        instance: String,
        spawner: Spawner,
        patience: Patience = Patience(),
        report: @escaping @Sendable (Event) -> Void
    ) {
        self.run = run
        self.command = command
        self.client = ContainerClient(run: run, command: command)
        self.instance = instance
        self.runID = String(UInt32.random(in: .min ... .max) | 0x1000_0000, radix: 16)
        self.owner = .current()
        self.patience = patience
        self.spawner = spawner
        self.report = report
    }

    /// Containers that should be gone and are not.
    package var orphans: Int { state.withLock { $0.leftovers.count } }
    /// Whether the engine answered the last question; nil before the first.
    package var isEngineUp: Bool? { state.withLock { $0.isEngineUp } }

    // MARK: Start

    /// Does what has to be done before a container can be started: removes what predecessors left and has the image
    /// pulled when it is missing. Ends early when its task is cancelled.
    func prepare(link: Int, generation: Int) async throws(ContainerFault) -> Prepared {
        let start = Self.name(instance: instance, run: runID, link: link, generation: generation)
        async let swept: Void = sweep()
        let found: Result<ImageFacts?, ContainerFault>
        do throws(ContainerFault) {
            found = .success(try await image(link: link, generation: generation))
        } catch {
            found = .failure(error)
        }
        // Leaving earlier, without an image, would cancel it.
        await swept
        let image = try found.get()
        state.withLock { _ = $0.live.insert(start) }
        var command = command
        command.arguments = run.arguments(
            name: start,
            labels: [
                "\(Self.instanceLabel)=\(instance)", "\(Self.ownerLabel)=\(owner.label)", "\(Self.startLabel)=\(start)",
            ]
        )
        return Prepared(
            start: start,
            command: command,
            facts: Event.ContainerStarted(
                link: link,
                generation: generation,
                container: run.name ?? start,
                image: run.image,
                imageID: image?.id ?? "",
                digest: image?.digest ?? ""
            )
        )
    }

    /// `mcp-time-3f2a9c1b-0-1`: an instance, a run of its proxy, a child of it, a process of that.
    static func name(instance: String, run: String, link: Int, generation: Int) -> String {
        let allowed = instance.unicodeScalars.map { scalar in
            scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)) ? Character(scalar) : "-"
        }
        return "mcp-\(String(allowed.prefix(40)))-\(run)-\(link)-\(generation)"
    }

    private func image(link: Int, generation: Int) async throws(ContainerFault) -> ImageFacts? {
        guard !run.image.isEmpty else { return nil }
        let known = try await inspectImage()
        switch run.pullPolicy {
        case .byClient: return known
        case .missing where known != nil: return known
        case .missing, .always: break
        }
        report(.imagePulling(link: link, generation: generation, image: run.image))
        let start = NIODeadline.now()
        let answer = await ask(run.pullCommand, within: patience.pull)
        let fault = answer.isSuccess ? nil : run.fault(stderr: answer.stderr)
        report(
            .imagePulled(
                link: link,
                generation: generation,
                image: run.image,
                duration: .now() - start,
                problem: Task.isCancelled ? "the start was given up" : fault?.detail
            )
        )
        if let fault { throw fault }
        return try await inspectImage()
    }

    private func inspectImage() async throws(ContainerFault) -> ImageFacts? {
        let words = ["image", "inspect", "--format", "{{.Id}} {{json .RepoDigests}}", run.image]
        let answer = await ask(words, within: patience.question)
        if answer.isSuccess { return ImageFacts(image: run.image, inspection: answer.stdout) }
        let fault = run.fault(stderr: answer.stderr)
        guard answer.status != nil else {
            let detail = "the engine of \(run.client.rawValue) did not say whether it has the image: \(answer.stderr)"
            throw ContainerFault(reason: .engine, detail: detail, isEngineReachable: false)
        }
        guard fault.isEngineReachable else { throw fault }
        return nil
    }

    // MARK: End

    /// What the end of a container's client says about the container; nil when the proxy itself decided the end.
    ///
    /// - Parameter stderr: The last the client wrote.
    func ending(of exit: ChildLifecycle.Exit, stderr: String) -> ContainerEnding? {
        guard let termination = exit.termination else { return nil }
        switch exit.reason {
        case .exit, .signal, .outOfMemory:
            let ending = run.ending(termination, stderr: stderr)
            if ending.reason == .engine, !run.fault(stderr: stderr).isEngineReachable {
                heard(false, ContainerClient.Answer(status: 125, stderr: stderr))
            }
            return ending
        default: return nil
        }
    }

    /// How a container's client ended, with what the engine knows of it.
    func ended(_ termination: Termination, start: String) async -> Termination {
        guard termination == .exited(status: 128 + 9), run.client != .podman else { return termination }
        // The container is gone by then (--rm), what happened to it is remembered. A bound like 0s would leave out what
        // happened in this very second; a little later is better, since the engine is told by another process.
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let nanoseconds = Int(now.tv_nsec) + Self.evidenceDelay
        let digits = String(1_000_000_000 + nanoseconds % 1_000_000_000).dropFirst()
        let until = "\(now.tv_sec + nanoseconds / 1_000_000_000).\(digits)"
        let words = [
            "events", "--since", "1h", "--until", until, "--filter", "label=\(Self.startLabel)=\(start)",
            "--filter", "event=oom", "--format", "{{.Action}}",
        ]
        let answer = await ask(words, within: patience.evidence)
        return answer.stdout.contains("oom") ? .outOfMemory(status: 128 + 9) : termination
    }

    /// Sees to it that a container whose client ended is gone.
    ///
    /// - Returns: Once it is, or once that could not be had; it is tried again later then.
    func release(_ start: String, after termination: Termination) async {
        let target = Target.start(start)
        defer { state.withLock { _ = $0.live.remove(start) } }
        // Of a container that removes itself the client tells the end when it is removed.
        let isTold: Bool
        if case .exited(let status) = termination { isTold = status != 125 } else { isTold = false }
        if isTold, run.removesItself, run.value(of: "sig-proxy") == nil { return }
        let isGone = await remove(target)
        if isGone, isTold { return }
        if !isGone { report(.containersRemoved(count: 0, left: 1)) }
        removeLater(target)
    }

    /// Looks again for what could not be removed, or what the engine may be busy creating although its client was
    /// killed: after each pause, and then for as long as it is there. At the end of the proxy it is left to its successor.
    private func removeLater(_ target: Target) {
        spawner.submit(chore: { [self] in
            var pauses = patience.retries[...]
            repeat {
                let pause = pauses.popFirst() ?? patience.retries.last ?? .seconds(30)
                // The one error is that the proxy ends.
                guard (try? await Task.sleep(nanoseconds: UInt64(pause.nanoseconds))) != nil else { return }
                _ = await remove(target)
            } while !pauses.isEmpty || state.withLock { $0.leftovers.contains(target) }
        })
    }

    /// Kills and removes a container. True when there is no such one any more.
    private func remove(_ target: Target) async -> Bool {
        let isGone = await isRemoved(target)
        state.withLock { state in
            if isGone { state.leftovers.remove(target) } else { state.leftovers.insert(target) }
        }
        return isGone
    }

    private func isRemoved(_ target: Target) async -> Bool {
        var names: [String]
        switch target {
        case .id(let id): names = [id]
        case .start(let start):
            names = [start]
            if run.name != nil {
                // By its name somebody else's might be meant.
                let filter = "label=\(Self.startLabel)=\(start)"
                let answer = await ask(["ps", "--all", "--quiet", "--filter", filter], within: patience.question)
                guard answer.isSuccess else { return false }
                names = answer.stdout.split(separator: "\n").map(String.init)
                if names.isEmpty { return true }
            }
        }
        // Docker kills at once, Podman only when it is told not to wait for the server.
        let flags = run.client == .podman ? ["--force", "--time", "0"] : ["--force"]
        let answer = await ask(["rm"] + flags + names, within: patience.removal)
        let words = answer.stderr.lowercased()
        return answer.isSuccess || words.contains("no such container") || words.contains("no container with name")
            || words.contains("already in progress")
    }

    /// Removes, once, what carries the name of this instance and belongs to no living proxy. A predecessor that was
    /// killed could not do so itself.
    private func sweep() async {
        guard !state.withLock({ $0.isSwept }) else { return }
        let label = run.client == .podman ? "index .Labels" : ".Label"
        let words = [
            "ps", "--all", "--no-trunc", "--filter", "label=\(Self.instanceLabel)=\(instance)", "--format",
            "{{.ID}}\t{{\(label) \"\(Self.ownerLabel)\"}}\t{{\(label) \"\(Self.startLabel)\"}}",
        ]
        let answer = await ask(words, within: patience.question)
        guard answer.isSuccess else { return }
        let live = state.withLock { state in
            state.isSwept = true
            return state.live
        }
        let ids = Self.abandoned(in: answer.stdout, seenFrom: owner, live: live) { ContainerOwner.startTicks(of: $0) }
        guard !ids.isEmpty else { return }
        var removed = 0
        for id in ids {
            if await remove(.id(id)) { removed += 1 } else { removeLater(.id(id)) }
        }
        report(.containersRemoved(count: removed, left: ids.count - removed))
    }

    /// The containers of a list (`ID TAB OWNER TAB START`) that belong to nobody who lives.
    static func abandoned(
        in list: String,
        seenFrom here: ContainerOwner,
        live: Set<String>,
        startTicks: (Int32) -> String?
    ) -> [String] {
        list.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard parts.count == 3, let owner = ContainerOwner(label: String(parts[1])) else { return nil }
            let isAbandoned =
                owner == here
                ? !live.contains(String(parts[2])) : owner.isGone(seenFrom: here, startTicks: startTicks)
            return isAbandoned ? String(parts[0]) : nil
        }
    }

    // MARK: The engine

    /// Asks, and takes note of whether there was anybody to answer.
    private func ask(_ words: [String], within timeout: TimeAmount) async -> ContainerClient.Answer {
        let answer = await client.ask(words, within: timeout)
        guard !Task.isCancelled else { return answer }
        heard(answer.status != nil && (answer.isSuccess || run.fault(stderr: answer.stderr).isEngineReachable), answer)
        return answer
    }

    private func heard(_ isUp: Bool, _ answer: ContainerClient.Answer) {
        let before = state.withLock { state in
            defer { state.isEngineUp = isUp }
            return state.isEngineUp
        }
        guard before != isUp, !(before == nil && isUp) else { return }
        let problem = answer.status == nil ? answer.stderr : run.fault(stderr: answer.stderr).detail
        report(.engineChanged(isUp: isUp, problem: isUp ? nil : problem))
    }
}

/// What an image is, whatever its tag is moved to later.
struct ImageFacts: Sendable, Equatable {
    /// Of this engine: `sha256:…`.
    var id: String
    /// Of the registry: `sha256:…`; empty for an image that comes from none.
    var digest: String

    /// - Parameter inspection: `ID ["REPOSITORY@DIGEST", …]`.
    init?(image: String, inspection: String) {
        let parts = inspection.split(separator: " ", maxSplits: 1)
        guard let first = parts.first else { return nil }
        let hex = first.trimmed
        id = hex.hasPrefix("sha256:") ? hex : "sha256:" + hex
        let digests = parts.count > 1 ? parts[1].split(separator: "\"").filter { $0.contains("@") } : []
        // An image can have come by several names.
        let repository = image.split(separator: "@")[0]
        let own = digests.first { repository.hasPrefix(baseRepository($0)) } ?? digests.first
        digest = own.flatMap { $0.split(separator: "@").last.map(String.init) } ?? ""
    }
}

private func baseRepository(_ digest: Substring) -> String {
    digest.split(separator: "@").first.map(String.init) ?? ""
}

extension Substring {
    /// Without a line break at the end.
    fileprivate var trimmed: String { String(prefix { $0 != "\n" && $0 != "\r" }) }
}
