// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The `process_…` metrics all Prometheus clients have in common, read from the kernel at each scrape.
///
/// What can't be read isn't shown, rather than shown as 0.
package struct ProcessCollector: Sendable {
    /// The metrics this can fill. Their names are a convention (Prometheus docs, "Writing client libraries").
    package static let descriptions: [MetricDescription] = [
        .init(
            name: "process_cpu_seconds_total",
            kind: .counter,
            unit: "seconds",
            help: "User and system CPU time spent by the process.",
            scale: .nanoseconds,
            startsEmpty: true
        ),
        gauge("process_max_fds", nil, "Maximum number of open file descriptors."),
        gauge("process_open_fds", nil, "Number of open file descriptors."),
        gauge("process_resident_memory_bytes", "bytes", "Resident memory size."),
        gauge("process_start_time_seconds", "seconds", "Start time of the process, as Unix time."),
        gauge("process_threads", nil, "Number of operating system threads in the process."),
        gauge("process_virtual_memory_bytes", "bytes", "Virtual memory size."),
        gauge("process_virtual_memory_max_bytes", "bytes", "Maximum amount of virtual memory available."),
    ]

    private static func gauge(_ name: String, _ unit: String?, _ help: String) -> MetricDescription {
        MetricDescription(name: name, kind: .gauge, unit: unit, help: help, startsEmpty: true)
    }

    /// Registers the metrics and has them read at each scrape from then on.
    ///
    /// - Parameter descriptions: some or all of `Self.descriptions`, perhaps with other help texts.
    /// - Throws: for one whose name isn't among them, or that can't be registered.
    @discardableResult
    package init(
        _ registry: Registry,
        _ descriptions: [MetricDescription] = Self.descriptions
    ) throws(RegistrationError) {
        try self.init(registry, descriptions, proc: "/proc")
    }

    /// - Parameter proc: where the files of the kernel are.
    init(_ registry: Registry, _ descriptions: [MetricDescription], proc: String) throws(RegistrationError) {
        var cpu: Counter?
        var gauges: [(gauge: Gauge, read: @Sendable (ProcessReading) -> Double?)] = []
        for description in descriptions {
            if description.name == "process_cpu_seconds_total" {
                cpu = try registry.counter(description).with()
                continue
            }
            guard let read = Self.readings[description.name] else {
                throw description.problem("no such value of a process is known")
            }
            gauges.append((try registry.gauge(description).with(), read))
        }
        let (counter, readings) = (cpu, gauges)
        registry.collect {
            let reading = ProcessReading(proc: proc)
            if let nanoseconds = reading.cpuNanoseconds { counter?.set(nanoseconds) } else { counter?.clear() }
            for (gauge, read) in readings {
                if let value = read(reading) { gauge.set(value) } else { gauge.clear() }
            }
        }
    }

    private static let readings: [String: @Sendable (ProcessReading) -> Double?] = [
        "process_max_fds": { $0.maxDescriptors },
        "process_open_fds": { $0.openDescriptors },
        "process_resident_memory_bytes": { $0.residentBytes },
        "process_start_time_seconds": { $0.startTime },
        "process_threads": { $0.threads },
        "process_virtual_memory_bytes": { $0.virtualBytes },
        "process_virtual_memory_max_bytes": { $0.maxVirtualBytes },
    ]
}

/// The files of `/proc/self` at one moment (proc(5)). What can't be read is nil.
struct ProcessReading {
    private let proc: String
    /// The fields of `stat` from the third on, the state.
    private let stat: [Substring]
    private let ticksPerSecond = sysconf(Int32(_SC_CLK_TCK))

    init(proc: String) {
        self.proc = proc
        // The second field is the name of the program, in parentheses, and may hold anything, parentheses too.
        let text = Self.contents(of: proc + "/self/stat") ?? ""
        let behindName = text.lastIndex(of: ")").map { text[text.index(after: $0)...] } ?? ""
        stat = behindName.split { $0 == " " || $0 == "\n" }
    }

    /// A field of `stat` by its number in proc(5).
    private func field(_ number: Int) -> Int? { stat.indices.contains(number - 3) ? Int(stat[number - 3]) : nil }

    var cpuNanoseconds: Int? {
        guard let user = field(14), let system = field(15), ticksPerSecond > 0 else { return nil }
        return (user + system) * (1_000_000_000 / ticksPerSecond)
    }

    var threads: Double? { field(20).map(Double.init) }

    var startTime: Double? {
        guard let ticks = field(22), ticksPerSecond > 0, let boot = bootTime else { return nil }
        return Double(boot) + Double(ticks) / Double(ticksPerSecond)
    }

    var virtualBytes: Double? { field(23).map(Double.init) }

    var residentBytes: Double? { field(24).map { Double($0 * sysconf(Int32(_SC_PAGESIZE))) } }

    private var bootTime: Int? {
        Self.contents(of: proc + "/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }
            .flatMap { Int($0.dropFirst("btime ".count)) }
    }

    var openDescriptors: Double? {
        guard let directory = opendir(proc + "/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Without the two dots, and the descriptor that reads the directory.
        return Double(count - 3)
    }

    var maxDescriptors: Double? { limit("Max open files") }

    var maxVirtualBytes: Double? { limit("Max address space") }

    /// The soft limit; nil when there is none.
    private func limit(_ name: String) -> Double? {
        let line = Self.contents(of: proc + "/self/limits")?.split(separator: "\n").first { $0.hasPrefix(name) }
        guard let soft = line?.dropFirst(name.count).split(separator: " ").first else { return nil }
        return Double(soft)
    }

    private static func contents(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        while true {
            let start = bytes.count
            bytes.append(contentsOf: repeatElement(0, count: 4096))
            let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress.map { $0 + start }, 4096) }
            bytes.removeLast(4096 - max(0, count))
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            if count < 0 && errno != EINTR { return nil }
        }
    }
}
