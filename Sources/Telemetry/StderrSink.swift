// SPDX-License-Identifier: Apache-2.0

package import Events
internal import Glibc
package import Journal
internal import Synchronization

/// Tells events to whoever reads stderr, one line each, as text or JSON.
///
/// Formatting happens on the event loop; the write, which may block, on a thread of its own. An event below the
/// chosen level costs one switch.
package final class StderrSink: EventSink {
    private let format: LogFormat
    private let isColoured: Bool
    private let isDebugging: Atomic<Bool>
    private let writer: LineWriter

    /// - Parameters:
    ///   - format: of each line.
    ///   - debug: whether debug events are shown, which are one or more per call.
    ///   - descriptor: where lines go; another than stderr in tests only.
    ///   - capacity: bytes of lines that may wait for a slow reader.
    package init(
        format: LogFormat,
        debug: Bool,
        descriptor: Int32 = STDERR_FILENO,
        capacity: Int = 256 * 1024
    ) throws(WorkerThreadError) {
        // https://no-color.org: any non-empty value.
        let isColourWanted = getenv("NO_COLOR").map { $0.pointee == 0 } ?? true
        let isColoured = format == .text && isatty(descriptor) == 1 && isColourWanted
        self.format = format
        self.isColoured = isColoured
        self.isDebugging = Atomic(debug)
        self.writer = try LineWriter(descriptor: descriptor, capacity: capacity) { lines in
            format.line(EventRecord(droppedLogLines: lines), at: .now(), colour: isColoured)
        }
    }

    package func emit(_ event: Event) {
        guard isDebugging.load(ordering: .relaxed) || !event.isOfTheCourse else { return }
        writer.write(format.line(EventRecord(event), at: .now(), colour: isColoured))
    }

    /// From now on, shows debug events, too, or doesn't.
    package func setDebugging(_ isDebugging: Bool) { self.isDebugging.store(isDebugging, ordering: .relaxed) }

    /// Lines lost so far because stderr is read too slowly.
    package var droppedLines: Int { writer.droppedLines }

    /// Writes what is queued and stops. Call it once, after the last event, before the process exits.
    ///
    /// - Parameter milliseconds: how long it may block at most; stderr may be a pipe nobody reads.
    /// - Returns: whether everything was written.
    @discardableResult
    package func shutdown(within milliseconds: Int = 500) -> Bool {
        writer.shutdown(within: milliseconds)
    }
}

extension Event {
    /// Whether it is one of many that tell nothing new. A call that went well is one of them here: unlike the journal,
    /// this log has no rate limit.
    fileprivate var isOfTheCourse: Bool {
        if case .requestFinished(let request) = self, request.outcome.isOfTheCourse { return true }
        return severity == .debug
    }
}

extension Outcome {
    fileprivate var isOfTheCourse: Bool {
        switch self {
        case .ok, .inputRequired, .cancelled, .rejected: true
        case .toolError, .clientError, .serverError, .timeout, .upstreamLost: false
        }
    }
}
