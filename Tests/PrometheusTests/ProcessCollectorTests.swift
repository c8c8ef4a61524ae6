// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import Prometheus

@Suite struct ProcessCollectorTests {
    @Test func readsThisProcess() throws {
        let registry = Registry()
        try ProcessCollector(registry)
        func values() throws -> [String: Double] {
            let families = try ExpositionReader.read(registry.bytes(.openMetrics), openMetrics: true)
            return Dictionary(
                uniqueKeysWithValues: families.flatMap(\.samples).map { ($0.name, Double($0.value) ?? .infinity) }
            )
        }
        let first = try values()
        // Shown where there is a limit only.
        let limit: Set = ["process_virtual_memory_max_bytes"]
        #expect(limit.union(first.keys) == Set(ProcessCollector.descriptions.map(\.name)))
        let pageSize = Double(sysconf(Int32(_SC_PAGESIZE)))
        #expect(first["process_resident_memory_bytes"] ?? 0 > pageSize)
        #expect(first["process_virtual_memory_bytes"] ?? 0 > first["process_resident_memory_bytes"] ?? .infinity)
        #expect(first["process_threads"] ?? 0 >= 1)
        #expect(first["process_max_fds"] ?? 0 >= first["process_open_fds"] ?? .infinity)
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let age = Double(now.tv_sec) - (first["process_start_time_seconds"] ?? 0)
        #expect(age > -2 && age < 3600, "it started lately")
        let before = first["process_cpu_seconds_total"] ?? 0
        #expect(try values()["process_cpu_seconds_total"] ?? -1 >= before)
    }

    @Test func countsDescriptors() throws {
        let before = try #require(ProcessReading(proc: "/proc").openDescriptors)
        let opened = (0..<50).map { _ in open("/dev/null", O_RDONLY | O_CLOEXEC) }
        let after = try #require(ProcessReading(proc: "/proc").openDescriptors)
        for descriptor in opened { close(descriptor) }
        // Other tests of this process open a file or two meanwhile.
        #expect(after - before > 40 && after - before < 60)
    }

    /// A program may call itself anything.
    @Test func readsBehindAHostileName() throws {
        let proc = try FakeProc()
        try proc.write("self/stat", "42 (a) R 1 (b)) S 1 1 1 0 -1 0 0 0 0 0 250 150 0 0 20 0 7 0 12345 1000 3 0\n")
        try proc.write("stat", "cpu 1 2\nbtime 1700000000\n")
        try proc.write(
            "self/limits",
            "Limit  Soft  Hard\nMax open files            64   128   files\nMax address space         unlimited   unlimited  bytes\n"
        )
        for descriptor in 0..<5 { try proc.write("self/fd/\(descriptor)", "") }
        let registry = Registry()
        try _ = ProcessCollector(registry, ProcessCollector.descriptions, proc: proc.path)
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        let lines = registry.text().split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
        #expect(
            lines == [
                "process_cpu_seconds_total \(Int(400 / ticks))", "process_max_fds 64",
                // One of the five reads the directory.
                "process_open_fds 4",
                "process_resident_memory_bytes \(3 * sysconf(Int32(_SC_PAGESIZE)))",
                "process_start_time_seconds \(1_700_000_000 + 12345 / ticks)", "process_threads 7",
                "process_virtual_memory_bytes 1000",
            ]
        )
    }

    @Test func whatCannotBeReadIsNotShown() throws {
        let registry = Registry()
        try _ = ProcessCollector(registry, ProcessCollector.descriptions, proc: "/nonexistent")
        #expect(registry.text() == "")
        #expect(registry.text(.openMetrics) == "# EOF\n")
        #expect(registry.bytes(.protobuf) == [])
        #expect(registry.seriesCount == 0)
        let proc = try FakeProc()
        for garbage in ["", ")", "1 (x", "1 (x) S", "1 (x) S a b c d e f g h i j k l m n o p q r s t u v w"] {
            try proc.write("self/stat", garbage)
            let reading = ProcessReading(proc: proc.path)
            #expect(reading.cpuNanoseconds == nil && reading.threads == nil && reading.virtualBytes == nil)
        }
    }

    @Test func registersOnlyWhatIsAskedFor() throws {
        let registry = Registry()
        try ProcessCollector(registry, ProcessCollector.descriptions.filter { $0.name == "process_threads" })
        #expect(registry.text().hasPrefix("# HELP process_threads "))
        #expect(registry.text().split(separator: "\n").count == 3)
        #expect(throws: RegistrationError.self) {
            try ProcessCollector(Registry(), [MetricDescription(name: "process_mood", kind: .gauge, help: "H.")])
        }
    }

    @Test func collectorsRunBeforeEachPage() throws {
        let registry = Registry()
        let counter = try registry.counter(MetricDescription(name: "c_total", kind: .counter, help: "H.")).with()
        registry.collect { counter.add() }
        #expect(registry.text().hasSuffix("c_total 1\n"))
        #expect(registry.text().hasSuffix("c_total 2\n"))
        counter.clear()
        #expect(counter.value == 0)
        let gauge = try registry.gauge(MetricDescription(name: "g", kind: .gauge, help: "H.")).with()
        gauge.set(.nan)
        #expect(registry.text(only: ["g"]).hasSuffix("g NaN\n"), "a value, unlike none")
        gauge.clear()
        #expect(registry.text(only: ["g"]) == "")
        gauge.add(-2)
        #expect(registry.text(only: ["g"]).hasSuffix("g -2\n"))
    }
}

/// A directory that stands in for `/proc`, removed with the object.
private final class FakeProc {
    let path: String

    init() throws {
        var template = Array("/tmp/proc-XXXXXX".utf8CString)
        path = try #require(
            template.withUnsafeMutableBufferPointer {
                $0.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
            }
        )
        mkdir(path + "/self", 0o700)
        mkdir(path + "/self/fd", 0o700)
    }

    deinit {
        for name in ["self/stat", "self/limits", "stat"] { unlink(path + "/" + name) }
        for descriptor in 0..<5 { unlink(path + "/self/fd/\(descriptor)") }
        rmdir(path + "/self/fd")
        rmdir(path + "/self")
        rmdir(path)
    }

    func write(_ name: String, _ text: String) throws {
        let file = try #require(fopen(path + "/" + name, "w"))
        fputs(text, file)
        fclose(file)
    }
}
