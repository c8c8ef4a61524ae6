// SPDX-License-Identifier: Apache-2.0

// How each of `samples` reads, in their order and without the time. Readers of logs depend on it: a change here is
// a change of the product's interface.

let goldenText = #"""
    notice proxy.started  mcp-proxy 0.1.0 serves "time" on 127.0.0.1:8080, metrics and health on 127.0.0.1:9464; isolation: shared; log: journal
    notice proxy.started  mcp-proxy 0.1.0 serves "time" on [::1]:8080; isolation: session; log: stderr, not under journald
    notice proxy.ready  ready after 412 ms
    notice proxy.stopping  stopping: 1 call in flight, 3 sessions open
    notice proxy.stopped  stopped, every call was answered
    warn   proxy.stopped  stopped before every call was answered
    debug  upstream.starting  server 2: starting "docker" with 4 arguments
    info   upstream.started  process 4711 started
    notice image.pulling  pulling the image "mcp/time"
    notice image.pulled  pulled the image "mcp/time" in 12.4 s
    error  image.pull_failed  the image "mcp/tiem" could not be pulled after 700 ms: the image 'mcp/tiem' was not found: correct its name and tag
    info   container.started  container mcp-time-3f2a9c1b-0-1 of the image "mcp/time" (0123456789ab)
    info   container.started  server 2: container mine of the image "mcp/time:1"
    notice container.leftovers_removed  removed 1 container that a killed proxy left behind
    warn   container.leftovers_removed  removed 2 containers that a killed proxy left behind, 1 could not be removed
    warn   container.leftovers_removed  1 container could not be removed and will be tried again
    error  engine.unreachable  the container engine does not answer: the engine of docker can't be reached: start it
    notice engine.reachable  the container engine answers again
    error  upstream.engine_failed  the container engine failed after 12.4 s (the engine of docker can't be reached: start it), 2 calls in flight failed, restarting at once (attempt 1)
    notice upstream.replaced  server 1: took over from its predecessor, which has 2 calls left to answer
    error  upstream.replacement_failed  server 1: could not take over, the one before goes on: the MCP server exited with status 3
    notice upstream.ready  "mcp-time" 1.2.0 is ready after 2.3 s, it speaks 2025-06-18
    error  upstream.crashed  exit status 3 after 12.4 s, 2 calls in flight failed, restarting at once (attempt 1); stderr: "Traceback:\n  boom 'now'"
    error  upstream.crashed  server 2: killed by SIGKILL after 12.4 s, restarting at once (attempt 1)
    error  upstream.crashed  killed by signal 35 after 12.4 s, 2 calls in flight failed, not restarting; stderr: "Traceback:\n  boom 'now'"
    error  upstream.crashed  was killed by the kernel for want of memory after 12.4 s, restarting at once (attempt 1)
    error  upstream.crashed  was killed by the kernel for want of memory (exit status 137) after 12.4 s, restarting at once (attempt 1)
    error  upstream.crashed  closed its stdout while running and was ended after 12.4 s, 2 calls in flight failed, restarting in 1.6 s (attempt 3); stderr: "Traceback:\n  boom 'now'"
    error  upstream.crashed  answered no ping and was ended after 12.4 s (silent for 30 s), 2 calls in flight failed, restarting at once (attempt 1); stderr: "Traceback:\n  boom 'now'"
    crit   upstream.backoff  failed the handshake after 12.4 s (no answer to initialize within 60 s), crash loop: calls are refused until it answers again, next start in 30 s (attempt 7); stderr: "Traceback:\n  boom 'now'"
    error  upstream.start_failed  could not be started (dockerr: no such program in PATH), restarting in 500 ms (attempt 2)
    info   upstream.stopped  stopped as asked (exit status 0) after 12.4 s
    info   upstream.stderr  Processing request of type CallToolRequest
    info   upstream.stderr  server 3: long (cut)
    warn   upstream.stderr_suppressed  1200 lines of stderr left out: the server writes too fast
    error  upstream.unresponsive  sent nothing for 45 s, not even an answer to a ping
    notice upstream.takes_turns  the server asks clients questions: calls of different clients take turns from now on
    info   upstream.log  the server logged a message of level "error", 120 bytes, for nobody in particular
    debug  upstream.log  the server logged a message of level "info", 1 byte, for nobody in particular
    warn   upstream.protocol_error  the server wrote a line to stdout that is not JSON (its logs belong on stderr): Starting up...
    warn   upstream.protocol_error  the server sent an answer after its request had ended
    info   client.protocol_error  a client sent a message that is not JSON-RPC 2.0: method is not a string
    info   session.opened  session k3vq9x2m opened by "claude-code" over Streamable HTTP, 2025-11-25
    info   session.closed  session k3vq9x2m closed after 3 min 4 s and 12 requests: the client ended it
    notice session.expired  session k3vq9x2m closed after 2 h 5 min and 1 request: nothing came for too long
    debug  stream.opened  the GET stream of session k3vq9x2m opened
    debug  stream.closed  the SSE stream of session k3vq9x2m closed after 12 events: the client is gone
    notice stream.closed  a POST stream of session k3vq9x2m closed after 1 event: the client reads too slowly
    debug  stream.resumed  session k3vq9x2m resumed a stream, 3 events replayed
    info   request.completed  tools/call of session k3vq9x2m answered in 12.345 ms
    notice request.failed  tools/call of session k3vq9x2m answered in 12.345 ms: the tool reports a failure
    notice request.failed  tools/call of session k3vq9x2m answered in 12.345 ms: the server refused it with error -32602
    warn   request.failed  tools/call of session k3vq9x2m failed after 12.345 ms: error -32603 in the server
    warn   request.timeout  tools/call of session k3vq9x2m timed out after 12.345 ms
    warn   request.upstream_lost  tools/call of session k3vq9x2m failed after 12.345 ms: the server died
    info   request.failed  tools/call of session k3vq9x2m refused by the proxy after 12.345 ms
    info   request.completed  tools/call of session k3vq9x2m cancelled after 12.345 ms
    warn   request.rejected  refused: too many calls wait for the server: 256 calls wait
    warn   security.origin_rejected  refused: the Origin is not allowed: https://evil.example
    warn   security.host_rejected  refused: the Host is not allowed
    info   request.rejected  refused: no such session
    debug  request.cancelled  a call was ended before its answer: the proxy gave it up
    debug  upstream.answer_dropped  an answer to a request of an unknown method was dropped: nobody waits for it any more
    debug  session.messages_dropped  session 0123456789ab opens no stream: dropped 2 messages
    debug  upstream.request_finished  sampling/createMessage of the server: answered by the client
    warn   upstream.request_finished  elicitation/create of the server: refused, it could be meant for several clients
    warn   security.unknown_host  requests come in for host mcp.example.org, let through for now: allow it with --allow-host mcp.example.org, or refuse such requests with --strict-host
    warn   security.unknown_host  requests come in for "$(reboot)", which is no host name: refuse such requests with --strict-host
    debug  connection.closed  a connection was closed: nothing came for too long
    debug  http.answered  POST on the route mcp was answered with 200 after 12.345 ms
    debug  client.notification  a client sent notifications/initialized, 54 bytes
    debug  upstream.notification  the server sent a notification of an unknown method, 1 byte
    info   message.payload  from the client of session k3vq9x2m, 82 bytes: {"method":"tools/call","params":{"arguments":{"api_token":"***","city":"Rome"}}}
    info   message.payload  from the server, 4000 bytes: {"result":{"password":"***"
    info   upstream.probed  the server answered a ping after 12 ms
    info   upstream.probed  server 3: the server did not answer a ping
    notice config.reloaded  configuration reloaded, changed: queue, debug; a restart is needed for: port
    notice config.reloaded  configuration reloaded, nothing changed
    error  config.invalid  the configuration was not reloaded, the one before stays in use: /etc/mcp-proxy.yaml:3: unknown key 'prot'; did you mean 'port'?
    """#

let goldenJSON = #"""
    "level":"notice","event":"proxy.started","message":"mcp-proxy 0.1.0 serves \"time\" on 127.0.0.1:8080, metrics and health on 127.0.0.1:9464; isolation: shared; log: journal","version":"0.1.0","name":"time","listen":"127.0.0.1:8080","admin_listen":"127.0.0.1:9464","isolation":"shared","log":"journal"}
    "level":"notice","event":"proxy.started","message":"mcp-proxy 0.1.0 serves \"time\" on [::1]:8080; isolation: session; log: stderr, not under journald","version":"0.1.0","name":"time","listen":"[::1]:8080","isolation":"session","log":"stderr, not under journald"}
    "level":"notice","event":"proxy.ready","message":"ready after 412 ms","after_ms":412}
    "level":"notice","event":"proxy.stopping","message":"stopping: 1 call in flight, 3 sessions open","in_flight":1,"sessions":3}
    "level":"notice","event":"proxy.stopped","message":"stopped, every call was answered","drained":true}
    "level":"warn","event":"proxy.stopped","message":"stopped before every call was answered","drained":false}
    "level":"debug","event":"upstream.starting","message":"server 2: starting \"docker\" with 4 arguments","link":2,"generation":1,"program":"docker","argument_count":4}
    "level":"info","event":"upstream.started","message":"process 4711 started","link":0,"generation":1,"pid":4711}
    "level":"notice","event":"image.pulling","message":"pulling the image \"mcp/time\"","link":0,"generation":1,"image":"mcp/time"}
    "level":"notice","event":"image.pulled","message":"pulled the image \"mcp/time\" in 12.4 s","link":0,"generation":1,"image":"mcp/time","duration_ms":12400}
    "level":"error","event":"image.pull_failed","message":"the image \"mcp/tiem\" could not be pulled after 700 ms: the image 'mcp/tiem' was not found: correct its name and tag","link":0,"generation":1,"image":"mcp/tiem","duration_ms":700,"problem":"the image 'mcp/tiem' was not found: correct its name and tag"}
    "level":"info","event":"container.started","message":"container mcp-time-3f2a9c1b-0-1 of the image \"mcp/time\" (0123456789ab)","link":0,"generation":1,"container":"mcp-time-3f2a9c1b-0-1","image":"mcp/time","image_id":"sha256:0123456789abcdef0123456789abcdef","image_digest":"sha256:fedcba9876543210fedcba9876543210"}
    "level":"info","event":"container.started","message":"server 2: container mine of the image \"mcp/time:1\"","link":2,"generation":1,"container":"mine","image":"mcp/time:1"}
    "level":"notice","event":"container.leftovers_removed","message":"removed 1 container that a killed proxy left behind","count":1,"left":0}
    "level":"warn","event":"container.leftovers_removed","message":"removed 2 containers that a killed proxy left behind, 1 could not be removed","count":2,"left":1}
    "level":"warn","event":"container.leftovers_removed","message":"1 container could not be removed and will be tried again","count":0,"left":1}
    "level":"error","event":"engine.unreachable","message":"the container engine does not answer: the engine of docker can't be reached: start it","problem":"the engine of docker can't be reached: start it"}
    "level":"notice","event":"engine.reachable","message":"the container engine answers again"}
    "level":"error","event":"upstream.engine_failed","message":"the container engine failed after 12.4 s (the engine of docker can't be reached: start it), 2 calls in flight failed, restarting at once (attempt 1)","link":0,"generation":4,"reason":"engine","status":125,"detail":"the engine of docker can't be reached: start it","uptime_ms":12420,"was_ready":false,"plan":"restart","delay_ms":0,"attempt":1,"in_flight":2}
    "level":"notice","event":"upstream.replaced","message":"server 1: took over from its predecessor, which has 2 calls left to answer","link":1,"predecessor":0,"in_flight":2}
    "level":"error","event":"upstream.replacement_failed","message":"server 1: could not take over, the one before goes on: the MCP server exited with status 3","link":1,"problem":"the MCP server exited with status 3"}
    "level":"notice","event":"upstream.ready","message":"\"mcp-time\" 1.2.0 is ready after 2.3 s, it speaks 2025-06-18","link":0,"generation":1,"server_name":"mcp-time","server_version":"1.2.0","revision":"2025-06-18","start_ms":2340}
    "level":"error","event":"upstream.crashed","message":"exit status 3 after 12.4 s, 2 calls in flight failed, restarting at once (attempt 1); stderr: \"Traceback:\\n  boom 'now'\"","link":0,"generation":4,"reason":"exit","status":3,"uptime_ms":12420,"was_ready":false,"stderr_tail":"Traceback:\\n  boom \"now\"\\n","plan":"restart","delay_ms":0,"attempt":1,"in_flight":2}
    "level":"error","event":"upstream.crashed","message":"server 2: killed by SIGKILL after 12.4 s, restarting at once (attempt 1)","link":2,"generation":4,"reason":"signal","signal":9,"uptime_ms":12420,"was_ready":false,"plan":"restart","delay_ms":0,"attempt":1,"in_flight":0}
    "level":"error","event":"upstream.crashed","message":"killed by signal 35 after 12.4 s, 2 calls in flight failed, not restarting; stderr: \"Traceback:\\n  boom 'now'\"","link":0,"generation":4,"reason":"signal","signal":35,"uptime_ms":12420,"was_ready":false,"stderr_tail":"Traceback:\\n  boom \"now\"\\n","plan":"none","in_flight":2}
    "level":"error","event":"upstream.crashed","message":"was killed by the kernel for want of memory after 12.4 s, restarting at once (attempt 1)","link":0,"generation":4,"reason":"oom","signal":9,"uptime_ms":12420,"was_ready":false,"plan":"restart","delay_ms":0,"attempt":1,"in_flight":0}
    "level":"error","event":"upstream.crashed","message":"was killed by the kernel for want of memory (exit status 137) after 12.4 s, restarting at once (attempt 1)","link":0,"generation":4,"reason":"oom","status":137,"uptime_ms":12420,"was_ready":false,"plan":"restart","delay_ms":0,"attempt":1,"in_flight":0}
    "level":"error","event":"upstream.crashed","message":"closed its stdout while running and was ended after 12.4 s, 2 calls in flight failed, restarting in 1.6 s (attempt 3); stderr: \"Traceback:\\n  boom 'now'\"","link":0,"generation":4,"reason":"stdout_closed","signal":9,"uptime_ms":12420,"was_ready":false,"stderr_tail":"Traceback:\\n  boom \"now\"\\n","plan":"restart","delay_ms":1600,"attempt":3,"in_flight":2}
    "level":"error","event":"upstream.crashed","message":"answered no ping and was ended after 12.4 s (silent for 30 s), 2 calls in flight failed, restarting at once (attempt 1); stderr: \"Traceback:\\n  boom 'now'\"","link":0,"generation":4,"reason":"unresponsive","signal":9,"detail":"silent for 30 s","uptime_ms":12420,"was_ready":false,"stderr_tail":"Traceback:\\n  boom \"now\"\\n","plan":"restart","delay_ms":0,"attempt":1,"in_flight":2}
    "level":"crit","event":"upstream.backoff","message":"failed the handshake after 12.4 s (no answer to initialize within 60 s), crash loop: calls are refused until it answers again, next start in 30 s (attempt 7); stderr: \"Traceback:\\n  boom 'now'\"","link":0,"generation":4,"reason":"handshake_failed","signal":9,"detail":"no answer to initialize within 60 s","uptime_ms":12420,"was_ready":false,"stderr_tail":"Traceback:\\n  boom \"now\"\\n","plan":"crash_loop","delay_ms":30000,"attempt":7,"in_flight":0}
    "level":"error","event":"upstream.start_failed","message":"could not be started (dockerr: no such program in PATH), restarting in 500 ms (attempt 2)","link":0,"generation":4,"reason":"spawn_failed","detail":"dockerr: no such program in PATH","uptime_ms":12420,"was_ready":false,"plan":"restart","delay_ms":500,"attempt":2,"in_flight":0}
    "level":"info","event":"upstream.stopped","message":"stopped as asked (exit status 0) after 12.4 s","link":0,"generation":4,"reason":"stopped","status":0,"uptime_ms":12420,"was_ready":false,"plan":"none","in_flight":0}
    "level":"info","event":"upstream.stderr","message":"Processing request of type CallToolRequest","link":0,"line":"Processing request of type CallToolRequest","truncated":false}
    "level":"info","event":"upstream.stderr","message":"server 3: long (cut)","link":3,"line":"long","truncated":true}
    "level":"warn","event":"upstream.stderr_suppressed","message":"1200 lines of stderr left out: the server writes too fast","link":0,"lines":1200}
    "level":"error","event":"upstream.unresponsive","message":"sent nothing for 45 s, not even an answer to a ping","link":0,"silent_ms":45000}
    "level":"notice","event":"upstream.takes_turns","message":"the server asks clients questions: calls of different clients take turns from now on","link":0}
    "level":"info","event":"upstream.log","message":"the server logged a message of level \"error\", 120 bytes, for nobody in particular","link":0,"log_level":"error","bytes":120}
    "level":"debug","event":"upstream.log","message":"the server logged a message of level \"info\", 1 byte, for nobody in particular","link":0,"log_level":"info","bytes":1}
    "level":"warn","event":"upstream.protocol_error","message":"the server wrote a line to stdout that is not JSON (its logs belong on stderr): Starting up...","peer":"from_server","kind":"invalid_json","detail":"Starting up..."}
    "level":"warn","event":"upstream.protocol_error","message":"the server sent an answer after its request had ended","peer":"from_server","kind":"late_answer"}
    "level":"info","event":"client.protocol_error","message":"a client sent a message that is not JSON-RPC 2.0: method is not a string","peer":"from_client","kind":"not_jsonrpc","detail":"method is not a string"}
    "level":"info","event":"session.opened","message":"session k3vq9x2m opened by \"claude-code\" over Streamable HTTP, 2025-11-25","session":"k3vq9x2m","transport":"streamable_http","revision":"2025-11-25","client_name":"claude-code","client_version":"2.0.1"}
    "level":"info","event":"session.closed","message":"session k3vq9x2m closed after 3 min 4 s and 12 requests: the client ended it","session":"k3vq9x2m","reason":"client_delete","requests":12,"duration_ms":184000}
    "level":"notice","event":"session.expired","message":"session k3vq9x2m closed after 2 h 5 min and 1 request: nothing came for too long","session":"k3vq9x2m","reason":"idle_timeout","requests":1,"duration_ms":7500000}
    "level":"debug","event":"stream.opened","message":"the GET stream of session k3vq9x2m opened","session":"k3vq9x2m","stream_kind":"get"}
    "level":"debug","event":"stream.closed","message":"the SSE stream of session k3vq9x2m closed after 12 events: the client is gone","session":"k3vq9x2m","stream_kind":"sse","end":"client_gone","events":12,"duration_ms":60000}
    "level":"notice","event":"stream.closed","message":"a POST stream of session k3vq9x2m closed after 1 event: the client reads too slowly","session":"k3vq9x2m","stream_kind":"post","end":"slow_consumer","events":1,"duration_ms":1500}
    "level":"debug","event":"stream.resumed","message":"session k3vq9x2m resumed a stream, 3 events replayed","session":"k3vq9x2m","replayed":3}
    "level":"info","event":"request.completed","message":"tools/call of session k3vq9x2m answered in 12.345 ms","session":"k3vq9x2m","method":"tools/call","jsonrpc_id":"call-7","outcome":"ok","transport":"streamable_http","protocol_version":"2025-11-25","request_bytes":120,"response_bytes":340,"duration_us":12345,"queue_us":1000,"upstream_us":10000,"overhead_us":1345}
    "level":"notice","event":"request.failed","message":"tools/call of session k3vq9x2m answered in 12.345 ms: the tool reports a failure","session":"k3vq9x2m","method":"tools/call","jsonrpc_id":"call-7","outcome":"tool_error","error_type":"tool_error","transport":"streamable_http","protocol_version":"2025-11-25","request_bytes":120,"response_bytes":340,"duration_us":12345,"queue_us":1000,"upstream_us":10000,"overhead_us":1345}
    "level":"notice","event":"request.failed","message":"tools/call of session k3vq9x2m answered in 12.345 ms: the server refused it with error -32602","session":"k3vq9x2m","method":"tools/call","jsonrpc_id":"call-7","outcome":"client_error","error_type":"-32602","error_code":-32602,"transport":"streamable_http","protocol_version":"2025-11-25","request_bytes":120,"response_bytes":340,"duration_us":12345,"queue_us":1000,"upstream_us":10000,"overhead_us":1345}
    "level":"warn","event":"request.failed","message":"tools/call of session k3vq9x2m failed after 12.345 ms: error -32603 in the server","session":"k3vq9x2m","method":"tools/call","jsonrpc_id":"call-7","outcome":"server_error","error_type":"-32603","error_code":-32603,"transport":"streamable_http","protocol_version":"2025-11-25","request_bytes":120,"response_bytes":340,"duration_us":12345,"queue_us":1000,"upstream_us":10000,"overhead_us":1345}
    "level":"warn","event":"request.timeout","message":"tools/call of session k3vq9x2m timed out after 12.345 ms","session":"k3vq9x2m","method":"tools/call","jsonrpc_id":"call-7","outcome":"timeout","error_type":"timeout","error_code":-32001,"transport":"streamable_http","protocol_version":"2025-11-25","request_bytes":120,"response_bytes":340,"duration_us":12345,"queue_us":1000}
    "level":"warn","event":"request.upstream_lost","message":"tools/call of session k3vq9x2m failed after 12.345 ms: the server died","session":"k3vq9x2m","method":"tools/call","jsonrpc_id":"call-7","outcome":"upstream_lost","error_type":"upstream_lost","error_code":-32000,"transport":"streamable_http","protocol_version":"2025-11-25","request_bytes":120,"response_bytes":340,"duration_us":12345,"queue_us":1000}
    "level":"info","event":"request.failed","message":"tools/call of session k3vq9x2m refused by the proxy after 12.345 ms","session":"k3vq9x2m","method":"tools/call","jsonrpc_id":"call-7","outcome":"rejected","error_type":"rejected","error_code":-32000,"transport":"streamable_http","protocol_version":"2025-11-25","request_bytes":120,"response_bytes":340,"duration_us":12345}
    "level":"info","event":"request.completed","message":"tools/call of session k3vq9x2m cancelled after 12.345 ms","session":"k3vq9x2m","method":"tools/call","jsonrpc_id":"call-7","outcome":"cancelled","error_type":"cancelled","transport":"streamable_http","protocol_version":"2025-11-25","request_bytes":120,"response_bytes":340,"duration_us":12345,"queue_us":1000}
    "level":"warn","event":"request.rejected","message":"refused: too many calls wait for the server: 256 calls wait","reason":"queue_full","detail":"256 calls wait"}
    "level":"warn","event":"security.origin_rejected","message":"refused: the Origin is not allowed: https://evil.example","reason":"bad_origin","detail":"https://evil.example"}
    "level":"warn","event":"security.host_rejected","message":"refused: the Host is not allowed","reason":"bad_host"}
    "level":"info","event":"request.rejected","message":"refused: no such session","reason":"unknown_session"}
    "level":"debug","event":"request.cancelled","message":"a call was ended before its answer: the proxy gave it up","initiator":"proxy"}
    "level":"debug","event":"upstream.answer_dropped","message":"an answer to a request of an unknown method was dropped: nobody waits for it any more","method":"_OTHER"}
    "level":"debug","event":"session.messages_dropped","message":"session 0123456789ab opens no stream: dropped 2 messages","session":"0123456789ab","count":2}
    "level":"debug","event":"upstream.request_finished","message":"sampling/createMessage of the server: answered by the client","method":"sampling/createMessage","outcome":"answered","request_bytes":90,"response_bytes":40}
    "level":"warn","event":"upstream.request_finished","message":"elicitation/create of the server: refused, it could be meant for several clients","method":"elicitation/create","outcome":"ambiguous","request_bytes":0,"response_bytes":0}
    "level":"warn","event":"security.unknown_host","message":"requests come in for host mcp.example.org, let through for now: allow it with --allow-host mcp.example.org, or refuse such requests with --strict-host","host":"mcp.example.org"}
    "level":"warn","event":"security.unknown_host","message":"requests come in for \"$(reboot)\", which is no host name: refuse such requests with --strict-host","host":"$(reboot)"}
    "level":"debug","event":"connection.closed","message":"a connection was closed: nothing came for too long","reason":"idle_timeout"}
    "level":"debug","event":"http.answered","message":"POST on the route mcp was answered with 200 after 12.345 ms","http_method":"POST","route":"mcp","http_status":200,"duration_us":12345}
    "level":"debug","event":"client.notification","message":"a client sent notifications/initialized, 54 bytes","peer":"from_client","method":"notifications/initialized","bytes":54}
    "level":"debug","event":"upstream.notification","message":"the server sent a notification of an unknown method, 1 byte","peer":"from_server","method":"_OTHER","bytes":1}
    "level":"info","event":"message.payload","message":"from the client of session k3vq9x2m, 82 bytes: {\"method\":\"tools/call\",\"params\":{\"arguments\":{\"api_token\":\"***\",\"city\":\"Rome\"}}}","peer":"from_client","session":"k3vq9x2m","payload":"{\"method\":\"tools/call\",\"params\":{\"arguments\":{\"api_token\":\"***\",\"city\":\"Rome\"}}}","bytes":82}
    "level":"info","event":"message.payload","message":"from the server, 4000 bytes: {\"result\":{\"password\":\"***\"","peer":"from_server","payload":"{\"result\":{\"password\":\"***\"","bytes":4000}
    "level":"info","event":"upstream.probed","message":"the server answered a ping after 12 ms","link":0,"answered":true,"duration_ms":12}
    "level":"info","event":"upstream.probed","message":"server 3: the server did not answer a ping","link":3,"answered":false}
    "level":"notice","event":"config.reloaded","message":"configuration reloaded, changed: queue, debug; a restart is needed for: port","changed":"queue, debug","needs_restart":"port"}
    "level":"notice","event":"config.reloaded","message":"configuration reloaded, nothing changed"}
    "level":"error","event":"config.invalid","message":"the configuration was not reloaded, the one before stays in use: /etc/mcp-proxy.yaml:3: unknown key 'prot'; did you mean 'port'?","problem":"/etc/mcp-proxy.yaml:3: unknown key 'prot'; did you mean 'port'?"}
    """#
