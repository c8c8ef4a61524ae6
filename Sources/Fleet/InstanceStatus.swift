// SPDX-License-Identifier: Apache-2.0

/// What one instance says of itself, read off its `/readyz` and `/metrics`.
package struct InstanceStatus: Sendable, Equatable {
    /// `ready`, `starting`, `backoff` and the other words of `/readyz`; `down` when nobody answers there.
    package var state: String
    /// Why it is not ready, for people; empty if it is.
    package var detail: String
    /// That of the MCP server, as it told in the handshake.
    package var version: String?
    /// Seconds since the proxy started.
    package var uptime: Double?
    /// Processes of the MCP server that failed, each of which was followed by another.
    package var restarts: Int?
    package var sessions: Int?
    /// Seconds within which 95 of 100 calls were answered, since the start; nil before the first call.
    package var slowCall: Double?
    package var requests: Int?
    /// Requests that did not end well.
    package var errors: Int?

    /// An instance that cannot be asked.
    package static func down(_ reason: String) -> InstanceStatus { InstanceStatus(state: "down", detail: reason) }

    private init(state: String, detail: String) {
        self.state = state
        self.detail = detail
    }

    /// - Parameters:
    ///   - readiness: The JSON of `/readyz`.
    ///   - metrics: The text of `/metrics`.
    ///   - now: Seconds since 1970.
    package init(readiness: String, metrics: String, now: Double) {
        // Whatever listens there may answer anything.
        let told = member("status", of: readiness) ?? ""
        let isWord =
            !told.isEmpty
            && told.utf8.allSatisfy { UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || $0 == UInt8(ascii: "_") }
        state = isWord ? told : "unknown"
        detail = state == "ready" ? "" : member("reason", of: readiness) ?? ""
        let samples = MetricSample.all(metrics)
        let sum = { (name: String) -> Double? in
            let values = samples.filter { $0.name == name }.map(\.value)
            return values.isEmpty ? nil : values.reduce(0, +)
        }
        version = samples.first { $0.name == "mcp_proxy_upstream_info" }?.labels["server_version"].map(printable)
        uptime = sum("process_start_time_seconds").map { max(0, now - $0) }
        let exits = samples.filter { $0.name == "mcp_proxy_upstream_exits_total" }
        restarts = Int(exits.filter { $0.labels["reason"] != "stopped" }.map(\.value).reduce(0, +))
        sessions = sum("mcp_proxy_sessions").map { Int($0) }
        let ended = samples.filter { $0.name == "mcp_proxy_requests_total" }
        requests = Int(ended.map(\.value).reduce(0, +))
        let good: Set = ["ok", "cancelled"]
        errors = Int(ended.filter { !good.contains($0.labels["outcome"] ?? "") }.map(\.value).reduce(0, +))
        slowCall = quantile(0.95, samples.filter { $0.name == "mcp_server_operation_duration_seconds_bucket" })
    }
}

/// A line of the text format of Prometheus: `name{label="value"} 1.5`. None for numbers that nothing here can be.
package struct MetricSample {
    package var name: Substring
    package var labels: [Substring: String] = [:]
    package var value: Double

    /// So small that sums of them are whole numbers, too.
    static let plausible = 0...1e12

    /// Those of a whole page.
    package static func all(_ page: String) -> [MetricSample] {
        page.split(separator: "\n").compactMap { MetricSample($0) }
    }

    private init?(_ line: Substring) {
        guard !line.hasPrefix("#"), let space = line.lastIndex(of: " "),
            let value = Double(line[line.index(after: space)...]), Self.plausible ~= value
        else { return nil }
        self.value = value
        let series = line[..<space]
        name = series.prefix { $0 != "{" }
        var rest = series[name.endIndex...].dropFirst()
        while let equals = rest.firstIndex(of: "="), rest.index(after: equals) < rest.endIndex {
            let label = rest[..<equals]
            var text = ""
            var index = rest.index(equals, offsetBy: 2)
            while index < rest.endIndex, rest[index] != "\"" {
                if rest[index] == "\\", rest.index(after: index) < rest.endIndex { index = rest.index(after: index) }
                text.append(rest[index])
                index = rest.index(after: index)
            }
            labels[label] = text
            rest = rest[index...].dropFirst().drop { $0 == "," }
        }
    }
}

/// A quantile by the buckets of a histogram, interpolated as Prometheus does; nil if nothing was counted.
private func quantile(_ rank: Double, _ buckets: [MetricSample]) -> Double? {
    var counts: [Double: Double] = [:]
    for bucket in buckets {
        guard let text = bucket.labels["le"], let bound = text == "+Inf" ? .infinity : Double(text),
            bound == .infinity || MetricSample.plausible ~= bound
        else { continue }
        counts[bound, default: 0] += bucket.value
    }
    let sorted = counts.sorted { $0.key < $1.key }
    guard let total = sorted.last?.value, total > 0 else { return nil }
    var (bound, below) = (0.0, 0.0)
    for (upper, count) in sorted {
        if count >= rank * total {
            return upper == .infinity ? bound : bound + (upper - bound) * (rank * total - below) / (count - below)
        }
        (bound, below) = (upper, count)
    }
    return bound
}

/// A text without what a terminal would obey.
private func printable(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.properties.generalCategory != .control }))
}

/// The text of a member of a flat JSON object.
private func member(_ name: String, of json: String) -> String? {
    guard let start = json.firstRange(of: "\"\(name)\":\"")?.upperBound else { return nil }
    var text = ""
    var rest = json[start...]
    while let character = rest.popFirst(), character != "\"" {
        text.append(character == "\\" ? rest.popFirst() ?? " " : character)
    }
    return printable(text)
}
