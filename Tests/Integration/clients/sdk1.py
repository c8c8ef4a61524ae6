# SPDX-License-Identifier: Apache-2.0
"""Drives the official Python SDK, 1.x."""

import contextlib

import driver
from mcp import ClientSession, types
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import ClientMessageMetadata


class Client:
    def __init__(self, session):
        self.session = session
        self.request_ids = {}

    async def list_tools(self, tag):
        return await self.session.list_tools()

    async def call_tool(self, tag, name, arguments, timeout=None):
        async def progress(value, total, message):
            driver.emit(event="progress", tag=tag, progress=value, total=total, message=message)

        async def token(value):
            driver.emit(event="token", tag=tag, value=value)

        # The id the session is about to give the request: this SDK leaves cancelling to its user.
        self.request_ids[tag] = self.session._request_id
        call = types.CallToolRequest(params=types.CallToolRequestParams(name=name, arguments=arguments))
        return await self.session.send_request(
            types.ClientRequest(call),
            types.CallToolResult,
            metadata=ClientMessageMetadata(on_resumption_token_update=token),
            progress_callback=progress,
        )

    async def cancel(self, target, task):
        params = types.CancelledNotificationParams(requestId=self.request_ids[target], reason="test")
        await self.session.send_notification(types.ClientNotification(types.CancelledNotification(params=params)))

    async def set_level(self, tag, level):
        return await self.session.set_logging_level(level)

    async def list_resources(self, tag):
        return await self.session.list_resources()

    async def read_resource(self, tag, uri):
        return await self.session.read_resource(uri)

    async def subscribe(self, tag, uri):
        return await self.session.subscribe_resource(uri)

    async def unsubscribe(self, tag, uri):
        return await self.session.unsubscribe_resource(uri)

    async def list_prompts(self, tag):
        return await self.session.list_prompts()

    async def get_prompt(self, tag, name, arguments):
        return await self.session.get_prompt(name, arguments)

    async def complete(self, tag, prompt, argument):
        return await self.session.complete(types.PromptReference(type="ref/prompt", name=prompt), argument)

    async def call_tool_as_task(self, tag, name, arguments):
        return await self.session.experimental.call_tool_as_task(name, arguments)

    async def task_result(self, tag, task):
        return await self.session.experimental.get_task_result(task, types.CallToolResult)

    async def list_tasks(self, tag):
        return await self.session.experimental.list_tasks()

    async def ping(self, tag):
        return await self.session.send_ping()


async def main(config):
    handlers = driver.Handlers(config, types)
    async with contextlib.AsyncExitStack() as stack:
        transport = sse_client if config["transport"] == "sse" else streamable_http_client
        streams = await stack.enter_async_context(transport(config["url"]))
        session = await stack.enter_async_context(ClientSession(streams[0], streams[1], **handlers.chosen()))
        initialized = await session.initialize()
        handlers.call_tool = session.call_tool
        driver.emit(event="connected", result=driver.plain(initialized))
        return await driver.serve(Client(session), handlers)


driver.run(main)
