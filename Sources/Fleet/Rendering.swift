// SPDX-License-Identifier: Apache-2.0

extension Fleet {
    /// Every file the fleet consists of, but for the keys and secrets themselves.
    ///
    /// - Parameter keys: The keys of the servers that have one, by name.
    package func files(keys: [String: String]) -> [RenderedFile] {
        var files: [RenderedFile] = []
        for server in servers {
            files.append(environmentFile(server))
            if let dropIn = dropIn(server) { files.append(dropIn) }
        }
        files += nginxFiles(keys: keys)
        files += prometheusFiles()
        files += clientFiles()
        files += [firewall(), enableScript()]
        if !publicServers.isEmpty { files += [dnsRecords(), certificateScript(), renewalHook()] }
        return files.sorted { $0.path < $1.path }
    }

    /// The first lines of every file that can hold comments.
    static let mark = """
        # Written by mcp-proxy fleet render from fleet.yaml: change it there. A file that was edited is kept as it is.

        """
}

/// `text` as a JSON string with its quotes.
func jsonString(_ text: String) -> String {
    var json = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": json += "\\\(scalar)"
        case _ where scalar.value < 0x20: break
        default: json.unicodeScalars.append(scalar)
        }
    }
    return json + "\""
}
