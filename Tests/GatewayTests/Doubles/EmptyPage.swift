// SPDX-License-Identifier: Apache-2.0

import Gateway
import NIOCore

/// A page of metrics without any, which notes what was asked for. It is made when a test says so, or at once.
final class EmptyPage: MetricsPage {
    private let eventLoop: any EventLoop
    private(set) var requests: [ScrapeRequest] = []
    /// Whether pages wait for `make`.
    var isHeld = false
    private var waiting: [EventLoopPromise<ScrapeResponse>] = []

    init(on eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func scrape(_ request: ScrapeRequest) -> EventLoopFuture<ScrapeResponse> {
        self.requests.append(request)
        let promise = self.eventLoop.makePromise(of: ScrapeResponse.self)
        self.waiting.append(promise)
        if !self.isHeld { self.make() }
        return promise.futureResult
    }

    func make() {
        for promise in self.waiting {
            promise.succeed(
                ScrapeResponse(
                    contentType: "text/plain; version=0.0.4",
                    isCompressed: false,
                    body: ByteBuffer(string: "page\n")
                )
            )
        }
        self.waiting = []
    }
}
