-- SPDX-License-Identifier: Apache-2.0
--
-- The load of Benchmarks/run: tools/call, each session in its turn, every call with an id of its own.
--
-- wrk has no state per connection, only per thread, but a session is not bound to a connection: with as many
-- sessions as connections and one thread, each session has one call in flight on average.
--
-- Clients of 2026-07-28 have no sessions: each request says for itself what they say of themselves.
--
-- Arguments: path, host, protocol version, first id (8 digits), session ids (2026-07-28: anything, one per client).

local heads = {}
local number
local turn = 0
local call = ',"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}'
local envelope = ',"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
    .. '"io.modelcontextprotocol/clientInfo":{"name":"benchmark","version":"1"},'
    .. '"io.modelcontextprotocol/clientCapabilities":{}}'
local tail

function init(args)
    local path, host, version = args[1], args[2], args[3]
    local stateless = version == "2026-07-28"
    tail = call .. (stateless and envelope or "") .. "}}"
    number = tonumber(args[4])
    local start = '{"jsonrpc":"2.0","id":'
    for index = 5, #args do
        heads[#heads + 1] = table.concat({
            "POST " .. path .. " HTTP/1.1",
            "Host: " .. host,
            "Content-Type: application/json",
            "Accept: application/json, text/event-stream",
            "MCP-Protocol-Version: " .. version,
            stateless and "Mcp-Method: tools/call\r\nMcp-Name: echo" or "Mcp-Session-Id: " .. args[index],
            "Content-Length: " .. (#start + 8 + #tail),
            "",
            start,
        }, "\r\n")
    end
end

function request()
    turn = turn % #heads + 1
    number = number + 1
    return heads[turn] .. number .. tail
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests":%d,"seconds":%.6f,"bytes":%d,"p50_us":%d,"p99_us":%d,"failed":%d}\n',
        summary.requests, summary.duration / 1e6, summary.bytes,
        latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
