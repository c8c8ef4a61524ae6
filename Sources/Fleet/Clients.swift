// SPDX-License-Identifier: Apache-2.0

extension Fleet {
    /// What MCP clients are told. Keys stand there as the names of variables only.
    func clientFiles() -> [RenderedFile] {
        guard !publicServers.isEmpty else { return [] }
        let directory = "\(FleetPaths.home)/fleet/clients"
        return [
            RenderedFile("\(directory)/mcp.json", servers(remote)),
            RenderedFile("\(directory)/claude_desktop_config.json", servers(bridged)),
            RenderedFile("\(directory)/claude.sh", mode: 0o755, claudeCommands),
        ]
    }

    private func servers(_ entry: (Server) -> [String]) -> String {
        let entries = publicServers.map { server in
            "    \(jsonString(server.name)): {\n"
                + entry(server).map { "      \($0)" }.joined(separator: ",\n") + "\n    }"
        }
        return "{\n  \"mcpServers\": {\n\(entries.joined(separator: ",\n"))\n  }\n}\n"
    }

    /// For clients that speak HTTP.
    private func remote(_ server: Server) -> [String] {
        var members = ["\"type\": \"http\"", "\"url\": \(jsonString(server.url ?? ""))"]
        if server.access == .key {
            members.append("\"headers\": { \"Authorization\": \(jsonString("Bearer ${\(server.keyVariable)}")) }")
        }
        return members
    }

    /// For clients that only start programs: mcp-remote speaks HTTP for them. It fills in the header itself, since not
    /// every client hands on words with spaces.
    private func bridged(_ server: Server) -> [String] {
        var words = ["-y", "mcp-remote", server.url ?? ""]
        if server.access == .key { words += ["--header", "Authorization:${AUTHORIZATION}"] }
        var members = ["\"command\": \"npx\"", "\"args\": [\(words.map(jsonString).joined(separator: ", "))]"]
        if server.access == .key {
            members.append("\"env\": { \"AUTHORIZATION\": \(jsonString("Bearer \(server.keyVariable)")) }")
        }
        return members
    }

    private var claudeCommands: String {
        let commands = publicServers.map { server in
            let header =
                server.access == .key ? " \\\n    --header \"Authorization: Bearer ${\(server.keyVariable)}\"" : ""
            return "claude mcp add --transport http \(server.name) \(server.url ?? "")\(header)\n"
        }
        return "#!/bin/sh\n" + Self.mark
            + "# Tells the Claude CLI of all servers. The variables hold the keys, files of /opt/mcp/keys.\nset -eu\n"
            + commands.joined()
    }
}
