// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

/// One set of rules for every target: language mode 6, the upcoming features that keep imports and
/// existentials explicit, and no warning left standing.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
    // Checks at run time that no two accesses to one variable overlap: an eighth of all instructions of a call. Debug
    // builds, in which every test runs, keep them.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")
let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

// The rooms of the house, from the ground floor up: a target imports only what stands above it in this list.
let package = Package(
    name: "mcp-proxy",
    products: [.executable(name: "mcp-proxy", targets: ["mcp-proxy"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .target(name: "Wording", swiftSettings: settings),
        .target(name: "YAML", dependencies: ["Wording"], swiftSettings: settings),
        .target(name: "Fleet", dependencies: ["Wording", "YAML"], swiftSettings: settings),
        .target(name: "JSONRPC", dependencies: [nio], swiftSettings: settings),
        .target(name: "MCP", dependencies: ["JSONRPC", nio], swiftSettings: settings),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .target(name: "Prometheus", dependencies: ["CZlib"], swiftSettings: settings),
        .target(name: "Journal", dependencies: ["CSystemd"], swiftSettings: settings),
        .target(name: "Events", dependencies: ["MCP", nio], swiftSettings: settings),
        .target(
            name: "Tracing",
            dependencies: ["Events", "MCP", "Prometheus", nio, nioPosix, nioHTTP],
            swiftSettings: settings
        ),
        .target(
            name: "Telemetry",
            dependencies: ["Events", "MCP", "JSONRPC", "Prometheus", "Journal", "Tracing", nio, coreMetrics],
            exclude: ["Catalogue/metrics.json", "Catalogue/events.json"],
            swiftSettings: settings
        ),
        .target(
            name: "Upstream",
            dependencies: ["JSONRPC", "Events", nio, nioPosix, lifecycle, subprocess, system],
            swiftSettings: settings
        ),
        .target(name: "Bridge", dependencies: ["JSONRPC", "MCP", "Events", nio, crypto], swiftSettings: settings),
        .target(
            name: "Gateway",
            dependencies: ["JSONRPC", "MCP", "Events", "Bridge", nio, nioPosix, nioHTTP],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "mcp-proxy",
            dependencies: [
                "Wording", "YAML", "Fleet", "JSONRPC", "MCP", "Prometheus", "Journal", "Events", "Tracing", "Telemetry",
                "Upstream", "Bridge", "Gateway",
                nio, nioPosix, lifecycle, signals, log, coreMetrics, subprocess,
            ],
            // Nothing in here runs per request: small beats fast.
            swiftSettings: settings + [.unsafeFlags(["-Osize"], .when(configuration: .release))],
            // Nobody links against a program; the names of all its functions take 1 MB of memory.
            linkerSettings: [.unsafeFlags(["-Xlinker", "--no-export-dynamic"], .when(configuration: .release))]
        ),
        .executableTarget(
            name: "fixture-server",
            path: "Tests/Fixtures/fixture-server",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "metrics-benchmark",
            dependencies: ["Prometheus"],
            path: "Benchmarks/metrics",
            swiftSettings: settings
        ),
        .target(name: "SeededRandom", path: "Tests/SeededRandom", swiftSettings: settings),
        .testTarget(name: "FleetTests", dependencies: ["Fleet"], exclude: ["Golden"], swiftSettings: settings),
        .testTarget(name: "JSONRPCTests", dependencies: ["JSONRPC", "SeededRandom", nio], swiftSettings: settings),
        .testTarget(name: "MCPTests", dependencies: ["MCP", "JSONRPC", nio], swiftSettings: settings),
        .testTarget(name: "PrometheusTests", dependencies: ["Prometheus", "SeededRandom"], swiftSettings: settings),
        .testTarget(name: "JournalTests", dependencies: ["Journal", "SeededRandom"], swiftSettings: settings),
        .testTarget(
            name: "TracingTests",
            dependencies: [
                "Tracing", "Events", "MCP", "Prometheus", "SeededRandom", nio, nioPosix, nioHTTP, nioEmbedded,
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "TelemetryTests",
            dependencies: [
                "Telemetry", "Events", "MCP", "Prometheus", "Journal", "Tracing", nio, nioEmbedded, coreMetrics,
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "UpstreamTests",
            dependencies: ["Upstream", "Events", "JSONRPC", "SeededRandom", nio, nioPosix, nioEmbedded, lifecycle],
            swiftSettings: settings
        ),
        .testTarget(
            name: "BridgeTests",
            dependencies: ["Bridge", "Events", "MCP", "JSONRPC", nio],
            swiftSettings: settings
        ),
        .testTarget(
            name: "GatewayTests",
            dependencies: ["Gateway", "Bridge", "Events", "MCP", "JSONRPC", nio, nioPosix, nioHTTP, nioEmbedded],
            swiftSettings: settings
        ),
        .testTarget(
            name: "CommandLineTests",
            dependencies: [
                "mcp-proxy", "Wording", "YAML", "Bridge", "Events", "Gateway", "Prometheus", "Telemetry", "Upstream",
                nio, nioPosix, coreMetrics, yams,
            ],
            swiftSettings: settings
        ),
    ]
)
