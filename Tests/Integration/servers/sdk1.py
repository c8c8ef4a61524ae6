# SPDX-License-Identifier: Apache-2.0
"""A server on the official Python SDK, 1.x, which knows nothing but handshakes.

Its tools are named as those of the fixture server. A `sleep` that is cancelled says so in the file of the first
argument.
"""

import asyncio
import sys

import anyio
from mcp import types
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import McpError

server = Server("sdk1", version="1")
# This SDK keeps neither the level of the messages nor who subscribed to what.
levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
least, subscribed = "info", set()

FORM = {"type": "object", "properties": {"answer": {"type": "string"}}}
SUM = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
TEXT, INTEGER = {"type": "string"}, {"type": "integer"}
TOOLS = {
    "echo": {"text": TEXT},
    "add": {"a": INTEGER, "b": INTEGER},
    "sleep": {"ms": INTEGER},
    "progress": {"steps": INTEGER, "ms": INTEGER},
    "log": {"level": TEXT, "text": TEXT},
    "touch": {"uri": TEXT},
    "list_change": {"kind": TEXT},
    "elicit": {"message": TEXT},
    "elicit_url": {"message": TEXT},
    "sample": {"prompt": TEXT},
    "roots": {},
}


def session():
    return server.request_context.session


def text(found):
    return types.CallToolResult(content=[types.TextContent(type="text", text=found)])


async def sleep(ms):
    try:
        await asyncio.sleep(ms / 1000)
    except asyncio.CancelledError:
        with open(sys.argv[1], "a", encoding="utf-8") as file:
            file.write("cancelled\n")
        raise
    return f"slept {ms} ms"


async def progress(steps, ms):
    for step in range(1, steps + 1):
        await asyncio.sleep(ms / 1000)
        await session().send_progress_notification(server.request_context.meta.progressToken, step, steps)
    return "done"


async def log(level, text):
    if levels.index(level) >= levels.index(least):
        await session().send_log_message(level, text)
    return "logged"


async def touch(uri):
    if uri in subscribed:
        await session().send_resource_updated(uri)
    return "touched"


async def elicit_url(message):
    answer = await session().elicit_url(message, "https://example.com/sign-in", "e1", server.request_context.request_id)
    await session().send_elicit_complete("e1")
    return answer.action


async def call(name, arguments):
    match name:
        case "echo":
            return arguments["text"]
        case "list_change":
            await session().send_tool_list_changed()
            return "changed"
        case "elicit":
            answer = await session().elicit_form(arguments["message"], FORM, server.request_context.request_id)
            return f"{answer.action} {answer.content}"
        case "sample":
            prompt = types.TextContent(type="text", text=arguments["prompt"])
            message = types.SamplingMessage(role="user", content=prompt)
            return (await session().create_message([message], max_tokens=10)).content.text
        case "roots":
            return ",".join(str(root.uri) for root in (await session().list_roots()).roots)
        case _:
            return await {"sleep": sleep, "progress": progress, "log": log, "touch": touch, "elicit_url": elicit_url}[
                name
            ](**arguments)


@server.list_tools()
async def list_tools():
    tools = [
        types.Tool(name=name, inputSchema={"type": "object", "properties": properties, "required": [*properties]})
        for name, properties in TOOLS.items()
    ]
    for tool in tools:
        if tool.name == "add":
            tool.outputSchema = SUM
        if tool.name == "sleep":
            tool.execution = types.ToolExecution(taskSupport="optional")
    return tools


@server.call_tool()
async def call_tool(name, arguments):
    experimental = server.request_context.experimental
    if experimental.is_task:

        async def work(task):
            return text(await call(name, arguments))

        return await experimental.run_task(work)
    if name == "add":
        return {"sum": arguments["a"] + arguments["b"]}
    return text(await call(name, arguments))


@server.list_resources()
async def list_resources():
    return [types.Resource(uri="test://static/1", name="static 1")]


@server.read_resource()
async def read_resource(uri):
    if uri.scheme != "test":
        raise McpError(types.ErrorData(code=-32002, message="Resource not found", data={"uri": str(uri)}))
    return f"content of {uri}"


@server.subscribe_resource()
async def subscribe(uri):
    subscribed.add(str(uri))


@server.unsubscribe_resource()
async def unsubscribe(uri):
    subscribed.discard(str(uri))


@server.set_logging_level()
async def set_level(level):
    global least
    least = level


@server.list_prompts()
async def list_prompts():
    argument = types.PromptArgument(name="name", required=True)
    return [types.Prompt(name="greeting", arguments=[argument])]


@server.get_prompt()
async def get_prompt(name, arguments):
    content = types.TextContent(type="text", text=f"Greet {arguments['name']} in a friendly way.")
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=content)])


@server.completion()
async def complete(ref, argument, context):
    names = ["ada", "adele", "grace"]
    return types.Completion(values=[name for name in names if name.startswith(argument.value)])


async def main():
    server.experimental.enable_tasks()
    changes = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
    options = server.create_initialization_options(changes)
    # It can, but has no way to say so.
    options.capabilities.resources.subscribe = True
    async with stdio_server() as (reader, writer):
        await server.run(reader, writer, options)


anyio.run(main)
