// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import Testing

@testable import Upstream

@Suite struct ContainerOwnerTests {
    private let here = ContainerOwner(host: "a", boot: "b1", pidNamespace: "1", pid: 10, startTicks: "100")

    @Test func itsLabelSaysItAll() {
        #expect(here.label == "a/b1/1/10/100")
        #expect(ContainerOwner(label: here.label) == here)
        #expect(ContainerOwner(label: "a/b/1/x/2") == nil)
        #expect(ContainerOwner(label: "") == nil)
    }

    @Test(arguments: [
        // The same number, which is somebody else's by now; a number that is nobody's; one that still runs.
        ("a/b1/1/20/100", "999", true), ("a/b1/1/20/100", nil, true), ("a/b1/1/20/100", "100", false),
        // Before the host was booted again.
        ("a/b0/1/20/100", "100", true),
        // Where nothing can be known.
        ("z/b1/1/20/100", nil, false), ("a/b1/2/20/100", nil, false),
    ])
    func whetherItIsGone(_ label: String, _ ticks: String?, _ isGone: Bool) throws {
        let owner = try #require(ContainerOwner(label: label))
        #expect(owner.isGone(seenFrom: here) { _ in ticks } == isGone)
    }

    @Test func thisProcessLives() {
        let current = ContainerOwner.current()
        #expect(!current.startTicks.isEmpty && !current.boot.isEmpty && !current.pidNamespace.isEmpty)
        #expect(!current.isGone(seenFrom: current) { ContainerOwner.startTicks(of: $0) })
    }
}

@Suite struct ContainerKeeperTests {
    private let here = ContainerOwner(host: "a", boot: "b", pidNamespace: "1", pid: 10, startTicks: "100")

    @Test func namesHoldOnlyWhatEnginesAllow() {
        #expect(ContainerKeeper.name(instance: "time", run: "3f", link: 0, generation: 2) == "mcp-time-3f-0-2")
        #expect(ContainerKeeper.name(instance: "ä b/c", run: "3f", link: 7, generation: 1) == "mcp---b-c-3f-7-1")
        let long = ContainerKeeper.name(instance: String(repeating: "x", count: 99), run: "3f", link: 0, generation: 1)
        #expect(long.count < 63)
    }

    @Test func onlyWhatBelongsToNobodyIsAbandoned() {
        let list = """
            dead\ta/b/1/20/5\tx
            alive\ta/b/1/30/5\tx
            mine\ta/b/1/10/100\tlive
            mine-too\ta/b/1/10/100\tx
            far\tz/y/1/20/5\tx
            unlabelled\t\t
            """
        let names = ContainerKeeper.abandoned(in: list, seenFrom: here, live: ["live"]) { $0 == 30 ? "5" : nil }
        #expect(names == ["dead", "mine-too"])
    }

    @Test(.timeLimit(.minutes(1))) func whatAPredecessorLeftIsTriedAgain() async throws {
        let engine = try FakeEngine(
            image: "echo 'sha256:ab []'",
            pull: "exit 1",
            removal: "[ -e open ] || { echo busy >&2; exit 1; }"
        )
        defer { engine.discard() }
        let spawner = Spawner()
        let service = Task { await spawner.run() }
        let keeper = try engine.keeper(spawner)
        _ = try await keeper.prepare(link: 0, generation: 1)
        #expect(keeper.orphans == 1)
        try engine.touch("open")
        while keeper.orphans > 0 { await Task.yield() }
        service.cancel()
        await service.value
    }

    @Test(.timeLimit(.minutes(1))) func whatCannotBeRemovedIsLeftToTheSuccessorAtTheEnd() async throws {
        let engine = try FakeEngine(image: "echo 'sha256:ab []'", pull: "exit 1", removal: "echo busy >&2; exit 1")
        defer { engine.discard() }
        let spawner = Spawner()
        let service = Task { await spawner.run() }
        let keeper = try engine.keeper(spawner)
        _ = try await keeper.prepare(link: 0, generation: 1)
        service.cancel()
        // Which it would not return from if anything was tried for ever.
        await service.value
        #expect(keeper.orphans == 1)
    }

    @Test(.timeLimit(.minutes(1))) func whatAPredecessorLeftIsRemovedWithoutAnImageToo() async throws {
        let engine = try FakeEngine(
            image: "echo 'No such image' >&2; exit 1",
            pull: "touch refused; echo 'manifest unknown' >&2; exit 1",
            removal: "while [ ! -e refused ]; do sleep 0.01; done; sleep 0.1; touch removed"
        )
        defer { engine.discard() }
        let keeper = try engine.keeper(Spawner())
        await #expect(throws: ContainerFault.self) { try await keeper.prepare(link: 0, generation: 1) }
        #expect(keeper.orphans == 0)
        #expect(engine.has("removed"))
    }

    @Test(arguments: [
        ("mcp/time", "sha256:ab []", "sha256:ab", ""),
        ("mcp/time", "ab [\"localhost/t@sha256:cd\"]\n", "sha256:ab", "sha256:cd"),
        ("mcp/time:1", "sha256:ab [\"other@sha256:00\",\"mcp/time@sha256:cd\"]\n", "sha256:ab", "sha256:cd"),
    ])
    func whatAnImageIs(_ image: String, _ inspection: String, _ id: String, _ digest: String) throws {
        let facts = try #require(ImageFacts(image: image, inspection: inspection))
        #expect(facts.id == id && facts.digest == digest)
        #expect(ImageFacts(image: image, inspection: "") == nil)
    }
}

/// A client of an engine that has a container of a proxy from before the last boot. Runs in a directory of its own.
private struct FakeEngine {
    private let directory: URL

    /// - Parameters: What a shell does when the client is asked for an image, a pull and a removal.
    init(image: String, pull: String, removal: String) throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "keeper-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        var predecessor = ContainerOwner.current()
        predecessor.boot = "before"
        let script = """
            #!/bin/sh
            cd '\(directory.path)' || exit
            case $1 in
            image) \(image) ;;
            pull) \(pull) ;;
            ps) printf 'left\\t\(predecessor.label)\\tx\\n' ;;
            rm) \(removal) ;;
            esac
            """
        try script.write(toFile: client, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: client)
    }

    private var client: String { directory.appending(path: "docker").path }

    func keeper(_ spawner: Spawner) throws -> ContainerKeeper {
        let words = ["run", "-i", "mcp/time"]
        var patience = ContainerKeeper.Patience()
        patience.retries = [.milliseconds(1)]
        return ContainerKeeper(
            run: try #require(ContainerRun(program: client, arguments: words)),
            command: Command(program: client, arguments: words, environment: ["PATH": "/usr/bin:/bin"]),
            instance: "time",
            spawner: spawner,
            patience: patience
        ) { _ in }
    }

    func touch(_ name: String) throws {
        try "".write(toFile: directory.appending(path: name).path, atomically: false, encoding: .utf8)
    }

    func has(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: directory.appending(path: name).path)
    }

    func discard() { try? FileManager.default.removeItem(at: directory) }
}
