// SPDX-License-Identifier: Apache-2.0

import Telemetry

extension Option {
    /// Every option, in the order of `--help`.
    static let table: [Option] = listening + child + sessions + limits + timeouts + security + observability + other

    private static let listening: [Option] = [
        Option(
            .port,
            .integer(0...65535),
            default: "8080",
            .listening,
            metavar: "N",
            "port to listen on; 0 takes any free one"
        ),
        Option(.host, .text, default: "127.0.0.1", .listening, metavar: "ADDRESS", "address to listen on"),
        Option(
            .streamEndpoint,
            .endpoint,
            default: "/mcp",
            .listening,
            metavar: "PATH",
            "where Streamable HTTP is served"
        ),
        Option(
            .sseEndpoint,
            .endpoint,
            default: "/sse",
            .listening,
            metavar: "PATH",
            "where HTTP+SSE is served; messages go to PATH/messages"
        ),
        Option(
            .server,
            .choice(["both", "stream", "sse"]),
            default: "both",
            .listening,
            metavar: "both|stream|sse",
            "the transports to serve"
        ),
        Option(
            .healthEndpoint,
            .endpoint,
            .listening,
            metavar: "PATH",
            "one more path that answers like /healthz",
            isRepeatable: true
        ),
    ]

    private static let child: [Option] = [
        Option(
            .env,
            .assignment,
            .child,
            metavar: "KEY=VALUE",
            "variable for the child; also as -e KEY VALUE",
            short: "e",
            isRepeatable: true,
            isSecret: true
        ),
        Option(
            .envFile,
            .path,
            default: "/opt/mcp/.env",
            .child,
            metavar: "FILE",
            "NAME=VALUE lines for ${NAME} and the child"
        ),
        Option(
            .passEnvironment,
            .boolean,
            default: "true",
            .child,
            "give the child the whole environment of the proxy"
        ),
        Option(.cwd, .path, .child, metavar: "DIR", "working directory of the child"),
        Option(.shell, .boolean, default: "false", .child, "run the command through /bin/sh -c"),
    ]

    private static let sessions: [Option] = [
        Option(
            .isolation,
            .isolation,
            default: "shared",
            .sessions,
            metavar: "shared|session|pool=N",
            "one child for all, one for each session, or N that serve one client each at a time"
        ),
        Option(
            .upstreamProtocol,
            .choice(["auto", "legacy", "modern"]),
            default: "auto",
            .sessions,
            metavar: "auto|legacy|modern",
            "how a shared child is spoken to: with a handshake (legacy), without (modern)"
        ),
        Option(
            .clientCapabilities,
            .json,
            .sessions,
            metavar: "JSON",
            "what the proxy declares to a shared child"
        ),
        Option(
            .stateless,
            .boolean,
            default: "false",
            .sessions,
            "give out no session ids; every request stands alone"
        ),
        Option(
            .eventStore,
            .boolean,
            default: "true",
            .sessions,
            "keep events for clients that resume a broken stream"
        ),
        Option(
            .eventStoreMaxEvents,
            .integer(1...1_000_000_000),
            default: "1000",
            .sessions,
            metavar: "N",
            "events kept for each session"
        ),
        Option(
            .eventStoreMaxBytes,
            .size(1024...maximumBytes, zeroIsOff: false),
            default: "16MiB",
            .sessions,
            metavar: "SIZE",
            "bytes of events kept for each session"
        ),
    ]

    private static let limits: [Option] = [
        Option(.maxSessions, .integer(1...1_000_000), default: "1000", .limits, metavar: "N", "sessions at a time"),
        Option(
            .maxConnections,
            .integer(1...1_000_000),
            default: "1024",
            .limits,
            metavar: "N",
            "connections at a time"
        ),
        Option(
            .maxInFlight,
            .integer(1...1_000_000),
            default: "256",
            .limits,
            metavar: "N",
            "requests the child works on at a time"
        ),
        Option(
            .queue,
            .integer(0...1_000_000),
            default: "1024",
            .limits,
            metavar: "N",
            "requests that may wait for the child"
        ),
        Option(
            .maxBodySize,
            .size(1024...maximumBytes, zeroIsOff: true),
            default: "10MiB",
            .limits,
            metavar: "SIZE",
            "largest body of a request; 0 = no limit"
        ),
        Option(
            .maxLine,
            .size(1024...maximumBytes, zeroIsOff: false),
            default: "64MiB",
            .limits,
            metavar: "SIZE",
            "longest message of the child"
        ),
        Option(
            .maxBuffered,
            .size(1024...maximumBytes, zeroIsOff: false),
            default: "256MiB",
            .limits,
            metavar: "SIZE",
            "bytes of requests coming in, and of events kept, in all"
        ),
    ]

