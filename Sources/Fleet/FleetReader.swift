// SPDX-License-Identifier: Apache-2.0

import Wording
import YAML

/// Reads `fleet.yaml`. It goes on after a problem, so that all of them are told at once.
package struct FleetReader {
    /// Judges an option of the proxy: nil if `value` will do, else what is wrong and what to do.
    package typealias OptionCheck = (_ name: String, _ value: String) -> (problem: String, remedy: String)?

    var problems: [FleetProblem] = []
    private let checkOption: OptionCheck

    /// What the text says, or all that is wrong with it.
    package static func read(_ text: String, checkOption: @escaping OptionCheck) -> Result<Fleet, FleetProblems> {
        var reader = FleetReader(checkOption: checkOption)
        let fleet = reader.fleet(text)
        guard let fleet, reader.problems.isEmpty else { return .failure(FleetProblems(all: reader.problems)) }
        return .success(fleet)
    }

    private init(checkOption: @escaping OptionCheck) { self.checkOption = checkOption }

    private mutating func fleet(_ text: String) -> Fleet? {
        let root: YAMLNode
        do throws(YAMLError) {
            guard let node = try YAMLReader.read(text) else {
                report(YAMLPlace(line: 1, column: 1), "the file says nothing", "write domain: and servers:")
                return nil
            }
            root = node
        } catch {
            report(error.place, error.problem, error.remedy)
            return nil
        }
        guard var fields = fields(root, "the file") else { return nil }
        let domain = fields.take("domain").flatMap { hostName($0, "domain") }
        let email = fields.take("email").flatMap { node in
            scalar(node, "email").flatMap { text in
                if text.contains("@"), !text.contains(" ") { return text }
                report(node.place, "email cannot be \(quoted(text))", "give an address such as admin@example.com")
                return nil
            }
        }
        let engine = fields.take("engine").flatMap { node in
            choice(node, "engine", Fleet.Engine.allCases.map(\.rawValue)).flatMap(Fleet.Engine.init)
        }
        let isEncrypted = fields.take("encrypted-secrets").flatMap { boolean($0, "encrypted-secrets") }
        let list = fields.take("servers")
        finish(fields)

        guard let list else {
            report(root.place, "there are no servers", "write servers: and a list of them")
            return nil
        }
        guard case .sequence(let elements) = list.content else {
            report(list.place, "servers is not a list", "begin each server with - name:")
            return nil
        }
        var servers: [Server] = []
        var taken = Taken()
        for element in elements {
            if let server = server(element, domain: domain, taken: &taken) { servers.append(server) }
        }
        return Fleet(
            domain: domain,
            email: email,
            engine: engine ?? .docker,
            hasEncryptedSecrets: isEncrypted ?? false,
            servers: servers
        )
    }

    // MARK: A server

    /// What no two servers may share, with the server that has it.
    private struct Taken {
        var names: [String: String] = [:]
        var hosts: [String: String] = [:]
        var ports: [Int: String] = [:]
    }

    private mutating func server(_ node: YAMLNode, domain: String?, taken: inout Taken) -> Server? {
        guard var fields = fields(node, "a server") else { return nil }
        guard let nameNode = fields.take("name") else {
            report(node.place, "a server has no name", "write - name: time")
            return nil
        }
        guard let name = serverName(nameNode) else { return nil }
        let isTwice = taken.names.updateValue(name, forKey: name) != nil
        if isTwice {
            report(nameNode.place, "the name \(quoted(name)) is given more than once", "give each server its own")
        }
        let hostNode = fields.take("host")
        let host = publicName(hostNode, name, domain, nameNode.place)
        // One that is made of the name is no mistake of its own.
        if let host, let owner = taken.hosts.updateValue(name, forKey: host.text), !isTwice || hostNode != nil {
            report(host.place, "the host \(quoted(host.text)) belongs to \(quoted(owner))", "give each server its own")
        }
        let access = accessRule(fields.take("auth"), fields.take("public"), name, host?.text, nameNode.place)
        let (port, adminPort) = portPair(fields.take("port"), fields.take("admin-port"), name, nameNode.place, &taken)
        let program = serverProgram(&fields, name, nameNode.place)
        let isolation = fields.take("isolation").flatMap { isolationMode($0) }
        let (variables, secrets) = variableLists(fields.take("env"), fields.take("secrets"))
        var isImage = false
        if case .image? = program { isImage = true }
        let volumes = volumeList(fields.take("volumes"), isImage)
        let limits = fields.take("limits").flatMap { limitSet($0) } ?? Server.Limits()
        let options = fields.take("options").map { optionList($0) } ?? []
        finish(fields)
        guard let program, let port, let adminPort else { return nil }
        return Server(
            name: name,
            host: host?.text,
            access: access ?? .key,
            program: program,
            port: port,
            adminPort: adminPort,
            isolation: isolation,
            variables: variables,
            secrets: secrets,
            volumes: volumes,
            limits: limits,
            options: options
        )
    }

    private mutating func serverName(_ node: YAMLNode) -> String? {
        guard let name = scalar(node, "name") else { return nil }
        if isHostLabel(name), name.utf8.count <= 40 { return name }
        report(
            node.place,
            "name cannot be \(quoted(name))",
            "give at most 40 lower-case letters, digits and dashes, no dash at an end"
        )
        return nil
    }

    private mutating func publicName(
        _ node: YAMLNode?,
        _ name: String,
        _ domain: String?,
        _ place: YAMLPlace
    ) -> (text: String, place: YAMLPlace)? {
        guard let node else {
            if let domain { return ("\(name).\(domain)", place) }
            report(
                place,
                "the server \(quoted(name)) has no public name",
                "write host: NAME, domain: at the top of the file, or host: none to keep it to this machine"
            )
            return nil
        }
        if node.text == "none" { return nil }
        return hostName(node, "host").map { ($0, node.place) }
    }

    /// Nil if nothing says who may call it, which is a problem if anybody can reach it.
    private mutating func accessRule(
        _ auth: YAMLNode?,
        _ open: YAMLNode?,
        _ name: String,
        _ host: String?,
        _ place: YAMLPlace
    ) -> Server.Access? {
        let isKey = auth.flatMap { choice($0, "auth", ["key"]) } != nil
        let isOpen = open.flatMap { boolean($0, "public") } ?? false
        if let auth, isOpen {
            report(auth.place, "\(quoted(name)) has both auth and public: true", "keep one of them")
        } else if let host, !isOpen, auth == nil {
            report(
                place,
                "everybody could call \(quoted(name)) as \(host), and nothing says that this is meant",
                "write auth: key, or public: true to let everybody in, or host: none to keep it to this machine"
            )
        }
        return isKey ? .key : isOpen ? .everybody : nil
    }

    private mutating func portPair(
        _ portNode: YAMLNode?,
        _ adminNode: YAMLNode?,
        _ name: String,
        _ place: YAMLPlace,
        _ taken: inout Taken
    ) -> (Int?, Int?) {
        guard let portNode else {
            report(place, "the server \(quoted(name)) has no port", "write port: 3001, one of its own for each server")
            return (nil, nil)
        }
        guard let port = integer(portNode, "port", 1...65535) else { return (nil, nil) }
        let admin = adminNode.map { integer($0, "admin-port", 1...65535) } ?? port + Self.adminOffset
        guard let admin else { return (port, nil) }
        guard admin <= 65535 else {
            report(
                portNode.place,
                "port cannot be \(quoted(String(port))) without an admin-port, which would be \(admin)",
                "write admin-port:"
            )
            return (port, nil)
        }
        var isTaken = false
        for (number, node) in [(port, portNode), (admin, adminNode ?? portNode)] {
            // One that is made of the port is no mistake of its own.
            guard let owner = taken.ports.updateValue(name, forKey: number), !isTaken || adminNode != nil else {
                continue
            }
            isTaken = true
            report(node.place, "the port \(number) belongs to \(quoted(owner))", "give each server its own")
        }
        return (port, admin)
    }

    /// Where metrics are served, from the port on, unless `admin-port` says so.
    static let adminOffset = 6000

    private mutating func serverProgram(
        _ fields: inout FleetFields,
        _ name: String,
        _ place: YAMLPlace
    ) -> Server.Program? {
        let image = fields.take("image")
        let command = fields.take("command")
        let arguments = fields.take("args").map { words($0, "args") } ?? []
        switch (image, command) {
        case (let image?, nil):
            guard let text = scalar(image, "image") else { return nil }
            if !text.isEmpty, !text.hasPrefix("-"), !text.contains(where: { $0.isWhitespace }) {
                return .image(text, arguments: arguments)
            }
            report(image.place, "image cannot be \(quoted(text))", "give a name such as mcp/time, options go elsewhere")
        case (nil, let command?):
            let words = words(command, "command")
            if !words.isEmpty { return .command(words + arguments) }
            report(command.place, "command is empty", "write the program to run")
        case (_?, let command?):
            report(command.place, "\(quoted(name)) has both an image and a command", "keep one of them")
        case (nil, nil):
            report(place, "\(quoted(name)) has neither an image nor a command", "write image: mcp/time, or command:")
        }
        return nil
    }

    private mutating func variableLists(_ env: YAMLNode?, _ secrets: YAMLNode?) -> ([Server.Variable], [String]) {
        var variables: [Server.Variable] = []
        var names: [String] = []
        for member in env.flatMap({ members($0, "env") }) ?? [] {
            guard let value = scalar(member.value, member.key) else { continue }
            if isVariableName(member.key) {
                variables.append(Server.Variable(name: member.key, value: value))
            } else {
                reportVariable(member.place, member.key)
            }
        }
        for node in secrets.flatMap({ elements($0, "secrets") }) ?? [] {
            guard let name = scalar(node, "secrets") else { continue }
            if !isVariableName(name) {
                reportVariable(node.place, name)
            } else if names.contains(name) || variables.contains(where: { $0.name == name }) {
                report(node.place, "the variable \(name) is given more than once", "keep it in env or in secrets")
            } else {
                names.append(name)
            }
        }
        return (variables, names)
    }

    private mutating func volumeList(_ node: YAMLNode?, _ isImage: Bool) -> [String] {
        guard let node else { return [] }
        if !isImage { report(node.place, "volumes are for images, not for commands", "remove them") }
        var volumes: [String] = []
        for element in elements(node, "volumes") ?? [] {
            guard let text = scalar(element, "volumes") else { continue }
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            let isPair = (2...3).contains(parts.count) && !parts[0].isEmpty && parts[1].hasPrefix("/")
            let isSource = isPair && (parts[0].hasPrefix("/") || !parts[0].contains("/") && !parts[0].hasPrefix("."))
            if isSource, !text.contains(",") {
                volumes.append(text)
            } else {
                report(
                    element.place,
                    "a volume cannot be \(quoted(text))",
                    "give NAME:/path or /directory:/path, with :ro after it for reading only"
                )
            }
        }
        return volumes
    }

    private mutating func limitSet(_ node: YAMLNode) -> Server.Limits? {
        guard var fields = fields(node, "limits") else { return nil }
        var limits = Server.Limits()
        if let memory = fields.take("memory"), let text = scalar(memory, "memory") {
            limits.memory = bytes(text)
            if limits.memory.map({ $0 >= 6 << 20 }) != true {
                report(memory.place, "memory cannot be \(quoted(text))", "give a size such as 512MiB, 6MiB or more")
            }
        }
        if let cpus = fields.take("cpus"), let text = scalar(cpus, "cpus") {
            limits.centiCPUs = hundredths(text)
            if limits.centiCPUs == nil {
                report(
                    cpus.place,
                    "cpus cannot be \(quoted(text))",
                    "give a number such as 0.5, two digits after the dot"
                )
            }
        }
        limits.pids = fields.take("pids").flatMap { integer($0, "pids", 1...4_194_304) }
        finish(fields)
        return limits
    }

    /// Options that this file has other words for.
    private static let ownOptions = [
        "port": "port", "host": "host", "admin-listen": "admin-port", "name": "name", "isolation": "isolation",
        "env": "env", "config": "options",
    ]

    private mutating func optionList(_ node: YAMLNode) -> [Server.Variable] {
        var options: [Server.Variable] = []
        for member in members(node, "options") ?? [] {
            if let own = Self.ownOptions[member.key] {
                report(member.place, "\(member.key) is no option here", "write \(own): for the server instead")
                continue
            }
            var texts: [String] = []
            if case .sequence(let elements) = member.value.content {
                for element in elements { if let text = scalar(element, member.key) { texts.append(text) } }
            } else if let text = scalar(member.value, member.key) {
                texts = [text]
            }
            for text in texts {
                if let wrong = checkOption(member.key, text) {
                    report(member.value.place, wrong.problem, wrong.remedy)
                }
            }
            options.append(Server.Variable(name: member.key, value: texts.joined(separator: ",")))
        }
        return options
    }
}

/// All that is wrong in a `fleet.yaml`, in the order of the file.
package struct FleetProblems: Error, Sendable, Equatable {
    package var all: [FleetProblem]
}
