// SPDX-License-Identifier: Apache-2.0

/// What a second reading of the configuration changes: which of it can be applied to a running proxy, and which has to
/// wait for a restart.
struct Reload {
    /// The configuration to go on with: what can change has its new value, everything else the old one.
    var resolution: Resolution
    /// Options that changed and are applied.
    var changed: [String]
    /// Options that changed and are not.
    var needsRestart: [String]

    /// Reads everything again: files, and the command line and environment of the start, which can't change.
    init(from old: Resolution, _ surroundings: Surroundings) throws(ConfigurationError) {
        // What is worth a warning was warned about at the start.
        let new = try Resolver(surroundings: surroundings) { _ in }
            .resolve(ArgumentParser.parse(surroundings.arguments))
        try self.init(from: old, to: new)
    }

    init(from old: Resolution, to new: Resolution) throws(ConfigurationError) {
        resolution = old
        changed = []
        needsRestart = []
        for option in Option.table where option.layers == .flagEnvironmentFile {
            let setting = new.settings[option.key]
            // Of the env file the child has what it said when the child was started.
            let isOtherFile = option.key == .envFile && new.envFile != old.envFile
            guard setting.values != old.settings[option.key].values || isOtherFile else { continue }
            if option.key.isReloadable {
                resolution.settings[option.key] = setting
                changed.append(option.name)
            } else {
                needsRestart.append(option.name)
            }
        }
        // Its environment is that of options and of the env file, which have been compared.
        let (command, other) = (old.configuration.command, new.configuration.command)
        if command.program != other.program || command.arguments != other.arguments { needsRestart.append("command") }
        resolution.configuration = try Configuration(
            name: old.configuration.name,
            command: old.configuration.command,
            settings: resolution.settings
        )
    }
}

extension Option.Key {
    /// Whether a running proxy takes a new value when it is told to reload (SIGHUP).
    ///
    /// What the listeners, the paths and the child are made of stays as it is until a restart.
    var isReloadable: Bool {
        switch self {
        case .maxSessions, .maxConnections, .maxInFlight, .queue, .maxBodySize, .maxBuffered,
            .requestTimeout, .maxRequestTime, .clientRequestTimeout, .connectionTimeout, .sessionIdleTimeout,
            .streamAfter, .keepAliveInterval, .keepAliveTimeout, .readTimeout, .gracefulShutdownTimeout,
            .eventStoreMaxEvents, .eventStoreMaxBytes,
            .allowOrigin, .allowHost, .strictHost, .logPayloads, .debug:
            true
        case .port, .host, .streamEndpoint, .sseEndpoint, .server, .healthEndpoint, .env, .envFile, .passEnvironment,
            .cwd, .shell, .isolation, .upstreamProtocol, .clientCapabilities, .stateless, .eventStore, .maxLine, .name,
            .adminListen, .log,
            .logFormat, .journalRate, .journalBurst, .histograms, .telemetry, .config, .checkConfig, .help, .version,
            .printOptionsTable, .printManPage, .printBashCompletion, .printZshCompletion, .printFishCompletion:
            false
        }
    }
}
