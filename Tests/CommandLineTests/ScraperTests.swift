// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Events
import Gateway
import NIOCore
import NIOPosix
import Prometheus
import Telemetry
import Testing

@testable import mcp_proxy

@Suite(.timeLimit(.minutes(1))) struct ScraperTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()
    private let slowWork = NIOThreadPool(numberOfThreads: 1)

    /// Whoever asks for a page that is being made gets the same; each answer is counted all the same.
    @Test func whatIsAskedForAtOnceIsMadeOnce() async throws {
        slowWork.start()
        let metrics = try MetricsSink(InstanceFacts(version: "", name: "", unit: ""), histograms: .classic)
        let instruments = try Instruments(
            configuration(["server"]),
            surroundings(["server"]),
            metrics: metrics,
            eventLoop: loop,
            slowWork: slowWork
        )
        let isHeld = DispatchSemaphore(value: 0)
        slowWork.submit { _ in isHeld.wait() }
        let (scraper, made) = try await loop.submit {
            let scraper = Scraper(instruments, histograms: .classic, eventLoop: loop)
            let made = Made()
            scraper.connect {
                made.count += 1
                return Readings()
            }
            return (NIOLoopBound(scraper, eventLoop: loop), NIOLoopBound(made, eventLoop: loop))
        }.get()
        let text = ScrapeRequest(accept: "text/plain")
        let openMetrics = ScrapeRequest(accept: "application/openmetrics-text;version=1.0.0")
        let pages = loop.submit {
            [text, text, openMetrics, text].map { scraper.value.scrape($0) }
        }.flatMap { EventLoopFuture.whenAllSucceed($0, on: loop) }
        isHeld.signal()
        let bodies = try await pages.get().map(\.body)
        #expect(bodies[0] == bodies[1] && bodies[0] == bodies[3] && bodies[0] != bodies[2])
        #expect(try await loop.submit { made.value.count }.get() == 2)

        let next = try await loop.flatSubmit { scraper.value.scrape(text) }.get().body
        #expect(try await loop.submit { made.value.count }.get() == 3)
        let lines = String(buffer: next).split(separator: "\n")
        #expect(lines.contains("mcp_proxy_scrapes_total 4"))
        #expect(lines.contains("mcp_proxy_scrape_duration_seconds_count 4"))
        instruments.shutDown()
        try await slowWork.shutdownGracefully()
    }

    private final class Made { var count = 0 }
}
