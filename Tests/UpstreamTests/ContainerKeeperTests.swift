// SPDX-License-Identifier: Apache-2.0

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
