// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import NIOCore

/// A listening socket that somebody else opened, such as systemd.
package struct InheritedSocket: Sendable, Equatable {
    package let descriptor: Int32
    /// What it is bound to.
    package let address: ListenAddress

    /// Asks the kernel for the address; nil when it is neither of IP nor a named Unix socket.
    package init?(descriptor: Int32) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard result == 0, let address = ListenAddress(storage) else { return nil }
        self.descriptor = descriptor
        self.address = address
    }
}

extension ListenAddress {
    fileprivate init?(_ storage: sockaddr_storage) {
        switch Int32(storage.ss_family) {
        case AF_INET: self.init(storage, as: sockaddr_in.self) { .init($0) }
        case AF_INET6: self.init(storage, as: sockaddr_in6.self) { .init($0) }
        case AF_UNIX: self.init(storage, as: sockaddr_un.self) { .init($0) }
        default: return nil
        }
    }

    private init?<Address>(
        _ storage: sockaddr_storage,
        as: Address.Type,
        _ read: (Address) -> SocketAddress
    ) {
        let address = withUnsafeBytes(of: storage) { read($0.loadUnaligned(as: Address.self)) }
        if let path = address.pathname, !path.isEmpty {
            self = .unix(path: path)
        } else if let host = address.ipAddress, let port = address.port {
            self = .tcp(host: host, port: port)
        } else {
            return nil
        }
    }
}
