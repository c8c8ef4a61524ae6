// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Gateway

@Suite struct AuthorityTests {
    @Test(
        arguments: [
            ("localhost", "localhost", nil), ("LocalHost:3001", "localhost", 3001), ("localhost.", "localhost", nil),
            ("127.0.0.1:80", "127.0.0.1", 80), ("[::1]:3001", "::1", 3001), ("[2001:DB8::1]", "2001:db8::1", nil),
            ("mcp.example.com:", "mcp.example.com", nil), ("a_b-c.example:65535", "a_b-c.example", 65535),
        ] as [(String, String, Int?)]
    )
    func reads(text: String, host: String, port: Int?) throws {
        let authority = try #require(Authority(Substring(text)))
        #expect(authority.host == host)
        #expect(authority.port == port)
    }

    @Test(arguments: [
        "", ".", ":80", "a b", "a/b", "user@host", "a:b", "a:80:80", "a:65536", "a:123456", "[::1", "[]", "[1]", "::1",
        "[::1]x", "a%2e", "ä.example", "a\u{0}b", "a,b", "[fe80::1%eth0]",
    ])
    func refuses(text: String) {
        #expect(Authority(Substring(text)) == nil)
    }

    @Test(arguments: [
        "localhost", "LOCALHOST:1", "localhost.", "app.localhost", "127.0.0.1", "127.255.0.3:8080", "[::1]",
        "[0:0:0:0:0:0:0:1]:1",
    ])
    func isLoopback(text: String) throws {
        #expect(try #require(Authority(Substring(text))).isLoopback)
    }

    @Test(arguments: [
        "localhost.example.com", "notlocalhost", "127.0.0.1.example.com", "127.0.0.1.nip.io", "128.0.0.1", "127.1",
        "127.0.0.256", "127.0.0", "10.0.0.1", "0.0.0.0", "[::2]", "1.127.0.0", "127.0.0.0001", "example.com",
    ])
    func isNotLoopback(text: String) throws {
        #expect(try !#require(Authority(Substring(text))).isLoopback)
    }

    @Test func leavesOutTheDefaultPortOfAnOrigin() {
        #expect(WebOrigin("https://A.example:443") == WebOrigin("https://a.example"))
        #expect(WebOrigin("http://a.example:80") == WebOrigin("http://a.example"))
        #expect(WebOrigin("https://a.example:80") != WebOrigin("https://a.example"))
        #expect(WebOrigin("http://a.example") != WebOrigin("https://a.example"))
    }

    @Test(arguments: [
        "null", "", "a.example", "https:/a", "https://", "https://a/", "https://a/x", "://a", "https://u@a",
    ])
    func refusesAsOrigin(text: String) {
        #expect(WebOrigin(Substring(text)) == nil)
    }
}

@Suite struct OriginPolicyTests {
    private let policy = OriginPolicy(
        allowedHosts: ["mcp.example.com", "[2001:db8::1]", "box:8443"],
        allowedOrigins: ["https://app.example.com", "https://ide.example:8443/", "vscode-webview://abc"]
    )

    private func judge(_ host: String?, _ origin: String?) -> OriginPolicy.Verdict {
        self.policy.judge(host: host.flatMap { Authority(Substring($0)) }, origin: origin)
    }

    @Test(arguments: ["localhost:3001", "127.0.0.1", "[::1]:1", "mcp.example.com", "MCP.example.com:443", "box:8443"])
    func passesAKnownHostWithoutOrigin(host: String) {
        #expect(self.judge(host, nil) == .allowed)
    }

    @Test(arguments: [
        "http://localhost:5173", "https://127.0.0.1", "http://[::1]:8080", "https://app.example.com",
        "https://APP.example.com:443", "https://ide.example:8443", "vscode-webview://abc",
    ])
    func passesAnAllowedOriginOnAKnownHost(origin: String) {
        #expect(self.judge("localhost:3001", origin) == .allowed)
        #expect(self.judge("mcp.example.com", origin) == .allowed)
    }

    @Test(arguments: [
        "null", "", "https://evil.example", "http://app.example.com", "https://app.example.com:444",
        "https://app.example.com.evil.example", "https://localhost.evil.example", "https://ide.example",
        "file://localhost", "https://mcp.example.com", "*", "vscode-webview://abd",
    ])
    func refusesAForeignOriginOnALoopbackHost(origin: String) {
        #expect(self.judge("localhost:3001", origin) == .originRefused)
    }

    @Test func passesThePagesOfAnAllowedHost() {
        #expect(self.judge("mcp.example.com", "https://mcp.example.com") == .allowed)
        #expect(self.judge("mcp.example.com:8443", "https://mcp.example.com") == .allowed)
        #expect(self.judge("mcp.example.com", "https://other.example.com") == .originRefused)
        #expect(self.judge("mcp.example.com", "null") == .originRefused)
    }

    @Test func refusesRebinding() {
        #expect(self.judge("evil.example", "http://evil.example") == .hostRefused)
        #expect(self.judge("evil.example:3001", "http://evil.example:3001") == .hostRefused)
        #expect(self.judge("evil.example", "null") == .hostRefused)
        #expect(self.judge("127.0.0.1.evil.example", "http://127.0.0.1.evil.example") == .hostRefused)
    }

    @Test func warnsAboutAnUnknownHost() {
        #expect(self.judge("other.example:8080", nil) == .unknownHost("other.example"))
        #expect(self.judge("[2001:db8::2]:80", nil) == .unknownHost("[2001:db8::2]"))
        #expect(self.judge("other.example", "https://app.example.com") == .unknownHost("other.example"))
        #expect(self.judge("box:8444", nil) == .unknownHost("box"))
    }

    @Test func treatsAMissingHostAsUnknownWithoutAName() {
        #expect(self.judge(nil, nil) == .allowed)
        #expect(self.judge(nil, "https://evil.example") == .hostRefused)
        #expect(OriginPolicy(isStrict: true).judge(host: nil, origin: nil) == .hostRefused)
    }

    @Test func refusesUnknownHostsWhenStrict() {
        let policy = OriginPolicy(allowedHosts: ["mcp.example.com"], allowedOrigins: ["*"], isStrict: true)
        #expect(policy.judge(host: Authority("other.example"), origin: nil) == .hostRefused)
        #expect(policy.judge(host: Authority("other.example"), origin: "https://a.example") == .hostRefused)
        #expect(policy.judge(host: Authority("mcp.example.com"), origin: nil) == .allowed)
        #expect(policy.judge(host: Authority("localhost"), origin: nil) == .allowed)
    }

    @Test func allowsEveryOriginWhenTold() {
        let policy = OriginPolicy(allowedOrigins: ["*"])
        #expect(policy.judge(host: Authority("localhost"), origin: "https://any.example") == .allowed)
        #expect(policy.judge(host: Authority("localhost"), origin: "null") == .allowed)
        #expect(policy.judge(host: Authority("localhost"), origin: "https://a\u{1}b") == .originRefused)
    }
}
