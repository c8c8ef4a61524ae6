#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the proxy in release mode and starts it in front of its own demo server. Usage: run.sh [PORT]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/prepare.sh

port=${1:-8080}
binary=.build/release/mcp-proxy

need_packages "${build_packages[@]}"
need_swift
say "building in release mode (some minutes the first time)"
scripts/release.sh mcp-proxy

# Prints what to try once the proxy is ready, and gives up when it is gone.
hints() {
    local url=http://127.0.0.1:$port
    until curl -fs -o /dev/null "$url/readyz" 2>/dev/null; do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    cat <<HINTS

The demo server is at $url/mcp (Streamable HTTP) and $url/sse (HTTP+SSE). Ctrl-C stops it.
To try in another terminal:

  curl -s $url/readyz; echo

  post() { curl -s $url/mcp -H 'Content-Type: application/json' \\
      -H 'Accept: application/json, text/event-stream' "\$@"; echo; }

  # open a session
  session=\$(post -D - -o /dev/null -d '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{
      "protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"curl","version":"1"}}}' \\
      | tr -d '\\r' | sed -n 's/^mcp-session-id: //Ip')
  post -H "Mcp-Session-Id: \$session" -d '{"jsonrpc":"2.0","method":"notifications/initialized"}'

  # what the server offers, and a call
  post -H "Mcp-Session-Id: \$session" -d '{"jsonrpc":"2.0","id":2,"method":"tools/list"}'
  post -H "Mcp-Session-Id: \$session" -d '{"jsonrpc":"2.0","id":3,"method":"tools/call",
      "params":{"name":"get_current_time","arguments":{"timezone":"Europe/Berlin"}}}'

HINTS
}

say "starting: $binary --port $port -- $binary demo-server"
hints $$ &
exec "$binary" --port "$port" -- "$binary" demo-server
