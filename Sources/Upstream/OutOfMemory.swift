// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// Tells the processes that the kernel killed for want of memory from those that somebody else killed.
///
/// Both end by SIGKILL. But the kernel counts its own kills, in the control group of the process, before it sends the
/// signal: when the count has risen by the time the end is seen, want of memory is what explains it.
final class OutOfMemoryWatch: Sendable {
    private let ledger = Mutex(OutOfMemoryLedger())

    /// Takes note of a process that has just been started.
    ///
    /// - Returns: The file with the kills that can be the end of this process, nil when there is none to be read. It is
    ///   that of its own control group, which a wrapper may have chosen, or else that of the proxy.
    func started(pid: Int32) -> String? {
        guard let mounts = contents(of: "/proc/self/mountinfo") else { return nil }
        for process in ["\(pid)", "self"] {
            guard let groups = contents(of: "/proc/\(process)/cgroup"),
                let counter = OutOfMemoryCounter.path(groups: groups, mounts: mounts),
                let kills = kills(in: counter)
            else { continue }
            ledger.withLock { $0.started(counter, kills: kills) }
            return counter
        }
        return nil
    }

    /// Says how a process ended, once that is known: `termination`, or want of memory.
    ///
    /// - Parameter counter: What `started` returned.
    func ended(_ termination: Termination, counter: String?) -> Termination {
        guard let counter else { return termination }
        let isKilled = termination == .signalled(SIGKILL) || termination == .exited(status: 128 + SIGKILL)
        let kills = kills(in: counter)
        guard ledger.withLock({ $0.ended(counter, kills: kills, isKilled: isKilled) }) else { return termination }
        guard case .exited(let status) = termination else { return .outOfMemory(status: nil) }
        return .outOfMemory(status: status)
    }

    private func kills(in counter: String) -> Int? { contents(of: counter).flatMap(OutOfMemoryCounter.kills) }
}

/// Which kills were there before, by the counter they stand in, so that none explains two ends.
struct OutOfMemoryLedger {
    private struct Entry {
        /// How many processes look at this counter.
        var processes = 0
        /// The kills that explain nothing any more.
        var seen = 0
    }

    private var entries: [String: Entry] = [:]

    /// A process starts, and what the kernel killed before was not this one.
    mutating func started(_ counter: String, kills: Int) {
        var entry = entries[counter] ?? Entry()
        entry.processes += 1
        entry.seen = kills
        entries[counter] = entry
    }

    /// A process ended, killed or otherwise. Returns whether a kill of the kernel's explains that.
    ///
    /// - Parameter kills: Nil when they can't be read any more, because the group is gone.
    mutating func ended(_ counter: String, kills: Int?, isKilled: Bool) -> Bool {
        guard var entry = entries[counter] else { return false }
        let kills = kills ?? entry.seen
        let isExplained = isKilled && kills > entry.seen
        // One kill is one end: the next may be that of another process, whose end is not seen yet.
        entry.seen = isExplained ? entry.seen + 1 : kills
        entry.processes -= 1
        entries[counter] = entry.processes > 0 ? entry : nil
        return isExplained
    }
}

/// The file in which the kernel counts the processes of a control group that it killed for want of memory.
enum OutOfMemoryCounter {
    /// Where it is, for version 2 and for version 1 of control groups.
    ///
    /// - Parameters:
    ///   - groups: A `/proc/PID/cgroup`.
    ///   - mounts: The `/proc/self/mountinfo`.
    static func path(groups: String, mounts: String) -> String? {
        var version1: String?
        var version2: String?
        for line in groups.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            if fields[1].split(separator: ",").contains("memory") { version1 = String(fields[2]) }
            if fields[0] == "0", fields[1].isEmpty { version2 = String(fields[2]) }
        }
        let mounts = mounts.split(separator: "\n").compactMap { Mount($0) }
        // Where version 1 has the memory, version 2 may be there as well, without it.
        for mount in mounts where mount.type == "cgroup" && mount.options.contains("memory") {
            if let directory = version1.flatMap(mount.directory) { return directory + "/memory.oom_control" }
        }
        for mount in mounts where mount.type == "cgroup2" {
            if let directory = version2.flatMap(mount.directory) { return directory + "/memory.events" }
        }
        return nil
    }

    /// What it says; nil when the kernel is too old to count.
    static func kills(in text: String) -> Int? {
        let line = text.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
        return line.flatMap { Int($0.dropFirst("oom_kill ".count)) }
    }

    /// A line of `mountinfo`.
    private struct Mount {
        /// What of the file system is to be seen at `point`.
        let root: String
        let point: String
        let type: Substring
        let options: [Substring]

        init?(_ line: Substring) {
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash > 5, fields.count > dash + 3 else { return nil }
            root = unescaped(fields[3])
            point = unescaped(fields[4])
            type = fields[dash + 1]
            options = fields[dash + 3].split(separator: ",")
        }

        /// Where a control group is found; nil when it is outside of what is mounted.
        func directory(of group: String) -> String? {
            if root == "/" { return group.hasPrefix("/..") ? nil : point + (group == "/" ? "" : group) }
            if group == root { return point }
            return group.hasPrefix(root + "/") ? point + group.dropFirst(root.count) : nil
        }
    }
}

/// A path of `mountinfo`, in which blanks and backslashes are written as `\` and three octal digits.
private func unescaped(_ path: Substring) -> String {
    var parts = path.split(separator: "\\", omittingEmptySubsequences: false)[...]
    var bytes = Array(parts.removeFirst().utf8)
    for part in parts {
        if let byte = UInt8(part.prefix(3), radix: 8) { bytes.append(byte) }
        bytes += part.dropFirst(3).utf8
    }
    return String(decoding: bytes, as: UTF8.self)
}
