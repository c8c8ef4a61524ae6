// SPDX-License-Identifier: Apache-2.0

import Wording

extension Fleet {
    /// `/opt/mcp/config/NAME.env`, which `mcp@.service` reads. No secret stands in it.
    func environmentFile(_ server: Server) -> RenderedFile {
        let words = command(server)
        var variables = [
            ("PORT", String(server.port)),
            ("CMD", words[0]),
            ("ARGS", words.dropFirst().map(shellQuoted).joined(separator: " ")),
            ("MCP_PROXY_ADMIN_LISTEN", "127.0.0.1:\(server.adminPort)"),
            ("MCP_PROXY_NAME", server.name),
        ]
        if let isolation = server.isolation { variables.append(("MCP_PROXY_ISOLATION", isolation)) }
        var options = server.options
        if let host = server.host {
            let others = options.first { $0.name == "allow-host" }.map { "," + $0.value } ?? ""
            options.removeAll { $0.name == "allow-host" }
            options.append(Server.Variable(name: "allow-host", value: host + others))
        }
        if case .command = server.program, !server.variables.isEmpty {
            let words = server.variables.map { shellQuoted("\($0.name)=\($0.value)") }
            options.append(Server.Variable(name: "env", value: words.joined(separator: " ")))
        }
        for option in options.sorted(by: { $0.name < $1.name }) {
            let name = option.name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
            variables.append(("MCP_PROXY_\(name)", option.value))
        }
        let lines = variables.map { "\($0.0)=\(environmentQuoted($0.1))\n" }
        return RenderedFile(FleetPaths.environment(server.name), mode: 0o640, Self.mark + lines.joined())
    }

    /// The words of the command behind the proxy.
    func command(_ server: Server) -> [String] {
        guard case .image(let image, let arguments) = server.program else {
            if case .command(let words) = server.program { return words }
            return []
        }
        var words = [engine.rawValue, "run", "-i", "--rm"]
        if let memory = server.limits.memory { words += ["--memory", "\(memory)b"] }
        if let cpus = server.limits.centiCPUs { words += ["--cpus", decimal(cpus)] }
        if let pids = server.limits.pids { words += ["--pids-limit", String(pids)] }
        for volume in server.volumes { words += ["-v", volume] }
        for variable in server.variables { words += ["-e", "\(variable.name)=\(variable.value)"] }
        // By name alone: the proxy has the value from the unit's credentials, and so has the engine's client.
        for secret in server.secrets { words += ["-e", secret] }
        return words + [image] + arguments
    }

    /// What the unit of this server has beside that of all: its secrets, and the limits of what is no container.
    func dropIn(_ server: Server) -> RenderedFile? {
        var lines: [String] = []
        for secret in server.secrets {
            let file = FleetPaths.secret(secret, of: server.name)
            lines.append(
                hasEncryptedSecrets
                    ? "LoadCredentialEncrypted=\(secret):\(file)" : "LoadCredential=\(secret):\(file)"
            )
        }
        if case .command = server.program {
            // It runs in the unit itself: interpreters that compile what they run need such memory.
            lines.append("MemoryDenyWriteExecute=no")
            if let memory = server.limits.memory { lines.append("MemoryMax=\(memory)") }
            if let cpus = server.limits.centiCPUs { lines.append("CPUQuota=\(cpus)%") }
            if let pids = server.limits.pids { lines.append("TasksMax=\(pids)") }
        }
        guard !lines.isEmpty else { return nil }
        return RenderedFile(
            FleetPaths.dropIn(server.name),
            Self.mark + "[Service]\n" + lines.map { $0 + "\n" }.joined()
        )
    }
}

/// `value` as systemd and the proxy read it in an env file.
private func environmentQuoted(_ value: String) -> String {
    let isPlain = value.unicodeScalars.allSatisfy { scalar in
        scalar.isASCII && scalar.properties.isAlphabetic || "0123456789_-+=./:@%,".unicodeScalars.contains(scalar)
    }
    if isPlain { return value }
    let escaped = value.map { "\"\\$`".contains($0) ? "\\\($0)" : String($0) }.joined()
    return "\"\(escaped)\""
}

/// 150 as `1.5`.
private func decimal(_ hundredths: Int) -> String {
    let (whole, part) = hundredths.quotientAndRemainder(dividingBy: 100)
    if part == 0 { return String(whole) }
    return part % 10 == 0 ? "\(whole).\(part / 10)" : "\(whole).\(part < 10 ? "0" : "")\(part)"
}
