# SPDX-License-Identifier: Apache-2.0
"""A stdio server that takes its first message in its own way.

The first argument says how: `exit` goes when that is anything but initialize, `silent` never answers what it does not
know, `slow` starts after five seconds and then answers everything in order, `modern` knows no handshake at all. Every
message it reads is written to the file of the second argument.
"""

import json
import sys
import time

kind, trace = sys.argv[1:]
MODERN = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "resultType": "complete"}


def send(**message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


if kind == "slow":
    time.sleep(5)
ready = False
for line in sys.stdin:
    message = json.loads(line)
    with open(trace, "a", encoding="utf-8") as file:
        file.write(line)
    method, id = message.get("method"), message.get("id")
    if kind == "exit" and not ready and method != "initialize":
        sys.exit(3)
    ready = True
    if id is None:
        continue
    if method == "initialize" and kind != "modern":
        info = {"name": "probed", "version": "1"}
        revision = message["params"]["protocolVersion"]
        send(id=id, result={"protocolVersion": revision, "capabilities": {"tools": {}}, "serverInfo": info})
    elif method == "server/discover" and kind == "modern":
        send(id=id, result=MODERN)
    elif method == "tools/list":
        tools = [{"name": "anything", "inputSchema": {"type": "object"}}]
        send(id=id, result={"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": tools})
    elif method == "tools/call":
        if message["params"]["name"] == "crash":
            sys.exit(4)
        send(id=id, result={"resultType": "complete", "content": [{"type": "text", "text": "called"}]})
    elif kind != "silent":
        send(id=id, error={"code": -32601, "message": "Method not found"})
