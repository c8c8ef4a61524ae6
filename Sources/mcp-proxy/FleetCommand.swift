// SPDX-License-Identifier: Apache-2.0

import Fleet
import Wording

/// `mcp-proxy fleet …`: one file that describes all servers of a host.
struct FleetCommand: Equatable {
    enum Verb: String, CaseIterable { case check, render, diff, status, update }

    var verb: Verb
    var file = FleetPaths.file
    /// What all paths lie below; empty for the machine itself.
    var root = ""
    var isDryRun = false
    var overwrites = false

    static let help = """
        Usage: \(Product.name) fleet check|render|diff|status|update [FILE] [options]

        Sets up all MCP servers of this machine as FILE describes them, else \(FleetPaths.file).

          check    say what is wrong with FILE, and which secrets are missing
          render   write what the servers need: env files and drop-ins of units, nginx, Prometheus,
                   firewall, certificate, DNS records, configuration of clients
          diff     show what render would change; exits with 1 if it would change something
          status   show every instance at a glance; exits with 1 unless all are ready
          update   pull all images, and replace the containers of those that have changed; no call is lost

          --dry-run     render: say what would be written, and write nothing
          --force       render: replace files that were edited, or that it never wrote; the old one stays as FILE.old
          --root DIR    work on the tree below DIR instead of the machine

        """

    /// - Parameter words: The words after `fleet`.
    /// - Returns: Nil if only the help was asked for.
    static func parse(_ words: some Sequence<String>) throws(ConfigurationError) -> FleetCommand? {
        var command: FleetCommand?
        var hasFile = false
        var words = Array(words)[...]
        while let word = words.popFirst() {
            if ["--help", "-h"].contains(word) { return nil }
            guard var known = command else {
                guard let verb = Verb(rawValue: word) else {
                    throw unknown(word, "command", Verb.allCases.map(\.rawValue))
                }
                command = FleetCommand(verb: verb)
                continue
            }
            switch word {
            case "--dry-run" where known.verb == .render: known.isDryRun = true
            case "--force" where known.verb == .render: known.overwrites = true
            case "--root":
                guard let root = words.popFirst(), !root.isEmpty else {
                    throw ConfigurationError(.usage, "--root has no value", "give a directory")
                }
                known.root = root
            case _ where word.hasPrefix("-"):
                let flags = ["--root"] + (known.verb == .render ? ["--dry-run", "--force"] : [])
                throw unknown(word, "flag of fleet \(known.verb.rawValue)", flags)
            default:
                guard !hasFile else {
                    throw ConfigurationError(.usage, "a second file \(quoted(word))", "give one file")
                }
                hasFile = true
                known.file = word
            }
            command = known
        }
        guard let command else {
            throw ConfigurationError(
                .usage,
                "fleet needs a command",
                "write \(Product.name) fleet \(Verb.allCases.map(\.rawValue).joined(separator: "|"))"
            )
        }
        return command
    }

    private static func unknown(_ word: String, _ what: String, _ names: [String]) -> ConfigurationError {
        ConfigurationError(
            .usage,
            "unknown \(what) \(quoted(word))",
            nearest(to: word, among: names).map { "did you mean \($0)?" } ?? "see \(Product.name) fleet --help"
        )
    }

    /// Does it, and returns the status to exit with.
    func run(_ surroundings: Surroundings) async -> Int32 {
        do throws(ConfigurationError) {
            guard let fleet = try load(surroundings) else { return ExitStatus.configuration.rawValue }
            switch verb {
            case .check: return check(fleet)
            case .render: return try render(fleet)
            case .diff: return try diff(fleet)
            case .status: return await showStatus(fleet, surroundings)
            case .update: return await update(fleet)
            }
        } catch {
            write("\(error.line)\n", to: 2)
            return error.status.rawValue
        }
    }

    /// Nil if the file has mistakes, which are told by then, one line each.
    private func load(_ surroundings: Surroundings) throws(ConfigurationError) -> Fleet? {
        let text: String
        do throws(FileError) {
            text = try surroundings.read(file)
        } catch {
            throw ConfigurationError(
                .configuration,
                "\(file) \(error.reason)",
                "name the file, as in \(Product.name) fleet \(verb.rawValue) fleet.yaml"
            )
        }
        switch FleetReader.read(text, checkOption: Self.checkOption) {
        case .success(let fleet): return fleet
        case .failure(let problems):
            for problem in problems.all { write("\(Product.name): \(problem.text(file: file))\n", to: 2) }
            return nil
        }
    }

    private static func checkOption(_ name: String, _ value: String) -> (problem: String, remedy: String)? {
        guard let option = Option.named(name), option.name == name, option.layers == .flagEnvironmentFile else {
            let names = Option.table.filter { $0.layers == .flagEnvironmentFile }.map(\.name)
            let remedy = nearest(to: kebabCase(name), among: names).map { "did you mean \($0)?" }
            return ("\(quoted(name)) is no option of the proxy", remedy ?? "see \(Product.name) --help")
        }
        if option.kind.value(of: value) != nil { return nil }
        return ("\(name) cannot be \(option.isSecret ? "this" : quoted(value))", "give \(option.kind.expectation)")
    }

    // MARK: check, render and diff

