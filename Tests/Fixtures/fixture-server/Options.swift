// SPDX-License-Identifier: Apache-2.0

/// The command line: how the server misbehaves from the start, and what it knows.
struct Options: Sendable {
    static let revisions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]

    var revision = "2025-11-25"
    var pageSize = 3
    var missingCapabilities: Set<String> = []
    var capabilitiesShrinkFile: String?
    var ignoresEOF = false
    var ignoresTERM = false
    var crashOnStart: Int32?
    var crashFile: String?
    var slowStart: UInt32 = 0
    var garbageOnStart = false
    var exitOnDiscover = false
    var answersInitialize = true
    var initializeError = false
    var answersCancelled = true
    var stringIDs = false
    var isSerial = false
    var isFast = false
    /// In fast mode: a server of 2026-07-28.
    var isStateless = false
    var trace: String?

    struct Mistake: Error { let message: String }

    /// Takes `--name VALUE` and `--name=VALUE`.
    init(_ arguments: [String]) throws(Mistake) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
            func value() throws(Mistake) -> String {
                guard let value = parts.count > 1 ? parts[1] : rest.popFirst() else {
                    throw Mistake(message: "\(argument) needs a value")
                }
                return value
            }
            func number<N: FixedWidthInteger>() throws(Mistake) -> N {
                guard let number = N(try value()) else { throw Mistake(message: "\(argument) needs a number") }
                return number
            }
            switch parts.first {
            case "--revision":
                revision = try value()
                guard Options.revisions.contains(revision) else {
                    throw Mistake(message: "--revision is one of \(Options.revisions.joined(separator: ", "))")
                }
            case "--page-size": pageSize = try number()
            case "--no-capability": missingCapabilities.insert(try value())
            case "--capabilities-shrink-file": capabilitiesShrinkFile = try value()
            case "--ignore-eof": ignoresEOF = true
            case "--ignore-term": ignoresTERM = true
            case "--crash-on-start": crashOnStart = parts.count > 1 ? try number() : 3
            case "--crash-file": crashFile = try value()
            case "--slow-start": slowStart = try number()
            case "--garbage-on-start": garbageOnStart = true
            case "--exit-on-discover": exitOnDiscover = true
            case "--no-initialize": answersInitialize = false
            case "--initialize-error": initializeError = true
            case "--no-answer-on-cancel": answersCancelled = false
            case "--string-ids": stringIDs = true
            case "--serial": isSerial = true
            case "--fast": isFast = true
            case "--stateless": isStateless = true
            case "--trace": trace = try value()
            default: throw Mistake(message: "unknown flag \(argument); Tests/Fixtures/README.md lists them")
            }
        }
        guard pageSize > 0 else { throw Mistake(message: "--page-size begins at 1") }
    }
}
