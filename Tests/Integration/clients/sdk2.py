# SPDX-License-Identifier: Apache-2.0
"""Drives the official Python SDK, 2.x: with a handshake, or in the revision without one (the config's `mode`)."""

import contextlib
import warnings

import driver
import mcp_types as types
from mcp import Client as SDKClient
from mcp.client.session import ClientMessageMetadata
from mcp.client.sse import sse_client

warnings.simplefilter("ignore")


class Client:
    def __init__(self, client):
        self.client = client

    async def list_tools(self, tag):
        return await self.client.list_tools()

    async def call_tool(self, tag, name, arguments, timeout=None, resumable=False):
        async def progress(value, total, message):
            driver.emit(event="progress", tag=tag, progress=value, total=total, message=message)

        async def token(value):
            driver.emit(event="token", tag=tag, value=value)

        if self.client.protocol_version == "2026-07-28":
            # This one answers what the tool asks, too.
            return await self.client.call_tool(name, arguments, timeout, progress)
        call = types.CallToolRequest(params=types.CallToolRequestParams(name=name, arguments=arguments))
        return await self.client.session.send_request(
            call,
            types.CallToolResult,
            request_read_timeout_seconds=timeout,
            # A request with these hints is not cancelled when it is given up, so only who wants them gets them.
            metadata=ClientMessageMetadata(on_resumption_token_update=token) if resumable else None,
            progress_callback=progress,
        )

    async def cancel(self, target, task):
        task.cancel()

    async def set_level(self, tag, level):
        return await self.client.set_logging_level(level)

    async def list_resources(self, tag):
        return await self.client.list_resources()

    async def read_resource(self, tag, uri):
        return await self.client.read_resource(uri)

    async def subscribe(self, tag, uri):
        return await self.client.subscribe_resource(uri)

    async def unsubscribe(self, tag, uri):
        return await self.client.unsubscribe_resource(uri)

    async def list_prompts(self, tag):
        return await self.client.list_prompts()

    async def get_prompt(self, tag, name, arguments):
        return await self.client.get_prompt(name, arguments)

    async def complete(self, tag, prompt, argument):
        return await self.client.complete(types.PromptReference(type="ref/prompt", name=prompt), argument)

    async def listen(self, tag, **wanted):
        """Reports what changes until it is cancelled."""
        async with self.client.listen(**wanted) as subscription:
            driver.emit(event="listening", tag=tag, honoured=driver.plain(subscription.honored))
            async for change in subscription:
                driver.emit(event="change", tag=tag, kind=type(change).__name__, uri=getattr(change, "uri", None))

    async def ping(self, tag):
        return await self.client.send_ping()


async def main(config):
    handlers = driver.Handlers(config, types)
    async with contextlib.AsyncExitStack() as stack:
        server = sse_client(config["url"]) if config["transport"] == "sse" else config["url"]
        chosen = handlers.chosen() | {"mode": config["mode"]}
        if "log_level" in config:
            chosen["log_level"] = config["log_level"]
        client = await stack.enter_async_context(SDKClient(server, **chosen))
        handlers.call_tool = client.call_tool
        result = {
            "protocolVersion": client.protocol_version,
            "capabilities": driver.plain(client.server_capabilities),
            "serverInfo": driver.plain(client.server_info),
        }
        driver.emit(event="connected", result=result)
        return await driver.serve(Client(client), handlers)


driver.run(main)
