// SPDX-License-Identifier: Apache-2.0

/// Decides from `Host` and `Origin` whether a request may come in: the defence against DNS rebinding, in which a web
/// page makes its own name resolve to this machine and then speaks to the proxy as if to its own server.
///
/// Such a request carries the attacker's name in `Host` and in `Origin`, so for a host nobody allowed, an origin
/// equal to it proves nothing. A program that is not a browser sends no `Origin`; for it, an unknown host is worth a
/// warning, no more, because existing reverse proxies pass on their public name.
package struct OriginPolicy: Sendable {
    /// What to do with a request.
    package enum Verdict: Equatable, Sendable {
        case allowed
        /// Let it in, and tell the operator about this name.
        case unknownHost(String)
        /// Refuse it for its `Host`.
        case hostRefused
        /// Refuse it for its `Origin`.
        case originRefused
    }

    private let allowedHosts: Set<Authority>
    private let allowedOrigins: Set<WebOrigin>
    private let allowsAnyOrigin: Bool
    private let isStrict: Bool

    /// - Parameters:
    ///   - allowedHosts: Names, with or without a port; without one, every port is meant. What cannot be read is
    ///     never met.
    ///   - allowedOrigins: Origins, a slash at the end forgiven; `*` allows every one.
    ///   - isStrict: Whether an unknown host is refused without an origin too.
    package init(allowedHosts: [String] = [], allowedOrigins: [String] = [], isStrict: Bool = false) {
        self.allowedHosts = Set(allowedHosts.compactMap { Authority(Substring($0)) })
        self.allowedOrigins = Set(
            allowedOrigins.compactMap { WebOrigin($0.hasSuffix("/") ? $0.dropLast() : Substring($0)) }
        )
        self.allowsAnyOrigin = allowedOrigins.contains("*")
        self.isStrict = isStrict
    }

    /// Judges one request.
    ///
    /// - Parameters:
    ///   - host: `Host`, or the authority of an absolute request target. Without it (HTTP/1.0 only) the host is
    ///     unknown, but there is no name to warn about.
    ///   - origin: `Origin`, as sent.
    package func judge(host: Authority?, origin: String?) -> Verdict {
        let isKnown = host.map { $0.isLoopback || self.isAllowed($0) } ?? false
        if let origin, !self.allowsOrigin(origin) {
            guard isKnown, let host else { return .hostRefused }
            // The proxy's own pages, on a name the operator vouches for.
            guard let page = WebOrigin(Substring(origin)), self.isAllowed(host), page.authority.host == host.host else {
                return .originRefused
            }
        }
        if isKnown { return .allowed }
        if self.isStrict { return .hostRefused }
        return host.map { .unknownHost($0.name) } ?? .allowed
    }

    /// Whether `Origin` is allowed whatever the host: one of loopback or of the list.
    private func allowsOrigin(_ origin: String) -> Bool {
        if self.allowsAnyOrigin { return origin.isVisibleASCII }
        guard let page = WebOrigin(Substring(origin)) else { return false }
        return page.isLoopback || self.allowedOrigins.contains(page)
    }

    private func isAllowed(_ authority: Authority) -> Bool {
        guard !self.allowedHosts.isEmpty else { return false }
        return self.allowedHosts.contains(authority) || self.allowedHosts.contains(authority.withoutPort)
    }
}

extension OriginPolicy {
    /// Whether a text has the form of an origin (RFC 6454, 6.2): scheme, host and perhaps a port, or `null`.
    static func isSerialized(_ origin: String) -> Bool {
        guard origin != "null" else { return true }
        guard let colon = origin.firstIndex(of: ":"), origin[colon...].hasPrefix("://") else { return false }
        return origin[..<colon].utf8.allSatisfy(\.isTokenCharacter)
            && origin[colon...].dropFirst(3).utf8.allSatisfy { byte in
                byte.isTokenCharacter && byte != UInt8(ascii: "%") || ":[]".utf8.contains(byte)
            }
    }
}
