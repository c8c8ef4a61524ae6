// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The socket on which systemd, or whatever supervises this process, takes notice of its state (sd_notify(3)).
///
/// Any thread may notify.
package struct ServiceManager: Sendable {
    private let address: SocketAddress

    /// - Parameter socket: the value of `NOTIFY_SOCKET`: an absolute path, or the name of an abstract socket with `@` in
    ///   front. Nil when there is none, or one of another kind.
    package init?(environment socket: String?) {
        guard let socket, let address = SocketAddress(socket) else { return nil }
        self.address = address
    }

    /// Sends assignments such as `READY=1` or `STATUS=…`, one a line. Does not block.
    ///
    /// - Returns: whether they were sent; not when nobody listens, or the receiver has too many waiting.
    @discardableResult
    package func notify(_ state: String) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let bytes = Array(state.utf8)
        let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
        return address.withSockaddr { address, length in
            sendto(descriptor, bytes, bytes.count, flags, address, length)
        } == bytes.count
    }

    /// How often at least the manager wants to hear `WATCHDOG=1`, in microseconds (sd_watchdog_enabled(3)); best sent
    /// at half of that. Nil when it does not, or means another process.
    ///
    /// - Parameters:
    ///   - usec: the value of `WATCHDOG_USEC`.
    ///   - pid: the value of `WATCHDOG_PID`. Without it every process is meant.
    package static func watchdogInterval(usec: String?, pid: String?, ownPID: Int32) -> Int? {
        if let pid, Int32(pid) != ownPID { return nil }
        guard let usec = usec.flatMap({ Int($0) }), usec > 0 else { return nil }
        return usec
    }
}

/// The address of a Unix socket.
private struct SocketAddress {
    private var storage = sockaddr_un()
    private let length: socklen_t

    init?(_ name: String) {
        var path = Array(name.utf8)
        guard path.count > 1, !path.contains(0), path[0] == UInt8(ascii: "/") || path[0] == UInt8(ascii: "@") else {
            return nil
        }
        if path[0] == UInt8(ascii: "@") {
            // The length counts here: behind the name each NUL would belong to it.
            path[0] = 0
        } else {
            path.append(0)
        }
        guard path.count <= MemoryLayout.size(ofValue: storage.sun_path) else { return nil }
        storage.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &storage.sun_path) { $0.copyBytes(from: path) }
        length = socklen_t(MemoryLayout.offset(of: \sockaddr_un.sun_path).map { $0 + path.count } ?? 0)
    }

    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
