// SPDX-License-Identifier: Apache-2.0

/// The MCP servers of one host, as `fleet.yaml` describes them.
package struct Fleet: Sendable, Equatable {
    /// What runs the images.
    package enum Engine: String, Sendable, CaseIterable { case docker, podman }

    /// What the public names of servers end in, unless they have one of their own.
    package var domain: String?
    /// Whom the certificate authority writes to; nil for nobody.
    package var email: String?
    package var engine: Engine
    /// Whether the files of secrets were encrypted by `systemd-creds`.
    package var hasEncryptedSecrets: Bool
    /// In the order of the file, with no name, host or port twice.
    package var servers: [Server]

    /// Those with a public name.
    package var publicServers: [Server] { servers.filter { $0.host != nil } }
}

/// One MCP server: one instance of the proxy, one systemd unit `mcp@NAME`.
package struct Server: Sendable, Equatable {
    /// Who may call it through its public name.
    package enum Access: Sendable, Equatable {
        /// Who knows the generated key.
        case key
        /// Everybody, as the file says in so many words.
        case everybody
    }

    package enum Program: Sendable, Equatable {
        case image(String, arguments: [String])
        /// At least one word.
        case command([String])
    }

    package struct Variable: Sendable, Equatable {
        package var name: String
        package var value: String
    }

    package struct Limits: Sendable, Equatable {
        /// Bytes.
        package var memory: Int?
        /// Hundredths of a CPU.
        package var centiCPUs: Int?
        /// Processes and threads.
        package var pids: Int?
    }

    /// Lower-case letters, digits and dashes: it serves in unit names, file names and host names.
    package var name: String
    /// The public name; nil for a server that only this host reaches.
    package var host: String?
    package var access: Access
    package var program: Program
    /// Where the instance listens on loopback.
    package var port: Int
    /// Where it serves metrics and health on loopback.
    package var adminPort: Int
    /// `shared` or `session`.
    package var isolation: String?
    package var variables: [Variable]
    /// Variables whose values lie in files, by name.
    package var secrets: [String]
    /// As `docker run --volume` takes them.
    package var volumes: [String]
    package var limits: Limits
    /// Further options of the proxy: names in kebab-case, and values.
    package var options: [Variable]

    /// The image it runs; nil for a command.
    package var image: String? {
        guard case .image(let image, _) = program else { return nil }
        return image
    }
    /// `https://HOST/mcp`, if it has a public name.
    package var url: String? { host.map { "https://\($0)/mcp" } }
    /// What the key is called in the environment of clients: `MCP_KEY_TIME`.
    package var keyVariable: String { "MCP_KEY_" + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined() }
}

/// What is wrong in `fleet.yaml`, where, and how to mend it.
package struct FleetProblem: Error, Sendable, Equatable {
    package var line: Int
    package var column: Int
    /// Never holds a line break.
    package var problem: String
    /// In the imperative.
    package var remedy: String

    /// `fleet.yaml:12:5: what is wrong; how to mend it`.
    package func text(file: String) -> String { "\(file):\(line):\(column): \(problem); \(remedy)" }
}

/// Where the files of a fleet lie.
package enum FleetPaths {
    package static let home = "/opt/mcp"
    package static let file = "\(home)/fleet.yaml"
    /// What `fleet render` wrote, in the format of `sha256sum`.
    package static let manifest = "\(home)/fleet/manifest"

    /// The key of a server's clients.
    package static func key(_ server: String) -> String { "\(home)/keys/\(server)" }

    /// The value of a secret of a server.
    package static func secret(_ name: String, of server: String) -> String { "\(home)/secrets/\(server)/\(name)" }

    package static func environment(_ server: String) -> String { "\(home)/config/\(server).env" }

    package static func dropIn(_ server: String) -> String {
        "/etc/systemd/system/mcp@\(server).service.d/fleet.conf"
    }
}
