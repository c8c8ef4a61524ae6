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
        (#"{"x":"the password: hunter2"}"#, #"{"x":"the password: ***"}"#),
        // Pairs of a name and a value.
        (#"{"name":"API_KEY","value":"x","a":1}"#, #"{"name":"API_KEY","value":"***","a":1}"#),
        (
            #"[{"key":"TOKEN", "value": ["x"]},{"key":"a","value":"b"}]"#,
            #"[{"key":"TOKEN", "value":"***"},{"key":"a","value":"b"}]"#
        ),
        // Inside strings.
        (#"["--token=abc def"]"#, #"["--token=*** def"]"#),
        (#"{"x":"Authorization: Bearer abc.def, then"}"#, #"{"x":"Authorization: ***, then"}"#),
        (#"{"x":"curl -H 'X: bearer abc' http://h"}"#, #"{"x":"curl -H 'X: bearer ***' http://h"}"#),
        (#"{"x":"postgres://joe:hunter2@db/x?a=b@c"}"#, #"{"x":"postgres://***@db/x?a=b@c"}"#),
        (#"{"x":"Server=db;Uid=joe;Pwd=hunter2;a=b"}"#, #"{"x":"Server=db;Uid=joe;Pwd=***;a=b"}"#),
        (#"{"x":"{\"token\": \"a b\\\"c\", \"d\":1}"}"#, #"{"x":"{\"token\": \"***\", \"d\":1}"}"#),
        (#"{"x":"password=\"a b\" c"}"#, #"{"x":"password=\"***\" c"}"#),
        (
            #"{"x":"the token is gone, progressToken: 7, a bearer"}"#,
            #"{"x":"the token is gone, progressToken: 7, a bearer"}"#
        ),
        (#"{"x":"token=ab"#, #"{"x":"token=***"#), (#"{"x":"token=\"ab"#, #"{"x":"token=\"***"#),
        (#"{"x":"token="#, #"{"x":"token="#), (#"{"x":"https://joe:hunt"#, #"{"x":"https://***"#),
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
