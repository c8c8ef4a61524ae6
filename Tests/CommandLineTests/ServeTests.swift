// SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Glibc
import NIOCore
import NIOPosix
import Testing

@testable import mcp_proxy

/// A whole proxy in the process of the test. One alone: a process has one system of metrics.
@Suite(.timeLimit(.minutes(1))) struct ServeTests {
    @Test func whatALibraryReportsIsOnThePage() async throws {
        let socket = "/tmp/mcp-proxy-\(getpid()).socket"
        defer { unlink(socket) }
        let arguments = [
            "--port", "0", "--admin-listen", "unix:\(socket)", "--no-telemetry", "--", "/bin/sleep", "1000",
        ]
        var machine = Surroundings.live
        machine.arguments = arguments
        machine.environment = ["PATH": "/usr/bin:/bin"]
        let resolution = try Resolver(surroundings: machine) { Issue.record("unexpected warning: \($0)") }
            .resolve(ArgumentParser.parse(arguments))
        let surroundings = machine
        let proxy = Task { await serve(resolution, surroundings) }
        _ = try await page(socket)

        Counter(label: "some.library.calls").increment(by: 3)
        #expect(try await page(socket).contains("\nsome_library_calls_total 3\n"))
        proxy.cancel()
        _ = await proxy.value
    }

    /// Waits until there is somebody to ask for it.
    private func page(_ socket: String) async throws -> String {
        while true {
            do {
                let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .connect(unixDomainSocketPath: socket) { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                        }
                    }
                return try await client.executeThenClose { inbound, outbound in
                    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                    try await outbound.write(ByteBuffer(string: request))
                    var answer = ByteBuffer()
                    for try await part in inbound { answer.writeImmutableBuffer(part) }
                    return String(buffer: answer)
                }
            } catch is IOError {
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }
}
