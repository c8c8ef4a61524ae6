// SPDX-License-Identifier: Apache-2.0

import Events
import MCP
import NIOCore
import Telemetry

/// 2026-11-23T05:12:01.123Z.
let sampleTime = WallTime(seconds: 1_795_410_721, milliseconds: 123)

/// A finished `tools/call` of 12.345 ms: 1 ms in the queue, 10 ms with the child.
func finished(
    _ outcome: Outcome,
    errorCode: Int? = nil,
    isSent: Bool = true,
    isAnswered: Bool = true
) -> Event {
    let arrived = NIODeadline.uptimeNanoseconds(1_000_000_000)
    var request = Event.RequestFinished(
        session: "k3vq9x2m",
        method: .toolsCall,
        outcome: outcome,
        errorCode: errorCode,
        transport: .streamableHTTP,
        revision: .newestHandshake,
        requestBytes: 120,
        responseBytes: 340,
        arrived: arrived,
        sent: isSent ? arrived + .milliseconds(1) : nil,
        answered: isAnswered ? arrived + .milliseconds(11) : nil,
        finished: arrived + .microseconds(12_345)
    )
    request.id = "\"call-7\""
    if isSent { request.queued = .milliseconds(1) }
    return .requestFinished(request)
}

/// A crash with every fact known.
func crashed(
    _ reason: ExitReason = .exit,
    link: Int = 0,
    status: Int32? = 3,
    signal: Int32? = nil,
    detail: String? = nil,
    stderrTail: String = "Traceback:\n  boom \"now\"\n",
    plan: RestartPlan = .restart(delayMilliseconds: 0, attempt: 1),
    inFlight: Int = 2
) -> Event {
    .upstreamExited(
        .init(
            link: link,
            generation: 4,
            reason: reason,
            status: status,
            signal: signal,
            detail: detail,
            uptimeMilliseconds: 12_420,
            stderrTail: stderrTail,
            plan: plan,
            inFlight: inFlight
        )
    )
}

