#!/bin/sh
# Written by mcp-proxy fleet render from fleet.yaml: change it there. A file that was edited is kept as it is.
# Tells the Claude CLI of all servers. The variables hold the keys, files of /opt/mcp/keys.
set -eu
claude mcp add --transport http github-work https://github-work.mcp.example.com/mcp \
    --header "Authorization: Bearer ${MCP_KEY_GITHUB_WORK}"
claude mcp add --transport http own https://own.example.net/mcp
