// SPDX-License-Identifier: Apache-2.0

package import Bridge
internal import Glibc
package import NIOCore
internal import NIOPosix

extension Gateway {
    /// Begins to listen, on the main address and, when there is one, the admin address.
    ///
    /// Called on the event loop.
    ///
    /// - Parameter bridge: Who answers; kept until `close()`.
    /// - Returns: The addresses with the ports the kernel chose; or a `BindError`, and then nothing listens.
    package func bind(serving bridge: any BridgeInput) -> EventLoopFuture<BoundAddresses> {
        self.bridge = bridge
        let inheritedMain = self.configuration.inheritedMain
        let inheritedAdmin = self.configuration.inheritedAdmin
        let listen = inheritedMain?.address ?? self.configuration.listen
        let adminListen = inheritedAdmin?.address ?? self.configuration.adminListen
        let servesAdmin = adminListen == nil && listen.isLoopback
        let main = self.bind(listen, inherited: inheritedMain, as: .main(servesAdmin: servesAdmin))
        guard let adminListen else { return main.map { BoundAddresses(main: $0, admin: nil) } }
        let bound = main.assumeIsolated().flatMap { main in
            self.bind(adminListen, inherited: inheritedAdmin, as: .admin)
                .map { BoundAddresses(main: main, admin: $0) }
        }
        bound.whenFailure { _ in self.stopAccepting() }
        return bound.nonisolated()
    }

    private func bind(
        _ address: ListenAddress,
        inherited: InheritedSocket?,
        as listener: Router.Listener
    ) -> EventLoopFuture<ListenAddress> {
        let confined = NIOLoopBound(self, eventLoop: self.eventLoop)
        let bootstrap = ServerBootstrap(group: self.eventLoop)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try confined.value.accept(channel, on: listener) }
            }
        let bound: EventLoopFuture<any Channel>
        let tcp =
            bootstrap
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
        switch (inherited, address) {
        case (let inherited?, .tcp): bound = tcp.withBoundSocket(inherited.descriptor)
        case (let inherited?, .unix): bound = bootstrap.withBoundSocket(inherited.descriptor)
        case (nil, .tcp(let host, let port)): bound = tcp.bind(host: host, port: port)
        case (nil, .unix(let path)):
            bound =
                self.removeStaleSocket(path).assumeIsolated()
                .flatMap { bootstrap.bind(unixDomainSocketPath: path) }
                .nonisolated()
        }
        let result = bound.assumeIsolated().map { channel in
            self.listeners.append(channel)
            // The file of an inherited socket is its owner's.
            if case .unix(let path) = address, inherited == nil { self.socketPaths.append(path) }
            return address.withPort(channel.localAddress?.port)
        }
        return result.nonisolated().flatMapErrorThrowing { error in
            throw error as? BindError ?? BindError(address: address, error: error)
        }
    }

    /// Removes the file of a Unix socket nobody listens on any more: a killed process leaves it behind, and binding
    /// would fail for ever.
    ///
    /// Anything but a socket is left alone, and is an error.
    private func removeStaleSocket(_ path: String) -> EventLoopFuture<Void> {
        var status = stat()
        guard lstat(path, &status) == 0 else { return self.eventLoop.makeSucceededVoidFuture() }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            return self.eventLoop.makeFailedFuture(BindError(address: .unix(path: path), cause: .badPath))
        }
        return ClientBootstrap(group: self.eventLoop).connect(unixDomainSocketPath: path)
            .flatMap { channel in
                channel.close().flatMapThrowing {
                    throw BindError(address: .unix(path: path), cause: .addressInUse)
                }
            }
            .flatMapErrorThrowing { error in
                if let error = error as? IOError, error.errnoCode == ECONNREFUSED {
                    unlink(path)
                } else if error is BindError {
                    throw error
                }
            }
    }

    func removeSocketFiles() {
        for path in self.socketPaths { unlink(path) }
        self.socketPaths = []
    }
}

extension ListenAddress {
    /// Whether only this machine can reach it.
    fileprivate var isLoopback: Bool {
        switch self {
        case .tcp(let host, _): (Authority(Substring(host)) ?? Authority("[\(host)]"))?.isLoopback ?? false
        case .unix: true
        }
    }

    /// The same address with the port the kernel chose.
    fileprivate func withPort(_ port: Int?) -> ListenAddress {
        switch self {
        case .tcp(let host, let configured): .tcp(host: host, port: port ?? configured)
        case .unix: self
        }
    }
}
