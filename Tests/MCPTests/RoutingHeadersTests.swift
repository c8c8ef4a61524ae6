// SPDX-License-Identifier: Apache-2.0

import MCP
import Testing

@Suite("Headers of the stateless revision")
struct RoutingHeadersTests {
    @Test(
        "a value that a header cannot carry travels as base64",
        arguments: [
            ("get_weather", "get_weather"), ("two words", "two words"), ("", "=?base64??="), (" x", "=?base64?IHg=?="),
            ("Zürich", "=?base64?WsO8cmljaA==?="), ("a\nb", "=?base64?YQpi?="),
            ("=?base64?dA==?=", "=?base64?PT9iYXNlNjQ/ZEE9PT89?="),
        ]
    )
    func coding(text: String, value: String) {
        #expect(HeaderValue.encode(text) == value)
        #expect(HeaderValue.decode(value) == text)
    }

    @Test("base64 is read in its one canonical form only", arguments: ["dA", "dB==", "d A=", "dA==dA==", "////", "ÿ"])
    func canonical(coded: String) {
        #expect(HeaderValue.decode("=?base64?\(coded)?=") == nil)
    }

    @Test("an empty value is an empty text")
    func empty() {
        #expect(HeaderValue.decode("") == "")
    }
}