let samples: [Event] = [
    .proxyStarted(
        .init(
            version: "0.1.0",
            name: "time",
            listen: "127.0.0.1:8080",
            adminListen: "127.0.0.1:9464",
            isolation: "shared",
            log: "journal"
        )
    ),
    .proxyStarted(
        .init(
            version: "0.1.0",
            name: "time",
            listen: "[::1]:8080",
            adminListen: nil,
            isolation: "session",
            log: "stderr, not under journald"
        )
    ),
    .proxyReady(afterMilliseconds: 412),
    .proxyStopping(inFlight: 1, sessions: 3),
    .proxyStopped(drained: true),
    .proxyStopped(drained: false),
    .upstreamStarting(link: 2, generation: 1, program: "docker", argumentCount: 4),
    .upstreamStarted(link: 0, generation: 1, pid: 4711),
    .imagePulling(link: 0, generation: 1, image: "mcp/time"),
    .imagePulled(link: 0, generation: 1, image: "mcp/time", duration: .milliseconds(12_400), problem: nil),
    .imagePulled(
        link: 0,
        generation: 1,
        image: "mcp/tiem",
        duration: .milliseconds(700),
        problem: "the image 'mcp/tiem' was not found: correct its name and tag"
    ),
    .containerStarted(
        .init(
            link: 0,
            generation: 1,
            container: "mcp-time-3f2a9c1b-0-1",
            image: "mcp/time",
            imageID: "sha256:0123456789abcdef0123456789abcdef",
            digest: "sha256:fedcba9876543210fedcba9876543210"
        )
    ),
    .containerStarted(
        .init(link: 2, generation: 1, container: "mine", image: "mcp/time:1", imageID: "", digest: "")
    ),
    .containersRemoved(count: 1, left: 0),
    .containersRemoved(count: 2, left: 1),
    .containersRemoved(count: 0, left: 1),
    .engineChanged(isUp: false, problem: "the engine of docker can't be reached: start it"),
    .engineChanged(isUp: true, problem: nil),
    crashed(.engine, status: 125, detail: "the engine of docker can't be reached: start it", stderrTail: ""),
    .upstreamReplaced(link: 1, predecessor: 0, inFlight: 2),
    .replacementFailed(link: 1, problem: "the MCP server exited with status 3"),
    .upstreamReady(
        .init(
            link: 0,
            generation: 1,
            serverName: "mcp-time",
            serverVersion: "1.2.0",
            revision: "2025-06-18",
            startDuration: .milliseconds(2_340)
        )
    ),
    crashed(),
    crashed(.signal, link: 2, status: nil, signal: 9, stderrTail: "", inFlight: 0),
    crashed(.signal, status: nil, signal: 35, plan: .none),
    crashed(.outOfMemory, status: nil, signal: 9, stderrTail: "", inFlight: 0),
    crashed(.outOfMemory, status: 137, stderrTail: "", inFlight: 0),
    crashed(.stdoutClosed, status: nil, signal: 9, plan: .restart(delayMilliseconds: 1_600, attempt: 3)),
    crashed(.unresponsive, status: nil, signal: 9, detail: "silent for 30 s"),
    crashed(
        .handshakeFailed,
        status: nil,
        signal: 9,
        detail: "no answer to initialize within 60 s",
        plan: .crashLoop(delayMilliseconds: 30_000, attempt: 7),
        inFlight: 0
    ),
    crashed(
        .spawnFailed,
        status: nil,
        detail: "dockerr: no such program in PATH",
        stderrTail: "",
        plan: .restart(delayMilliseconds: 500, attempt: 2),
        inFlight: 0
    ),
    crashed(.stopped, status: 0, stderrTail: "", plan: .none, inFlight: 0),
    .upstreamStderr(link: 0, line: "Processing request of type CallToolRequest", truncated: false),
    .upstreamStderr(link: 3, line: "long", truncated: true),
    .upstreamStderrSuppressed(link: 0, lines: 1200),
    .upstreamUnresponsive(link: 0, silentMilliseconds: 45_000),
    .upstreamTakesTurns(link: 0),
    .upstreamLog(link: 0, level: "error", bytes: 120),
    .upstreamLog(link: 0, level: "info", bytes: 1),
    .protocolViolation(peer: .server, kind: .invalidJSON, detail: "Starting up..."),
    .protocolViolation(peer: .server, kind: .lateAnswer, detail: ""),
    .protocolViolation(peer: .client, kind: .notJSONRPC, detail: "method is not a string"),
    .sessionOpened(
        .init(
            session: "k3vq9x2m",
            transport: .streamableHTTP,
            revision: .v2025_11_25,
            clientName: "claude-code",
            clientVersion: "2.0.1"
        )
    ),
    .sessionClosed(.init(session: "k3vq9x2m", reason: .clientDelete, requests: 12, duration: .seconds(184))),
    .sessionClosed(.init(session: "k3vq9x2m", reason: .idleTimeout, requests: 1, duration: .seconds(7_500))),
    .streamOpened(session: "k3vq9x2m", kind: .get),
    .streamClosed(session: "k3vq9x2m", kind: .sse, end: .clientGone, events: 12, duration: .seconds(60)),
    .streamClosed(session: "k3vq9x2m", kind: .post, end: .slowConsumer, events: 1, duration: .milliseconds(1500)),
    .streamResumed(session: "k3vq9x2m", replayed: 3),
    finished(.ok),
    finished(.toolError),
    finished(.clientError, errorCode: -32602),
    finished(.serverError, errorCode: -32603),
    finished(.timeout, errorCode: -32001, isAnswered: false),
    finished(.upstreamLost, errorCode: -32000, isAnswered: false),
    finished(.rejected, errorCode: -32000, isSent: false, isAnswered: false),
    finished(.cancelled, isAnswered: false),
    .requestRejected(reason: .queueFull, detail: "256 calls wait"),
    .requestRejected(reason: .badOrigin, detail: "https://evil.example"),
    .requestRejected(reason: .badHost, detail: ""),
    .requestRejected(reason: .unknownSession, detail: ""),
    .requestCancelled(initiator: .proxy),
    .answerDropped(method: .other),
    .messagesDropped(session: "0123456789ab", count: 2),
    .serverRequestFinished(method: .samplingCreateMessage, outcome: .answered, requestBytes: 90, responseBytes: 40),
    .serverRequestFinished(method: .elicitationCreate, outcome: .ambiguous),
    .unknownHost(host: "mcp.example.org", isFirst: true),
    .unknownHost(host: "$(reboot)", isFirst: true),
    .connectionClosed(reason: .idleTimeout),
    .httpAnswered(.init(method: .post, route: .mcp, status: 200, duration: .microseconds(12_345))),
    .notificationReceived(peer: .client, method: .initialized, bytes: 54),
    .notificationReceived(peer: .server, method: .other, bytes: 1),
    .payload(
        peer: .client,
        session: "k3vq9x2m",
        message: ByteBuffer(
            string: #"{"method":"tools/call","params":{"arguments":{"api_token":"s3cret","city":"Rome"}}}"#
        ),
        bytes: 82
    ),
    .payload(peer: .server, session: "", message: ByteBuffer(string: #"{"result":{"password":"s3c"#), bytes: 4_000),
    .upstreamProbed(link: 0, answeredAfter: .milliseconds(12)),
    .upstreamProbed(link: 3, answeredAfter: nil),
    .configReloaded(changed: ["queue", "debug"], needsRestart: ["port"]),
    .configReloaded(changed: [], needsRestart: []),
    .configInvalid(problem: "/etc/mcp-proxy.yaml:3: unknown key 'prot'; did you mean 'port'?"),
]
