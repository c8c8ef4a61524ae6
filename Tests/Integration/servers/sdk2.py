# SPDX-License-Identifier: Apache-2.0
"""A server on the official Python SDK, 2.x: it speaks the revision without a handshake, and those with one.

Its tools are named as those of the fixture server. What they ask the client they ask in the way of the revision they
are called in. A `sleep` that is cancelled says so in the file of the first
argument. With `newest` for the second it has a tool more, which only the newest revision can have.
"""

import asyncio
import os
import sys
from typing import Annotated

import mcp_types as types
from mcp.server.mcpserver import Context, MCPServer
from pydantic import RootModel

server = MCPServer("sdk2", version="7")

FORM = {"type": "object", "properties": {"answer": {"type": "string"}}}
ANSWERS = {
    "form": types.ElicitResult,
    "url": types.ElicitResult,
    "sampling": types.CreateMessageResult,
    "roots": types.ListRootsResult,
}


def elicit(message):
    params = types.ElicitRequestFormParams(message=message, requested_schema=FORM)
    return types.ElicitRequest(params=params)


@server.tool(structured_output=False)
def echo(text: str) -> str:
    return text


@server.tool(structured_output=False)
def pid() -> str:
    return str(os.getpid())


@server.tool()
def numbers(count: int) -> list[int]:
    return list(range(count))


class Listing(RootModel[list[int]]):
    pass


def listing(count: int) -> Annotated[types.CallToolResult, Listing]:
    """Gives an array where older revisions want an object."""
    return types.CallToolResult(content=[], structured_content=list(range(count)))


if "newest" in sys.argv:
    # In an older revision this SDK refuses to list anything with it.
    server.tool()(listing)


@server.tool(structured_output=False)
def fail(message: str) -> str:
    raise ValueError(message)


@server.tool(structured_output=False)
def crash(status: int) -> str:
    os._exit(status)


@server.tool(structured_output=False)
async def sleep(ms: int) -> str:
    try:
        await asyncio.sleep(ms / 1000)
    except asyncio.CancelledError:
        with open(sys.argv[1], "a", encoding="utf-8") as file:
            file.write("cancelled\n")
        raise
    return "slept"


@server.tool(structured_output=False)
async def progress(ctx: Context, steps: int, ms: int) -> str:
    for step in range(1, steps + 1):
        await asyncio.sleep(ms / 1000)
        await ctx.report_progress(step, steps)
    return "done"


@server.tool(structured_output=False)
async def log(ctx: Context, level: str, text: str) -> str:
    await ctx.log(level, text)
    return "logged"


@server.tool(structured_output=False)
async def touch(ctx: Context, uri: str) -> str:
    await ctx.notify_resource_updated(uri)
    return "touched"


@server.tool(structured_output=False)
async def list_change(ctx: Context, kind: str) -> str:
    await {"tool": ctx.notify_tools_changed, "prompt": ctx.notify_prompts_changed}[kind]()
    return "changed"


async def asked(ctx, kind, request, state=None):
    """The client's answer to a question; without it the result that asks."""
    if ctx.protocol_version != "2026-07-28":
        return await ctx.session.send_request(request, ANSWERS[kind]), None
    if kind in (ctx.input_responses or {}):
        assert ctx.request_state == state, ctx.request_state
        return ctx.input_responses[kind], None
    return None, types.InputRequiredResult(input_requests={kind: request}, request_state=state)


@server.tool(name="elicit", structured_output=False)
async def elicit_tool(ctx: Context, message: str) -> str | types.InputRequiredResult:
    answer, question = await asked(ctx, "form", elicit(message), "on the way")
    return question or f"{answer.action} {answer.content}"


@server.tool(structured_output=False)
async def elicit_url(ctx: Context, message: str) -> str | types.InputRequiredResult:
    params = types.ElicitRequestURLParams(message=message, url="https://example.com/sign-in")
    older = ctx.protocol_version != "2026-07-28"
    if older:
        params.elicitation_id = "e1"
    answer, question = await asked(ctx, "url", types.ElicitRequest(params=params))
    if older:
        await ctx.session.send_elicit_complete("e1")
    return question or answer.action


@server.tool(structured_output=False)
async def sample(ctx: Context, prompt: str) -> str | types.InputRequiredResult:
    message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text=prompt))
    request = types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=[message], max_tokens=10))
    answer, question = await asked(ctx, "sampling", request)
    return question or answer.content.text


@server.tool(structured_output=False)
async def roots(ctx: Context) -> str | types.InputRequiredResult:
    answer, question = await asked(ctx, "roots", types.ListRootsRequest())
    return question or ",".join(str(root.uri) for root in answer.roots)


@server.tool(structured_output=False)
async def rounds(ctx: Context, count: int) -> str | types.InputRequiredResult:
    done = int(ctx.request_state or 0)
    if done == count:
        return f"{done} rounds"
    return types.InputRequiredResult(input_requests={f"r{done}": elicit(f"round {done}")}, request_state=str(done + 1))


@server.resource("test://static/{number}")
def static(number: str) -> str:
    return f"content of test://static/{number}"


@server.resource("test://fixed")
def fixed() -> str:
    return "content of test://fixed"


@server.prompt()
def greeting(name: str) -> str:
    return f"Greet {name} in a friendly way."


@server.completion()
async def complete(ref, argument, context):
    names = ["ada", "adele", "grace"]
    return types.Completion(values=[name for name in names if name.startswith(argument.value)])


server.run()
