# SPDX-License-Identifier: Apache-2.0
"""The part that the drivers of all SDKs share: a test tells them what to do by lines of JSON on stdin.

-> {"tag": 1, "op": "call_tool", "name": "echo", "arguments": {"text": "x"}}
<- {"event": "progress", "tag": 1, "progress": 1, "total": 2, "message": null}
<- {"tag": 1, "result": {...}}    or    {"tag": 1, "error": {"type": "McpError", "code": -32000, ...}}
"""

import asyncio
import json
import sys
import threading


def plain(value):
    """What a model says of itself, as JSON on the wire would have it."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def emit(**fields):
    sys.stdout.write(json.dumps(fields, default=str) + "\n")
    sys.stdout.flush()


def describe(failure):
    """An exception, with the parts of a JSON-RPC error when it carries one."""
    while isinstance(failure, BaseExceptionGroup) and len(failure.exceptions) == 1:
        failure = failure.exceptions[0]
    found = {"type": type(failure).__name__, "message": str(failure)}
    error = getattr(failure, "error", None)
    if error is not None and hasattr(error, "code"):
        found |= {"code": error.code, "message": error.message, "data": error.data}
    return found


class Handlers:
    """What the client does when the server asks it something.

    `config` says how: `sampling` and `elicitation` are the texts to answer with (`elicitation` may be "decline"),
    `sampling_tool` names a tool to call before answering, `hold` makes an answer wait for the op "release",
    `roots` lists URIs. Each request is reported as an event first. The op "configure" changes the config.
    """

    def __init__(self, config, types):
        self.config = config
        self.types = types
        self.released = asyncio.Event()
        self.call_tool = None

    async def sampling(self, context, params):
        emit(event="sampling", params=plain(params))
        if "sampling_tool" in self.config:
            await self.call_tool(self.config["sampling_tool"], self.config.get("sampling_arguments", {}))
        if self.config.get("hold"):
            await self.released.wait()
        types = self.types
        return types.CreateMessageResult(
            role="assistant", model="test", content=types.TextContent(type="text", text=self.config["sampling"])
        )

    async def elicitation(self, context, params):
        emit(event="elicitation", params=plain(params))
        if self.config.get("hold"):
            await self.released.wait()
        answer = self.config["elicitation"]
        if answer == "decline":
            return self.types.ElicitResult(action="decline")
        if plain(params).get("mode") == "url":
            return self.types.ElicitResult(action="accept")
        return self.types.ElicitResult(action="accept", content=answer)

    async def roots(self, context):
        emit(event="roots")
        roots = [self.types.Root(uri=uri) for uri in self.config["roots"]]
        return self.types.ListRootsResult(roots=roots)

    async def logging(self, params):
        emit(event="log", params=plain(params))

    async def message(self, message):
        if isinstance(message, Exception):
            emit(event="failure", **describe(message))
            return
        # SDK 1.x wraps notifications and hands over requests, too, which are reported by their own handlers.
        found = getattr(message, "root", message)
        if hasattr(found, "method"):
            emit(event="notification", method=found.method, params=plain(getattr(found, "params", None)))

    def chosen(self):
        """The callbacks to give a client: only what the config names is declared."""
        found = {"logging_callback": self.logging, "message_handler": self.message}
        if "sampling" in self.config:
            found["sampling_callback"] = self.sampling
        if "elicitation" in self.config:
            found["elicitation_callback"] = self.elicitation
        if "roots" in self.config:
            found["list_roots_callback"] = self.roots
        return found


def lines_of_stdin():
    """A queue that a thread fills with the parsed lines of stdin, and with None at its end."""
    lines = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read():
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, json.loads(line))
        loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    return lines


async def serve(client, handlers):
    """Carries out the ops of stdin until "close" or the end of input. `client` has one method per op."""
    lines = lines_of_stdin()
    running = {}

    async def carry_out(tag, op, arguments):
        try:
            emit(tag=tag, result=plain(await getattr(client, op)(tag=tag, **arguments)))
        except asyncio.CancelledError:
            emit(tag=tag, error={"type": "Cancelled", "message": "cancelled"})
            raise
        except Exception as failure:  # noqa: BLE001 - whatever the SDK raises is what the test wants to see
            emit(tag=tag, error=describe(failure))
        finally:
            running.pop(tag, None)

    while (line := await lines.get()) is not None:
        tag, op = line.pop("tag"), line.pop("op")
        if op == "close":
            return tag
        if op == "release":
            handlers.released.set()
            emit(tag=tag, result=None)
        elif op == "configure":
            handlers.config |= line
            emit(tag=tag, result=None)
        elif op == "cancel":
            await client.cancel(line["target"], running.get(line["target"]))
            emit(tag=tag, result=None)
        else:
            running[tag] = asyncio.create_task(carry_out(tag, op, line))
    return None


def run(main):
    """Runs `main(config)` with the config of the command line; a failure to connect is reported as an event."""

    async def guarded():
        try:
            closed = await main(json.loads(sys.argv[1]))
            if closed is not None:
                emit(tag=closed, result=None)
        except Exception as failure:  # noqa: BLE001
            emit(event="fatal", **describe(failure))
            sys.exit(1)

    asyncio.run(guarded())
