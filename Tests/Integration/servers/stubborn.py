# SPDX-License-Identifier: Apache-2.0
"""A stdio server that hears of no cancellation: what it was told to ask, it asks, however late.

Tools: `ask` {ms, prompt} waits and then sends sampling/createMessage, and answers with the text it got or with
"error CODE"; `sleep` {ms}; `echo` {text}. Every answer to a question is also written to the file of the first argument.
"""

import itertools
import json
import sys
import threading
import time

numbers = itertools.count(1)
lock = threading.Lock()
waiting = {}


def send(**message):
    with lock:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def record(prompt, outcome):
    with lock, open(sys.argv[1], "a", encoding="utf-8") as file:
        file.write(json.dumps({"prompt": prompt, "outcome": outcome}) + "\n")


def ask(prompt):
    id, answered, box = next(numbers), threading.Event(), []
    waiting[id] = (answered, box)
    message = {"role": "user", "content": {"type": "text", "text": prompt}}
    send(id=id, method="sampling/createMessage", params={"messages": [message], "maxTokens": 10})
    answered.wait()
    answer = box[0]
    outcome = answer["result"]["content"]["text"] if "result" in answer else f"error {answer['error']['code']}"
    record(prompt, outcome)
    return outcome


def call(id, name, arguments):
    time.sleep(arguments.get("ms", 0) / 1000)
    found = ask(arguments["prompt"]) if name == "ask" else arguments.get("text", "slept")
    send(id=id, result={"content": [{"type": "text", "text": found}]})


for line in sys.stdin:
    message = json.loads(line)
    method, id = message.get("method"), message.get("id")
    if method == "initialize":
        info = {"name": "stubborn", "version": "1"}
        revision = message["params"]["protocolVersion"]
        send(id=id, result={"protocolVersion": revision, "capabilities": {"tools": {}}, "serverInfo": info})
    elif method == "tools/call":
        params = message["params"]
        threading.Thread(target=call, args=(id, params["name"], params["arguments"]), daemon=True).start()
    elif method is not None and id is not None:
        send(id=id, result={})
    elif id in waiting:
        answered, box = waiting.pop(id)
        box.append(message)
        answered.set()
