// SPDX-License-Identifier: Apache-2.0

import Gateway
import Glibc
import Journal
import Wording

/// Listening sockets that systemd opened for the proxy (socket activation, sd_listen_fds(3)): `mcp` for clients and
/// `admin` for metrics and health, by `FileDescriptorName=`. They take the place of the addresses in the configuration.
struct InheritedSockets: Sendable {
    private(set) var main: InheritedSocket?
    private(set) var admin: InheritedSocket?

    init(environment: [String: String]) throws(ConfigurationError) {
        let inherited = ServiceManager.inheritedSockets(
            fds: environment["LISTEN_FDS"],
            pid: environment["LISTEN_PID"],
            names: environment["LISTEN_FDNAMES"],
            ownPID: getpid()
        )
        do {
            for (name, descriptor) in try inherited.get() { try take(name, descriptor) }
        } catch let error as ConfigurationError {
            throw error
        } catch {
            throw ConfigurationError(.configuration, "\(error)", "mend the socket unit")
        }
    }

    private mutating func take(_ name: String, _ descriptor: Int32) throws(ConfigurationError) {
        guard let socket = InheritedSocket(descriptor: descriptor) else {
            throw ConfigurationError(
                .configuration,
                "the inherited socket \(quoted(name)) has an address of a kind the proxy doesn't know",
                "use ListenStream= with a port or a path"
            )
        }
        switch name {
        case "mcp" where main == nil: main = socket
        case "admin" where admin == nil: admin = socket
        default:
            throw ConfigurationError(
                .configuration,
                "an inherited socket is called \(quoted(name))",
                "in the socket unit set FileDescriptorName=mcp, or admin for metrics and health, once each"
            )
        }
    }
}
