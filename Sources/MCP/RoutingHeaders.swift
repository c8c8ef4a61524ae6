// SPDX-License-Identifier: Apache-2.0

/// The headers in which a request of the stateless revision repeats what its body says, so that whoever stands between
/// can route by them (2026-07-28, "Standard Request Headers"). The proxy checks that both say the same.
package struct RoutingHeaders: Sendable, Equatable {
    /// `Mcp-Method`, as sent.
    package var method: String?
    /// `Mcp-Name`, as sent.
    package var name: String?
    /// `Mcp-Param-*`, as sent, by the lowercased name behind the prefix.
    package var parameters: [String: String] = [:]
    /// One of them that was sent more than once: two readers could take two different values.
    package var duplicate: String?

    package init() {}

    /// What contradicts the body, in words; nil when nothing does.
    ///
    /// - Parameters:
    ///   - method: The body's method.
    ///   - isNamed: Whether requests of this method name something.
    ///   - target: What `Mcp-Name` must name: `params.name` or `params.uri`; nil when the body has none.
    package func fault(method: String, isNamed: Bool, target: String?) -> String? {
        if let duplicate { return "\(duplicate) was sent twice" }
        guard let stated = self.method else { return "Mcp-Method is missing; it must repeat the body's method" }
        guard stated.utf8.elementsEqual(method.utf8) else { return "Mcp-Method does not name the body's method" }
        guard let target else { return isNamed && name != nil ? "Mcp-Name names what the body does not" : nil }
        guard let name else { return "Mcp-Name is missing; it must repeat what the body names" }
        guard let decoded = HeaderValue.decode(name) else { return "Mcp-Name is not properly encoded" }
        // Byte by byte: to Swift, two ways to write an accent are the same text.
        return decoded.utf8.elementsEqual(target.utf8) ? nil : "Mcp-Name does not name what the body names"
    }
}
