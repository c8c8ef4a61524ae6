// SPDX-License-Identifier: Apache-2.0

import Events
import Gateway
import NIOCore
import NIOPosix
import Prometheus
import Telemetry

/// Answers scrapes: brings the gauges up to date on the event loop, then has the page made and compressed on the thread
/// for slow work. Loop-confined.
final class Scraper: MetricsPage {
    /// What makes two pages the same.
    private struct Kind: Hashable {
        var contentType: String
        var isCompressed: Bool
        var names: Set<String>?
    }

    private struct Page {
        var response: ScrapeResponse
        /// Before compression.
        var size: Int
    }

    private let instruments: Instruments
    private let allowsProtobuf: Bool
    private let eventLoop: any EventLoop
    private var readings: () -> Readings = { Readings() }
    /// Pages that are being made: who asks for the same gets the same.
    private var underWay: [Kind: EventLoopFuture<Page>] = [:]
    private var lastSize = 0

    init(_ instruments: Instruments, histograms: HistogramMode, eventLoop: any EventLoop) {
        self.instruments = instruments
        self.allowsProtobuf = histograms != .classic
        self.eventLoop = eventLoop
    }

    /// Connects what gauges are read from.
    func connect(_ readings: @escaping () -> Readings) { self.readings = readings }

    func scrape(_ request: ScrapeRequest) -> EventLoopFuture<ScrapeResponse> {
        let negotiated = ExpositionFormat.negotiate(accept: request.accept, allowsProtobuf: allowsProtobuf)
        let kind = Kind(
            contentType: negotiated.contentType,
            isCompressed: acceptsGzip(request.acceptEncoding),
            names: request.names.isEmpty ? nil : Set(request.names)
        )
        let began = NIODeadline.now()
        return (underWay[kind] ?? make(kind, as: negotiated.format)).assumeIsolated().map { page in
            self.instruments.metrics.telemetry.scraped(bytes: page.size, in: .now() - began)
            return page.response
        }.nonisolated()
    }

    private func make(_ kind: Kind, as format: ExpositionFormat) -> EventLoopFuture<Page> {
        instruments.refresh(readings())
        let registry = instruments.metrics.registry
        let capacity = lastSize + lastSize / 8
        let made = instruments.slowWork.runIfActive(eventLoop: eventLoop) { () -> Page in
            var text: [UInt8] = []
            text.reserveCapacity(capacity)
            registry.render(into: &text, as: format, only: kind.names)
            let compressed = kind.isCompressed ? gzip(text) : nil
            let response = ScrapeResponse(
                contentType: kind.contentType,
                isCompressed: compressed != nil,
                body: ByteBuffer(bytes: compressed ?? text)
            )
            return Page(response: response, size: text.count)
        }
        let page = made.assumeIsolated().map { page in
            self.underWay[kind] = nil
            self.lastSize = page.size
            return page
        }.nonisolated()
        underWay[kind] = page
        return page
    }
}
