// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The sockets handed over by the service manager can't be used.
package enum SocketActivationError: Error, Equatable, CustomStringConvertible {
    /// A variable does not hold what sd_listen_fds(3) says.
    case malformed(variable: String, value: String)
    /// `LISTEN_FDNAMES` names more or fewer sockets than there are.
    case names(count: Int, sockets: Int)
    /// The descriptor is not open, not a stream socket, or does not listen.
    case notListening(name: String, descriptor: Int32)

    package var description: String {
        switch self {
        case .malformed(let variable, let value):
            "\(variable) is \"\(value)\"; systemd sets it to a number, don't set it by hand"
        case .names(let count, let sockets):
            "LISTEN_FDNAMES has \(count) names for \(sockets) sockets; give each socket unit a FileDescriptorName="
        case .notListening(let name, let descriptor):
            "descriptor \(descriptor) (\"\(name)\") is no listening stream socket; use ListenStream= and Accept=no"
        }
    }
}

extension ServiceManager {
    package typealias InheritedSocket = (name: String, descriptor: Int32)

    /// The listening sockets this process was started with (sd_listen_fds(3)), with close-on-exec set, so that
    /// children don't get them. Empty when there are none, or they are meant for another process.
    ///
    /// - Parameters:
    ///   - fds: the value of `LISTEN_FDS`.
    ///   - pid: the value of `LISTEN_PID`.
    ///   - names: the value of `LISTEN_FDNAMES`. Without it every socket is called `unknown`.
    package static func inheritedSockets(
        fds: String?,
        pid: String?,
        names: String?,
        ownPID: Int32
    ) -> Result<[InheritedSocket], SocketActivationError> {
        announcedSockets(fds: fds, pid: pid, names: names, ownPID: ownPID).flatMap { sockets in
            for socket in sockets where !adopt(socket.descriptor) {
                return .failure(.notListening(name: socket.name, descriptor: socket.descriptor))
            }
            return .success(sockets)
        }
    }

    /// What the variables say, the descriptors unseen.
    package static func announcedSockets(
        fds: String?,
        pid: String?,
        names: String?,
        ownPID: Int32
    ) -> Result<[InheritedSocket], SocketActivationError> {
        guard let pid, let fds else { return .success([]) }
        guard let target = Int32(pid), target > 0 else {
            return .failure(.malformed(variable: "LISTEN_PID", value: pid))
        }
        guard target == ownPID else { return .success([]) }
        // More than any limit of open files is no number of sockets.
        guard let count = Int(fds), (0...1 << 20).contains(count) else {
            return .failure(.malformed(variable: "LISTEN_FDS", value: fds))
        }
        let names = names?.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        if let names, names.count != count, count > 0 { return .failure(.names(count: names.count, sockets: count)) }
        // SD_LISTEN_FDS_START
        let first: Int32 = 3
        return .success((0..<count).map { (names?[$0] ?? "unknown", first + Int32($0)) })
    }

    /// Sets close-on-exec on a listening stream socket.
    ///
    /// - Returns: false when it is anything else.
    package static func adopt(_ descriptor: Int32) -> Bool {
        option(SO_TYPE, of: descriptor) == Int32(SOCK_STREAM.rawValue)
            && option(SO_ACCEPTCONN, of: descriptor) == 1
            && fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
    }

    private static func option(_ name: Int32, of descriptor: Int32) -> Int32? {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout.size(ofValue: value))
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
    }
}
