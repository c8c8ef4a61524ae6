// SPDX-License-Identifier: Apache-2.0

import Fleet
import Glibc
import Journal

extension FleetCommand {
    /// Asks every instance on its admin port, and prints what they say.
    func showStatus(_ fleet: Fleet, _ surroundings: Surroundings) async -> Int32 {
        let now = Double(time(nil))
        let answers = await withTaskGroup(of: (Int, InstanceStatus).self) { group in
            for (index, server) in fleet.servers.enumerated() {
                group.addTask { (index, await ask(server.adminPort, now: now)) }
            }
            var answers: [Int: InstanceStatus] = [:]
            for await (index, status) in group { answers[index] = status }
            return answers
        }
        let rows = fleet.servers.enumerated().compactMap { index, server in answers[index].map { (server, $0) } }
        let isTerminal = isatty(1) == 1
        let isPlain =
            surroundings.environment["NO_COLOR"]?.isEmpty == false || surroundings.environment["TERM"] == "dumb"
        let text = StatusTable.text(rows, width: isTerminal ? terminalWidth() : nil, isColoured: isTerminal && !isPlain)
        write(text, to: 1)
        return rows.allSatisfy { $0.1.state == "ready" } ? ExitStatus.ok.rawValue : 1
    }
}

private func terminalWidth() -> Int? {
    var size = winsize()
    return ioctl(1, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : nil
}

private func ask(_ port: Int, now: Double) async -> InstanceStatus {
    guard let readiness = await get("/readyz", port: port) else {
        return .down("nobody answers on 127.0.0.1:\(port)")
    }
    guard let metrics = await get("/metrics", port: port) else { return .down("no metrics on 127.0.0.1:\(port)") }
    return InstanceStatus(readiness: readiness, metrics: metrics, now: now)
}

/// The body of the answer to a GET on loopback; nil if there was none within two seconds. Asked on a thread of its own.
func get(_ path: String, port: Int) async -> String? {
    await withCheckedContinuation { waiter in
        do throws(WorkerThreadError) {
            try WorkerThread.start(for: "question") { waiter.resume(returning: waitForAnswer(to: path, port: port)) }
        } catch {
            write("\(Product.name): \(error)\n", to: 2)
            waiter.resume(returning: nil)
        }
    }
}

private func waitForAnswer(to path: String, port: Int) -> String? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var timeout = timeval(tv_sec: 2, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
        setsockopt(descriptor, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(truncatingIfNeeded: port).bigEndian
    address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
    let isConnected = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
    guard isConnected else { return nil }
    write("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n", to: descriptor)
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = recv(descriptor, &chunk, chunk.count, 0)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { break }
        answer += chunk[..<count]
    }
    let text = String(decoding: answer, as: UTF8.self)
    guard text.hasPrefix("HTTP/1.1 "), let end = text.firstRange(of: "\r\n\r\n")?.upperBound else { return nil }
    return String(text[end...])
}