    private static let timeouts: [Option] = [
        Option(
            .connectionTimeout,
            .duration(minimum: 1, zeroIsOff: false),
            default: "1m",
            .timeouts,
            metavar: "TIME",
            "for the child to answer a handshake"
        ),
        Option(
            .requestTimeout,
            .duration(minimum: 1, zeroIsOff: false),
            default: "5m",
            .timeouts,
            metavar: "TIME",
            "for the child to answer a request; progress extends it"
        ),
        Option(
            .maxRequestTime,
            .duration(minimum: 1, zeroIsOff: false),
            default: "1h",
            .timeouts,
            metavar: "TIME",
            "for a request altogether, progress or not"
        ),
        Option(
            .clientRequestTimeout,
            .duration(minimum: 1, zeroIsOff: false),
            default: "10m",
            .timeouts,
            metavar: "TIME",
            "for a client to answer a request of the child"
        ),
        Option(
            .sessionIdleTimeout,
            .duration(minimum: 1, zeroIsOff: true),
            default: "30m",
            .timeouts,
            metavar: "TIME",
            "until an idle session ends; 0 = never"
        ),
        Option(
            .streamAfter,
            .duration(minimum: 0, zeroIsOff: false),
            default: "10s",
            .timeouts,
            metavar: "TIME",
            "until a response without its answer becomes a stream"
        ),
        Option(
            .keepAliveInterval,
            .duration(minimum: 1, zeroIsOff: true),
            default: "15s",
            .timeouts,
            metavar: "TIME",
            "between comments on an idle event stream; 0 = none"
        ),
        Option(
            .keepAliveTimeout,
            .duration(minimum: 1, zeroIsOff: true),
            default: "5m",
            .timeouts,
            metavar: "TIME",
            "until an idle connection is closed; 0 = never"
        ),
        Option(
            .readTimeout,
            .duration(minimum: 1, zeroIsOff: false),
            default: "30s",
            .timeouts,
            metavar: "TIME",
            "for head and body of a request to arrive"
        ),
        Option(
            .gracefulShutdownTimeout,
            .duration(minimum: 0, zeroIsOff: false),
            default: "5s",
            .timeouts,
            metavar: "TIME",
            "for requests in flight to finish when the proxy stops"
        ),
    ]

    private static let security: [Option] = [
        Option(
            .allowOrigin,
            .origin,
            .security,
            metavar: "ORIGIN",
            "origin of web pages that may call; * for any",
            isRepeatable: true
        ),
        Option(
            .allowHost,
            .hostName,
            .security,
            metavar: "NAME",
            "host name clients may use besides loopback",
            isRepeatable: true
        ),
        Option(
            .strictHost,
            .boolean,
            default: "false",
            .security,
            "refuse every other host name, instead of a warning"
        ),
    ]

    private static let observability: [Option] = [
        Option(
            .name,
            .text,
            .observability,
            metavar: "NAME",
            "name of this instance, else that of unit, image or command"
        ),
        Option(
            .adminListen,
            .address,
            .observability,
            metavar: "ADDRESS",
            "HOST:PORT or unix:/path for metrics and health alone"
        ),
        Option(
            .histograms,
            .choice(["classic", "native", "both"]),
            default: "classic",
            .observability,
            metavar: "KIND",
            "classic, native or both: buckets of /metrics"
        ),
        Option(
            .log,
            .choice(["auto", "journal", "text", "json"]),
            default: "auto",
            .observability,
            metavar: "WHERE",
            "journal, or text or json on stderr; auto: journal under journald"
        ),
        Option(
            .logFormat,
            .choice(["text", "json"]),
            .observability,
            metavar: "text|json",
            "the same as --log",
            isHidden: true
        ),
        Option(
            .journalRate,
            .integer(1...1_000_000),
            default: "20",
            .observability,
            metavar: "N",
            "requests told in the journal, per second"
        ),
        Option(
            .journalBurst,
            .integer(1...1_000_000),
            default: "500",
            .observability,
            metavar: "N",
            "requests told in the journal at once"
        ),
        Option(
            .logPayloads,
            .size(0...TextCap.line, zeroIsOff: true),
            default: "0",
            .observability,
            metavar: "SIZE",
            "log so much of each message, up to 4000; 0 is off"
        ),
        Option(
            .telemetry,
            .boolean,
            default: "true",
            .observability,
            "without it events go nowhere: to measure what telemetry costs",
            isHidden: true
        ),
        Option(.debug, .boolean, default: "false", .observability, "log more"),
    ]

