# SPDX-License-Identifier: Apache-2.0
"""A server on the official Python SDK, 1.x, which knows nothing but handshakes."""

from mcp.server.fastmcp import FastMCP

server = FastMCP("sdk1")


@server.tool(structured_output=False)
def echo(text: str) -> str:
    return text


server.run()
