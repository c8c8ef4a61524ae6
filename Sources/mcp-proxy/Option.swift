// SPDX-License-Identifier: Apache-2.0

/// One row of the option table: everything the flag, the environment variable, the key in the file, the help,
/// the report of `--check-config` and the table in the README need to know of an option.
struct Option: Sendable {
    /// Names the option in code. The raw value is the camelCase spelling; every other spelling derives from it.
    enum Key: String, CaseIterable, Sendable {
        case port, host, streamEndpoint, sseEndpoint, server, healthEndpoint
        case env, envFile, passEnvironment, cwd, shell
        case isolation, upstreamProtocol, clientCapabilities, stateless, eventStore, eventStoreMaxEvents,
            eventStoreMaxBytes
        case maxSessions, maxConnections, maxInFlight, queue, maxBodySize, maxLine, maxBuffered
        case connectionTimeout, requestTimeout, maxRequestTime, clientRequestTimeout, sessionIdleTimeout
        case streamAfter, keepAliveInterval, keepAliveTimeout, readTimeout, gracefulShutdownTimeout
        case allowOrigin, allowHost, strictHost
        case name, adminListen, log, logFormat, journalRate, journalBurst, logPayloads, histograms, telemetry, debug
        case config, checkConfig, help, version
        case printOptionsTable, printManPage, printBashCompletion, printZshCompletion, printFishCompletion
    }

    /// The headings of `--help`, in its order.
    enum Group: String, CaseIterable, Sendable {
        case listening = "Listening"
        case child = "Child"
        case sessions = "Sessions"
        case limits = "Limits"
        case timeouts = "Timeouts"
        case security = "Security"
        case observability = "Observability"
        case other = "Other"
    }

    /// Where the option may be given.
    enum Layers: Sendable {
        case flagEnvironmentFile
        case flagEnvironment
        case flag
    }

    let key: Key
    let kind: ValueKind
    /// The default as a user would write it; nil when there is none.
    let defaultText: String?
    let group: Group
    /// What stands for the value in the help; empty for a boolean.
    let metavar: String
    let help: String
    let short: Character?
    let isRepeatable: Bool
    /// The value may be a secret and is shown as `***`.
    let isSecret: Bool
    /// Left out of the help.
    let isHidden: Bool
    let layers: Layers

    init(
        _ key: Key,
        _ kind: ValueKind,
        default defaultText: String? = nil,
        _ group: Group,
        metavar: String = "",
        _ help: String,
        short: Character? = nil,
        isRepeatable: Bool = false,
        isSecret: Bool = false,
        isHidden: Bool = false,
        layers: Layers = .flagEnvironmentFile
    ) {
        self.key = key
        self.kind = kind
        self.defaultText = defaultText
        self.group = group
        self.metavar = metavar
        self.help = help
        self.short = short
        self.isRepeatable = isRepeatable
        self.isSecret = isSecret
        self.isHidden = isHidden
        self.layers = layers
    }

    /// `stream-endpoint`: the flag without its dashes, and the key in a configuration file.
    var name: String { kebabCase(key.rawValue) }
    /// `streamEndpoint`: the hidden alias of the flag and of the key.
    var camelName: String { key.rawValue }
    /// `MCP_PROXY_STREAM_ENDPOINT`.
    var environmentName: String { Option.environmentPrefix + environmentSuffix(name) }
    var flag: String { "--\(name)" }

    static let environmentPrefix = "MCP_PROXY_"

    static let byKey: [Key: Option] = Dictionary(uniqueKeysWithValues: table.map { ($0.key, $0) })

    /// The option whose kebab-case or camelCase name is `name`.
    static func named(_ name: some StringProtocol) -> Option? { byName[String(name)] }

    private static let byName: [String: Option] = Dictionary(
        table.flatMap { [($0.name, $0), ($0.camelName, $0)] },
        uniquingKeysWith: { first, _ in first }
    )
}

/// `streamEndpoint` → `stream-endpoint`. A name that is kebab-case already stays as it is.
func kebabCase(_ name: some StringProtocol) -> String {
    var kebab = ""
    for character in name {
        if character.isASCII, character.isUppercase { kebab.append("-") }
        kebab += character.lowercased()
    }
    return kebab
}

/// `stream-endpoint` → `STREAM_ENDPOINT`.
func environmentSuffix(_ name: String) -> String {
    String(name.uppercased().map { $0 == "-" ? "_" : $0 })
}
