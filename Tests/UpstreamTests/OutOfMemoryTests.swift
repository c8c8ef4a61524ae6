// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Upstream

@Suite struct OutOfMemoryCounterTests {
    private let unifiedMount = "26 23 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
    private let legacyMounts = """
        31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
        34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
        35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw

        """

    @Test func isFoundUnderVersion2() {
        #expect(
            OutOfMemoryCounter.path(groups: "0::/system.slice/mcp@time.service\n", mounts: unifiedMount)
                == "/sys/fs/cgroup/system.slice/mcp@time.service/memory.events"
        )
        #expect(OutOfMemoryCounter.path(groups: "0::/\n", mounts: unifiedMount) == "/sys/fs/cgroup/memory.events")
    }

    @Test func isFoundUnderVersion1AlsoBesideVersion2() {
        let groups = "9:name=systemd:/a\n8:pids:/b\n4:memory,hugetlb:/system.slice/x:y\n3:cpuset:/\n0::/c\n"
        #expect(
            OutOfMemoryCounter.path(groups: groups, mounts: legacyMounts)
                == "/sys/fs/cgroup/memory/system.slice/x:y/memory.oom_control"
        )
    }

    /// As in a container without a namespace of its own for control groups.
    @Test func isFoundBelowTheRootOfTheMount() {
        let mount = #"26 23 0:22 /docker/ab /mnt/with\040blank rw - cgroup2 cgroup2 rw"#
        #expect(
            OutOfMemoryCounter.path(groups: "0::/docker/ab/server", mounts: mount)
                == "/mnt/with blank/server/memory.events"
        )
        #expect(
            OutOfMemoryCounter.path(groups: "0::/docker/ab", mounts: mount) == "/mnt/with blank/memory.events"
        )
        #expect(OutOfMemoryCounter.path(groups: "0::/docker/abc", mounts: mount) == nil)
    }

    @Test(arguments: [
        "", "0::/../outside\n", "nonsense\n", "4:cpu:/only\n", "1:memory\n",
    ])
    func isNotFound(groups: String) {
        #expect(OutOfMemoryCounter.path(groups: groups, mounts: unifiedMount) == nil)
        #expect(OutOfMemoryCounter.path(groups: groups, mounts: "") == nil)
        #expect(OutOfMemoryCounter.path(groups: groups, mounts: "26 23 0:22 / /sys\n- cgroup2 a b\n") == nil)
    }

    @Test func counts() {
        #expect(OutOfMemoryCounter.kills(in: "low 0\nhigh 0\nmax 7\noom 5\noom_kill 4\noom_group_kill 0\n") == 4)
        #expect(OutOfMemoryCounter.kills(in: "oom_kill_disable 0\nunder_oom 0\noom_kill 12\n") == 12)
        #expect(OutOfMemoryCounter.kills(in: "oom_kill_disable 0\nunder_oom 0\n") == nil)
    }
}

@Suite struct OutOfMemoryLedgerTests {
    @Test func aRiseExplainsTheEndOfAKilledProcess() {
        var ledger = OutOfMemoryLedger()
        ledger.started("a", kills: 3)
        ledger.started("a", kills: 3)
        ledger.started("a", kills: 3)
        #expect(ledger.ended("a", kills: 3, isKilled: true) == false)
        #expect(ledger.ended("a", kills: 4, isKilled: true) == true)
        #expect(ledger.ended("a", kills: 4, isKilled: true) == false)
    }

    @Test func aKillFromBeforeExplainsNothing() {
        var ledger = OutOfMemoryLedger()
        ledger.started("a", kills: 0)
        // A helper of the process was killed, which ended it with a status.
        #expect(ledger.ended("a", kills: 1, isKilled: false) == false)
        ledger.started("a", kills: 1)
        #expect(ledger.ended("a", kills: 1, isKilled: true) == false)
        // One that was killed while nobody looked.
        ledger.started("a", kills: 5)
        #expect(ledger.ended("a", kills: 5, isKilled: true) == false)
    }

    @Test func twoKillsAtOnceExplainTwoEnds() {
        var ledger = OutOfMemoryLedger()
        ledger.started("a", kills: 0)
        ledger.started("a", kills: 0)
        #expect(ledger.ended("a", kills: 2, isKilled: true) == true)
        #expect(ledger.ended("a", kills: 2, isKilled: true) == true)
    }

    @Test func countersAreKeptApart() {
        var ledger = OutOfMemoryLedger()
        ledger.started("a", kills: 0)
        ledger.started("b", kills: 0)
        #expect(ledger.ended("b", kills: 0, isKilled: true) == false)
        #expect(ledger.ended("a", kills: 1, isKilled: true) == true)
    }

    @Test func aGroupThatIsGoneExplainsNothing() {
        var ledger = OutOfMemoryLedger()
        ledger.started("a", kills: 2)
        #expect(ledger.ended("a", kills: nil, isKilled: true) == false)
        #expect(ledger.ended("a", kills: 9, isKilled: true) == false, "a counter nobody looks at is forgotten")
    }
}