    private func check(_ fleet: Fleet) -> Int32 {
        let missing = missingSecrets(fleet)
        for line in missing { write("\(Product.name): \(line)\n", to: 2) }
        guard missing.isEmpty else { return ExitStatus.configuration.rawValue }
        write(
            "\(file): \(counted(fleet.servers.count, "server")), \(fleet.publicServers.count) of them public\n",
            to: 1
        )
        return ExitStatus.ok.rawValue
    }

    private func missingSecrets(_ fleet: Fleet) -> [String] {
        let disk = FleetDisk(root: root)
        return fleet.servers.flatMap { server in
            server.secrets.map { (FleetPaths.secret($0, of: server.name), server.name) }
        }
        .filter { !disk.exists($0.0) }
        .map { "the secret \(root)\($0.0) of \(quoted($0.1)) is missing; write its value there, with mode 600" }
    }

    private func render(_ fleet: Fleet) throws(ConfigurationError) -> Int32 {
        let disk = FleetDisk(root: root)
        let (keys, fresh) = try keys(of: fleet, disk)
        let plan = try plan(fleet, keys, disk)
        if !isDryRun {
            for (name, key) in fresh.sorted(by: { $0.key < $1.key }) {
                try disk.write(RenderedKey(server: name, key: key))
            }
            try disk.carryOut(plan)
            try disk.makeSecretDirectories(of: fleet)
        }
        for name in fresh.keys.sorted() { write("create  \(root)\(FleetPaths.key(name))\n", to: 1) }
        for step in plan.changes { write("\(padded(step.action.word, 8))\(root)\(step.path)\n", to: 1) }
        for step in plan.kept {
            let why = step.action == .keepForeign ? "was there before" : "was edited"
            write("\(Product.name): kept \(root)\(step.path), which \(why); see fleet diff, or use --force\n", to: 2)
        }
        for line in missingSecrets(fleet) { write("\(Product.name): \(line)\n", to: 2) }
        let changes = plan.changes.count + fresh.count
        let done = isDryRun ? "would change" : "changed"
        write("\(counted(plan.steps.count + keys.count, "file")), \(changes) \(done), \(plan.kept.count) kept\n", to: 1)
        return plan.kept.isEmpty ? ExitStatus.ok.rawValue : 1
    }

    private func diff(_ fleet: Fleet) throws(ConfigurationError) -> Int32 {
        let disk = FleetDisk(root: root)
        let (keys, fresh) = try keys(of: fleet, disk)
        let plan = try plan(fleet, keys, disk)
        for name in fresh.keys.sorted() { write("\(root)\(FleetPaths.key(name)): a key is to be made\n", to: 1) }
        for step in plan.steps where step.action != .leave {
            let path = root + step.path
            if step.wanted?.isSecret == true {
                write("\(path): differs, and holds a key\n", to: 1)
            } else {
                let (old, new) = (step.present == nil ? "/dev/null" : path, step.wanted == nil ? "/dev/null" : path)
                write("--- \(old)\n+++ \(new)\n\(unifiedDiff(step.present ?? "", step.wanted?.text ?? ""))", to: 1)
            }
        }
        return fresh.isEmpty && plan.steps.allSatisfy { $0.action == .leave } ? ExitStatus.ok.rawValue : 1
    }

    private func plan(_ fleet: Fleet, _ keys: [String: String], _ disk: FleetDisk) throws(ConfigurationError) -> Plan {
        let manifest = Manifest(try disk.read(FleetPaths.manifest) ?? "")
        do {
            return try Plan(fleet.files(keys: keys), manifest: manifest, overwrites: overwrites, read: disk.read)
        } catch let error as ConfigurationError {
            throw error
        } catch {
            throw ConfigurationError(.internalError, "cannot plan (\(error))", "report this")
        }
    }

    /// The keys of all servers that have one, and those among them that were made just now and lie nowhere yet.
    private func keys(
        of fleet: Fleet,
        _ disk: FleetDisk
    ) throws(ConfigurationError) -> (all: [String: String], fresh: [String: String]) {
        var all: [String: String] = [:]
        var fresh: [String: String] = [:]
        for server in fleet.publicServers where server.access == .key {
            let path = FleetPaths.key(server.name)
            if let text = try disk.read(path) {
                let key = String(text.prefix { !$0.isWhitespace })
                guard (32...36).contains(key.utf8.count), key.utf8.allSatisfy({ isKeyByte($0) }) else {
                    throw ConfigurationError(
                        .configuration,
                        "\(root)\(path) holds no key",
                        "remove it to have one made, or write 32 to 36 lower-case letters and digits there"
                    )
                }
                all[server.name] = key
            } else {
                let digits = String(UInt128.random(in: .min ... .max), radix: 16)
                let key = String(repeating: "0", count: 32 - digits.count) + digits
                all[server.name] = key
                fresh[server.name] = key
            }
        }
        return (all, fresh)
    }
}

/// A generated key on its way to its file.
struct RenderedKey {
    var server: String
    var key: String
}

/// nginx does not tell upper from lower case in what it compares a key with.
private func isKeyByte(_ byte: UInt8) -> Bool {
    UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
}

/// `1 file`, `2 files`.
private func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

extension Plan.Action {
    fileprivate var word: String {
        switch self {
        case .create: "create"
        case .update: "update"
        case .leave: "leave"
        case .remove: "remove"
        case .keepEdited, .keepForeign: "keep"
        }
    }
}
