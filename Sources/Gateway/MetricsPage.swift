// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// A request for the page of metrics, as far as its answer depends on it.
package struct ScrapeRequest: Sendable, Equatable {
    /// `Accept`, all lines joined.
    package var accept: String?
    /// `Accept-Encoding`, all lines joined.
    package var acceptEncoding: String?
    /// The values of `name[]`: only these families are wanted; none for all.
    package var names: [String] = []

    package init(accept: String? = nil, acceptEncoding: String? = nil, names: [String] = []) {
        self.accept = accept
        self.acceptEncoding = acceptEncoding
        self.names = names
    }
}

/// The page of metrics.
package struct ScrapeResponse: Sendable, Equatable {
    package var contentType: String
    /// Whether the body is compressed with gzip.
    package var isCompressed: Bool
    package var body: ByteBuffer

    package init(contentType: String, isCompressed: Bool, body: ByteBuffer) {
        self.contentType = contentType
        self.isCompressed = isCompressed
        self.body = body
    }
}

/// Who knows the metrics. Called on the event loop; its futures succeed on the event loop, and never fail.
package protocol MetricsPage: AnyObject {
    func scrape(_ request: ScrapeRequest) -> EventLoopFuture<ScrapeResponse>
}
