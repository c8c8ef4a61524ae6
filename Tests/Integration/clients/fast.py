# SPDX-License-Identifier: Apache-2.0
"""Drives fastmcp's client. What that has no method for is done by the session of the SDK that it has, too."""

import contextlib

import driver
import mcp_types as types
from fastmcp import Client as FastMCPClient
from fastmcp.client.transports import SSETransport, StreamableHttpTransport
from mcp.client.subscriptions import listen


class Client:
    def __init__(self, client):
        self.client = client

    async def list_tools(self, tag):
        return {"tools": driver.plain(await self.client.list_tools())}

    async def call_tool(self, tag, name, arguments, timeout=None):
        async def progress(value, total, message):
            driver.emit(event="progress", tag=tag, progress=value, total=total, message=message)

        return await self.client.call_tool_mcp(name, arguments, progress_handler=progress, timeout=timeout)

    async def cancel(self, target, task):
        task.cancel()

    async def list_resources(self, tag):
        return {"resources": driver.plain(await self.client.list_resources())}

    async def read_resource(self, tag, uri):
        return {"contents": driver.plain(await self.client.read_resource(uri))}

    async def list_prompts(self, tag):
        return {"prompts": driver.plain(await self.client.list_prompts())}

    async def get_prompt(self, tag, name, arguments):
        return await self.client.get_prompt(name, arguments)

    async def complete(self, tag, prompt, argument):
        return await self.client.complete_mcp(types.PromptReference(type="ref/prompt", name=prompt), argument)

    async def set_level(self, tag, level):
        return await self.client.set_logging_level(level)

    async def subscribe(self, tag, uri):
        return await self.client.session.subscribe_resource(uri)

    async def unsubscribe(self, tag, uri):
        return await self.client.session.unsubscribe_resource(uri)

    async def listen(self, tag, **wanted):
        """Reports what changes until it is cancelled."""
        async with listen(self.client.session, **wanted) as subscription:
            driver.emit(event="listening", tag=tag, honoured=driver.plain(subscription.honored))
            async for change in subscription:
                driver.emit(event="change", tag=tag, kind=type(change).__name__, uri=getattr(change, "uri", None))

    async def ping(self, tag):
        return await self.client.ping()


async def main(config):
    handlers = driver.Handlers(config, types)

    async def sampling(messages, params, context):
        return await handlers.sampling(context, params)

    async def elicitation(message, response_type, params, context):
        return await handlers.elicitation(context, params)

    chosen = {"log_handler": handlers.logging, "message_handler": handlers.message, "mode": config["mode"]}
    if "sampling" in config:
        chosen["sampling_handler"] = sampling
    if "elicitation" in config:
        chosen["elicitation_handler"] = elicitation
    if "roots" in config:
        chosen["roots"] = config["roots"]
    async with contextlib.AsyncExitStack() as stack:
        transport = SSETransport if config["transport"] == "sse" else StreamableHttpTransport
        client = await stack.enter_async_context(FastMCPClient(transport(config["url"]), **chosen))
        handlers.call_tool = client.call_tool
        result = {"protocolVersion": client.protocol_version, "capabilities": driver.plain(client.server_capabilities)}
        driver.emit(event="connected", result=result)
        return await driver.serve(Client(client), handlers)


driver.run(main)