    private static let other: [Option] = [
        Option(
            .config,
            .path,
            .other,
            metavar: "FILE",
            "read options from this YAML file",
            layers: .flagEnvironment
        ),
        Option(
            .checkConfig,
            .action,
            .other,
            "print every value and where it comes from, then exit",
            layers: .flag
        ),
        Option(.help, .action, .other, "print this help", short: "h", layers: .flag),
        Option(.version, .action, .other, "print the version", short: "V", layers: .flag),
        printing(.printOptionsTable, "print the options as a Markdown table"),
        printing(.printManPage, "print the man page"),
        printing(.printBashCompletion, "print what completes a command line in bash"),
        printing(.printZshCompletion, "print what completes a command line in zsh"),
        printing(.printFishCompletion, "print what completes a command line in fish"),
    ]

    /// For those who build packages: one more text that the table turns into.
    private static func printing(_ key: Key, _ help: String) -> Option {
        Option(key, .action, .other, help, isHidden: true, layers: .flag)
    }

    /// Positions in a message are 32-bit, so nothing may be larger.
    private static let maximumBytes = Int(Int32.max)
}

extension Option {
    /// Options of other MCP proxies that this one does not have, by kebab-case name, with what to do instead.
    /// They are errors wherever they are given: who asks for an API key must not get an open port.
    static let foreign: [String: String] = [
        "api-key": "check keys in the web server in front, such as nginx",
        "cors": "use --allow-origin ORIGIN",
        "cors-add-allowed-header": "leave it out, the headers of MCP are always allowed",
        "endpoint": "use --stream-endpoint or --sse-endpoint",
        "expose-header": "leave it out, Mcp-Session-Id is always exposed",
        "headers": "leave it out, the child is reached over stdio",
        "log-level": "use --debug, or leave it out",
        "message-path": "leave it out, messages go to /messages below --sse-endpoint",
        "modern": "leave it out, the revision of the protocol is agreed with every client",
        "named-server": "run one proxy for each server",
        "named-server-config": "run one proxy for each server",
        "output-transport": "use --server stream or --server sse",
        "session-timeout": "use --session-idle-timeout",
        "sse-host": "use --host",
        "sse-path": "use --sse-endpoint",
        "sse-port": "use --port",
        "ssl-ca": "terminate TLS in the web server in front, such as nginx",
        "ssl-cert": "terminate TLS in the web server in front, such as nginx",
        "ssl-key": "terminate TLS in the web server in front, such as nginx",
        "stateful": "leave it out, sessions are the default",
        "stdio": "write the command after the options: mcp-proxy [options] -- COMMAND",
        "streamable-http-path": "use --stream-endpoint",
        "transport": "use --server stream or --server sse",
        "tunnel": "open a tunnel with a program of its own, such as ssh -R",
        "tunnel-subdomain": "open a tunnel with a program of its own, such as ssh -R",
    ]

    /// The error for `spelling` if `name` (any case) is an option of another proxy.
    static func foreignError(_ name: some StringProtocol, spelling: String, _ status: ExitStatus) -> ConfigurationError?
    {
        var name = kebabCase(name)
        if foreign[name] == nil, name.hasPrefix("no-") { name.removeFirst(3) }
        guard let advice = foreign[name] else { return nil }
        return ConfigurationError(status, "\(spelling) is not supported", advice)
    }
}
