// SPDX-License-Identifier: Apache-2.0

import Fleet
import Subprocess
import Upstream

extension FleetCommand {
    /// Pulls the images of all servers, and has each instance whose image has changed replace its container by a new one.
    /// No call is lost by that; what cannot be had anew goes on as it is.
    func update(_ fleet: Fleet) async -> Int32 {
        var isFine = true
        var ids: [String: String] = [:]
        let servers = fleet.servers.compactMap { server in server.image.map { (server, $0) } }
        for image in Set(servers.map(\.1)).sorted() {
            write("pulling \(image)\n", to: 2)
            let pulled = await engine(fleet, ["pull", "--quiet", image])
            let inspected = await engine(fleet, ["image", "inspect", "--format", "{{.Id}}", image])
            if pulled.isSuccess, inspected.isSuccess {
                ids[image] = inspected.output
            } else {
                let problem = pulled.isSuccess ? inspected.problem : pulled.problem
                let run = ContainerRun(program: fleet.engine.rawValue, arguments: ["run", image])
                let why = run?.knownFault(stderr: problem)?.detail ?? problem
                write("\(Product.name): cannot pull \(image): \(why)\n", to: 2)
                isFine = false
            }
        }
        let width = servers.map(\.0.name.count).max() ?? 0
        for (server, image) in servers {
            guard let id = ids[image] else { continue }
            let outcome = await replace(server, by: id)
            write("\(padded(server.name, width))  \(outcome.text)\n", to: 1)
            isFine = isFine && outcome.isFine
        }
        return isFine ? ExitStatus.ok.rawValue : 1
    }

    private func replace(_ server: Server, by id: String) async -> (text: String, isFine: Bool) {
        guard let before = await InstanceImage(server) else {
            return ("is not running; it will start with \(short(id))", true)
        }
        guard short(before.id) != short(id) else { return ("has \(short(id))", true) }
        let change = "\(before.id.isEmpty ? "unknown" : short(before.id)) -> \(short(id))"
        let unit = "mcp@\(server.name).service"
        let signalled = await program("systemctl", ["kill", "--kill-who=main", "--signal=SIGUSR2", unit])
        guard signalled.isSuccess else { return ("\(change): cannot signal \(unit): \(signalled.problem)", false) }
        if server.isolation == "session" { return ("\(change), for new sessions", true) }
        // A cold start, which may take its time.
        for _ in 0..<600 {
            try? await Task.sleep(for: .milliseconds(500))
            guard let now = await InstanceImage(server) else { continue }
            if now.replaced > before.replaced { return (change, true) }
            if now.failed > before.failed {
                return ("\(change) failed, the old one goes on; see journalctl -u \(unit)", false)
            }
        }
        return ("\(change): not done after 5 minutes; see journalctl -u \(unit)", false)
    }

    private func engine(_ fleet: Fleet, _ words: [String]) async -> ProgramResult {
        await program(fleet.engine.rawValue, words)
    }
}

/// What an instance says of its image, and of attempts to replace it.
private struct InstanceImage {
    var id: String
    var replaced: Double
    var failed: Double

    /// Nil if it does not answer.
    init?(_ server: Server) async {
        guard let metrics = await get("/metrics", port: server.adminPort) else { return nil }
        let samples = MetricSample.all(metrics)
        let count = { (event: String) in
            samples.first { $0.name == "mcp_proxy_events_total" && $0.labels["event"] == event }?.value ?? 0
        }
        id = samples.first { $0.name == "mcp_proxy_container_info" }?.labels["image_id"] ?? ""
        replaced = count("upstream.replaced")
        failed = count("upstream.replacement_failed")
    }
}

/// `sha256:` and twelve digits.
private func short(_ id: String) -> String {
    let digits = id.hasPrefix("sha256:") ? id.dropFirst(7) : id[...]
    return "sha256:\(digits.prefix(12))"
}

private struct ProgramResult {
    var isSuccess = false
    /// What it printed, without the white space around it.
    var output = ""
    /// The last line it complained with.
    var problem = ""
}

private func program(_ name: String, _ words: [String]) async -> ProgramResult {
    do {
        let done = try await Subprocess.run(
            .name(name),
            arguments: Subprocess.Arguments(words),
            output: .string(limit: 1 << 20),
            error: .string(limit: 1 << 20)
        )
        let lines = trimmed(done.standardError).split(separator: "\n")
        return ProgramResult(
            isSuccess: done.terminationStatus.isSuccess,
            output: trimmed(done.standardOutput),
            problem: lines.last.map(String.init) ?? "\(name) ended with \(done.terminationStatus)"
        )
    } catch {
        return ProgramResult(problem: "\(name) cannot be run (\(error))")
    }
}
