// SPDX-License-Identifier: Apache-2.0

/// What a scrape is answered with.
package enum ExpositionFormat: Sendable {
    /// The Prometheus text format, version 0.0.4. Version 1.0.0 only adds quoted names, which aren't used here.
    case text
    /// OpenMetrics 1.0.0.
    case openMetrics
    /// A stream of delimited `io.prometheus.client.MetricFamily`.
    case protobuf
}

/// A format, and the `Content-Type` that names it.
package struct Negotiated: Sendable, Equatable {
    package let format: ExpositionFormat
    package let contentType: String

    static let lastResort = Negotiated(format: .text, contentType: "text/plain; version=0.0.4; charset=utf-8")
}

extension ExpositionFormat {
    /// Chooses what the scraper likes best of what there is (Prometheus docs, "Scrape protocol content negotiation").
    ///
    /// Of equal weights the first counts. Without a header, and when nothing in it fits, that is the text format: a
    /// scrape never fails for its `Accept`.
    ///
    /// - Parameters:
    ///   - accept: the `Accept` header; several are joined by commas.
    ///   - allowsProtobuf: whether there is something that only protobuf can carry.
    package static func negotiate(accept: String?, allowsProtobuf: Bool) -> Negotiated {
        var best = Negotiated.lastResort
        var bestWeight = 0
        for range in WeightedValue.list(accept ?? "") where range.weight > bestWeight {
            guard let answer = answer(to: range, allowsProtobuf: allowsProtobuf) else { continue }
            best = answer
            bestWeight = range.weight
        }
        return best
    }

    private static func answer(to range: WeightedValue, allowsProtobuf: Bool) -> Negotiated? {
        let version = range.parameters["version"]
        switch (range.name, version) {
        case ("application/vnd.google.protobuf", _):
            let message = "io.prometheus.client.MetricFamily"
            guard allowsProtobuf, range.parameters["proto"] == message, range.parameters["encoding"] == "delimited"
            else {
                return nil
            }
            let type = "application/vnd.google.protobuf; proto=\(message); encoding=delimited"
            return Negotiated(format: .protobuf, contentType: type + escaping(range))
        case ("application/openmetrics-text", "0.0.1"):
            return Negotiated(
                format: .openMetrics,
                contentType: "application/openmetrics-text; version=0.0.1; charset=utf-8"
            )
        case ("application/openmetrics-text", nil), ("application/openmetrics-text", "1.0.0"):
            let type = "application/openmetrics-text; version=1.0.0; charset=utf-8"
            return Negotiated(format: .openMetrics, contentType: type + escaping(range))
        case ("text/plain", "1.0.0"):
            return Negotiated(
                format: .text,
                contentType: "text/plain; version=1.0.0; charset=utf-8" + escaping(range)
            )
        case ("text/plain", nil), ("text/plain", "0.0.4"), ("text/*", _), ("*/*", _):
            return .lastResort
        default:
            return nil
        }
    }

    /// The `escaping` parameter for the answer, when one is asked for (Prometheus docs, "UTF-8 escaping schemes").
    ///
    /// All names are plain, so that no scheme changes them but one: `dots` would double their underscores. Whoever asks
    /// for that, or for a scheme that isn't known, gets the scheme that is the default.
    private static func escaping(_ range: WeightedValue) -> String {
        guard let scheme = range.parameters["escaping"] else { return "" }
        return "; escaping=" + (["allow-utf-8", "values"].contains(scheme) ? scheme : "underscores")
    }
}
