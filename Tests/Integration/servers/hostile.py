# SPDX-License-Identifier: Apache-2.0
"""A stdio server whose names are an attack on whoever shows them.

Answers every call of a tool and every prompt. It lists the names of the JSON file of its first argument, an array, and
calls itself what the second argument says.
"""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    NAMES = json.load(file)


def result(method, params):
    if method == "initialize":
        info = {"name": sys.argv[2], "version": sys.argv[2]}
        capabilities = {"tools": {}, "prompts": {}}
        return {"protocolVersion": params["protocolVersion"], "capabilities": capabilities, "serverInfo": info}
    if method == "tools/list":
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in NAMES]}
    if method == "prompts/list":
        return {"prompts": [{"name": name} for name in NAMES]}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": "called"}]}
    if method == "prompts/get":
        return {"messages": []}
    return {}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message and "method" in message:
        answer = {"jsonrpc": "2.0", "id": message["id"], "result": result(message["method"], message.get("params"))}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
