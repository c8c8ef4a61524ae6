// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// Reads lines from standard input until it ends; `receive` returns false to read no more.
func readLines(_ receive: ([UInt8]) -> Bool) {
    guard let input = fdopen(STDIN_FILENO, "r") else { return }
    var (line, capacity): (UnsafeMutablePointer<CChar>?, Int) = (nil, 0)
    while true {
        let count = getline(&line, &capacity, input)
        guard count > 0, let line else { return }
        var bytes = UnsafeRawBufferPointer(start: line, count: count)[...]
        while let last = bytes.last, last == 0x0A || last == 0x0D { bytes.removeLast() }
        if bytes.isEmpty { continue }
        guard receive(Array(bytes)) else {
            while true { pause() }
        }
    }
}

func serve(_ options: Options) {
    signal(SIGPIPE, SIG_IGN)
    if options.ignoresTERM { signal(SIGTERM, SIG_IGN) }
    if let path = options.crashFile, access(path, F_OK) == 0 {
        writeError("fixture-server: \(path) exists")
        _exit(1)
    }
    if let status = options.crashOnStart {
        writeError("fixture-server: crashing on start")
        _exit(status)
    }
    usleep(options.slowStart * 1000)
    if options.isFast {
        var mode = FastMode(isStateless: options.isStateless)
        return mode.run()
    }
    var trace: Int32?
    if let path = options.trace { trace = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644) }
    let server = Server(options: options)
    if options.garbageOnStart { server.writeBanner() }
    readLines { line in
        if let trace { writeAll(line + [0x0A], to: trace) }
        server.receive(line)
        return server.state.withLock { $0.isReading }
    }
    while options.ignoresEOF { pause() }
}

do throws(Options.Mistake) {
    serve(try Options(Array(CommandLine.arguments.dropFirst())))
} catch {
    writeError("fixture-server: \(error.message)")
    exit(2)
}
