// SPDX-License-Identifier: Apache-2.0

/// The report of `--check-config`: one line for each effective value, with its origin, secrets masked.
func configurationReport(_ resolution: Resolution) -> String {
    var rows: [(name: String, value: String, origin: String)] = [
        ("command", resolution.configuration.command.shown, resolution.commandOrigin.description),
        ("executable", resolution.configuration.command.executable, "PATH"),
    ]
    if resolution.configuration.command.executable == resolution.configuration.command.program { rows.removeLast() }
    for option in Option.table where option.layers != .flag {
        let setting = resolution.settings[option.key]
        let origin = setting.origin.description
        switch option.key {
        case .name:
            rows.append((option.name, resolution.configuration.name, resolution.nameOrigin.description))
        case .envFile where resolution.envFilePath == nil:
            rows.append((option.name, "none", "\(origin), not readable"))
        default:
            if setting.values.isEmpty { rows.append((option.name, "none", origin)) }
            for value in setting.values { rows.append((option.name, shown(value, option), origin)) }
        }
    }
    // One long value must not push every origin off the screen.
    let valueWidth = min(40, rows.map(\.value.count).max() ?? 0)
    let nameWidth = rows.map(\.name.count).max() ?? 0
    return rows.map { "\(padded($0.name, nameWidth))  \(padded($0.value, valueWidth))  \($0.origin)\n" }.joined()
}

private func shown(_ value: Value, _ option: Option) -> String {
    guard option.isSecret else {
        switch (value, option.kind) {
        case (.milliseconds(0), .duration(_, zeroIsOff: true)), (.bytes(0), .size(_, zeroIsOff: true)): return "off"
        default: return value.description
        }
    }
    guard case .text(let text) = value, let equals = text.firstIndex(of: "=") else { return "***" }
    return text[...equals] + "***"
}
