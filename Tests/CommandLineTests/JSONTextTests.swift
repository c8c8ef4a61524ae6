// SPDX-License-Identifier: Apache-2.0

import Testing
import YAML

@testable import mcp_proxy

@Suite struct JSONTextTests {
    @Test(
        arguments: [
            ("{}", "{}"), (" {\n} ", "{}"), (#"{ "a b" : [ 1 , -2.5e3 , true ] }"#, #"{"a b":[1,-2.5e3,true]}"#),
            (#"{"a":" \" b \\" , "c":"\u0020"}"#, #"{"a":" \" b \\","c":"\u0020"}"#),
            ("", nil), ("[]", nil), ("1", nil), ("\"{}\"", nil), ("{", nil), ("{}}", nil), ("{} {}", nil),
            ("{},{}", nil), ("{}],[{}", nil), ("{a: 1}", nil), ("{'a': 1}", nil), ("{\"a\": 1,}", nil),
        ] as [(String, String?)]
    )
    func objects(text: String, json: String?) {
        #expect(jsonObject(text) == json)
    }

    @Test(
        arguments: [
            ("{a: {}, b: [], c: , d: 'null', e: \"x\"}", #"{"a":{},"b":[],"c":null,"d":"null","e":"x"}"#),
            ("- 1\n- -0.5\n- true\n- null\n- '1'\n- \"true\"\n", #"[1,-0.5,true,null,"1","true"]"#),
            (
                "- 01\n- 1.\n- +1\n- .5\n- yes\n- ~\n- 1, 2\n- 1], [2\n",
                #"["01","1.","+1",".5","yes","~","1, 2","1], [2"]"#
            ),
            ("a\"\\: |\n  x\n  \ty\n", #"{"a\"\\":"x\n\ty\n"}"#),
        ]
    )
    func values(yaml: String, json: String) throws {
        let node = try #require(try YAMLReader.read(yaml))
        #expect(jsonText(node) == json)
        // What comes out of a file goes through the same check as a flag.
        if json.hasPrefix("{") { #expect(jsonObject(json) == json) }
    }
}
