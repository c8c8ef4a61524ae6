// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The process a container belongs to, as its label names it: enough to tell, later and from another process, whether
/// that one still lives. A number alone could be that of a stranger by then.
package struct ContainerOwner: Sendable, Equatable {
    package var host: String
    /// Of the kernel since it was booted.
    package var boot: String
    /// Where `pid` means something.
    package var pidNamespace: String
    package var pid: Int32
    /// When it was started, in the kernel's ticks since boot.
    package var startTicks: String

    package init(host: String, boot: String, pidNamespace: String, pid: Int32, startTicks: String) {
        self.host = host
        self.boot = boot
        self.pidNamespace = pidNamespace
        self.pid = pid
        self.startTicks = startTicks
    }

    package init?(label: String) {
        let parts = label.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 5, let pid = Int32(parts[3]) else { return nil }
        self.init(host: parts[0], boot: parts[1], pidNamespace: parts[2], pid: pid, startTicks: parts[4])
    }

    package var label: String { "\(host)/\(boot)/\(pidNamespace)/\(pid)/\(startTicks)" }

    /// Whether it has certainly ended. What can't be known from here (another host at the same engine, another
    /// container) counts as alive: its container is not to be touched.
    ///
    /// - Parameter startTicks: When the process of this number was started, nil if there is none.
    package func isGone(seenFrom here: ContainerOwner, startTicks: (Int32) -> String?) -> Bool {
        guard host == here.host else { return false }
        guard boot == here.boot else { return true }
        guard pidNamespace == here.pidNamespace else { return false }
        return startTicks(pid) != self.startTicks
    }
}

extension ContainerOwner {
    /// This process.
    package static func current() -> ContainerOwner {
        var name = utsname()
        let host = uname(&name) == 0 ? withUnsafeBytes(of: &name.nodename) { text(of: $0) } : ""
        let boot = contents(of: "/proc/sys/kernel/random/boot_id")?.split(separator: "\n").first.map(String.init)
        var link = [UInt8](repeating: 0, count: 64)
        let length = readlink("/proc/self/ns/pid", &link, link.count)
        // "pid:[4026531836]"
        let digits = link.prefix(max(0, length)).filter { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        let pid = getpid()
        return ContainerOwner(
            host: host.filter { $0 != "/" },
            boot: boot ?? "",
            pidNamespace: String(decoding: digits, as: UTF8.self),
            pid: pid,
            startTicks: startTicks(of: pid) ?? ""
        )
    }

    /// When a process was started; nil if there is none of this number.
    package static func startTicks(of pid: Int32) -> String? {
        guard let stat = contents(of: "/proc/\(pid)/stat"), let end = stat.lastIndex(of: ")") else { return nil }
        // proc(5): the name in parentheses is field 2, the start time field 22.
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        return fields.count > 19 ? String(fields[19]) : nil
    }
}

private func text(of bytes: UnsafeRawBufferPointer) -> String {
    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
}
