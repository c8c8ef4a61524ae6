// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Telemetry

@Suite struct PayloadRedactionTests {
    @Test(arguments: [
        (#"{"password":"x","a":1}"#, #"{"password":"***","a":1}"#),
        (#"{"API_Key" : "x" , "a":1}"#, #"{"API_Key":"***" , "a":1}"#),
        (#"{"auth":{"accessToken":{"deep":["x"]},"b":2}}"#, #"{"auth":{"accessToken":"***","b":2}}"#),
        (#"[{"secret":12345},{"b":2}]"#, #"[{"secret":"***"},{"b":2}]"#),
        (#"{"client_secret":null}"#, #"{"client_secret":"***"}"#),
        (#"{"x":"the password: hunter2"}"#, #"{"x":"the password: hunter2"}"#),
        (#"{"progressToken":7}"#, #"{"progressToken":7}"#),
        // A name in escapes hides what it is.
        (#"{"pass\u0077ord":"x"}"#, #"{"pass\u0077ord":"***"}"#),
        (#"{"token":"a\"b","c":1}"#, #"{"token":"***","c":1}"#),
        // Cut off: in the secret, before it, in its name.
        (#"{"a":1,"token":"abc"#, #"{"a":1,"token":"***""#),
        (#"{"a":1,"token":{"x":["#, #"{"a":1,"token":"***""#),
        (#"{"a":1,"token":"#, #"{"a":1,"token":"***""#),
        (#"{"a":1,"tok"#, #"{"a":1,"tok"#),
        ("", ""), ("not json", "not json"), (#"""#, #"""#), (#""\"#, #""\"#),
    ])
    func leavesOutWhatIsNamedLikeASecret(message: String, expected: String) {
        #expect(PayloadRedaction.text(of: ByteBuffer(string: message)) == expected)
    }
}
