// SPDX-License-Identifier: Apache-2.0

/// What the command line asks for.
enum Invocation {
    /// A text for stdout, and nothing else.
    case print(String)
    case serve(Resolution)
    /// The embedded MCP server, on stdin and stdout.
    case demoServer
    case fleet(FleetCommand)

    /// Reads the command line. Warnings go to `warn`, one line each.
    static func interpret(
        _ surroundings: Surroundings,
        warn: @escaping (String) -> Void
    ) throws(ConfigurationError) -> Invocation {
        if surroundings.arguments.first == "demo-server" { return .demoServer }
        if surroundings.arguments.first == "fleet" {
            return try FleetCommand.parse(surroundings.arguments.dropFirst()).map { .fleet($0) }
                ?? .print(FleetCommand.help)
        }
        let arguments = try ArgumentParser.parse(surroundings.arguments)
        switch arguments.actions.first {
        case .help: return .print(Help.text)
        case .version: return .print("\(Product.name) \(Product.version)\n")
        case .printOptionsTable: return .print(Help.markdown)
        case .printManPage: return .print(ManPage.text)
        case .printBashCompletion: return .print(Completion.bash)
        case .printZshCompletion: return .print(Completion.zsh)
        case .printFishCompletion: return .print(Completion.fish)
        default: break
        }
        let resolution = try Resolver(surroundings: surroundings, warn: warn).resolve(arguments)
        return arguments.actions.contains(.checkConfig)
            ? .print(configurationReport(resolution)) : .serve(resolution)
    }
}

/// Does what the command line asks for and returns the status to exit with.
func run(_ surroundings: Surroundings) async -> Int32 {
    let warn = { (line: String) in write("\(Product.name): \(line)\n", to: 2) }
    do throws(ConfigurationError) {
        switch try Invocation.interpret(surroundings, warn: warn) {
        case .print(let text):
            write(text, to: 1)
            return ExitStatus.ok.rawValue
        case .demoServer: return DemoServer.run()
        case .fleet(let command): return await command.run(surroundings)
        case .serve(let resolution): return await serve(resolution, surroundings)
        }
    } catch {
        write("\(error.line)\n", to: 2)
        return error.status.rawValue
    }
}
