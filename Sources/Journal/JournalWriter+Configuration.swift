// SPDX-License-Identifier: Apache-2.0

extension JournalWriter {
    package struct Configuration: Sendable {
        /// Bytes of entries that may wait.
        package var capacity: Int
        /// How many of them are kept free for the reserved lane; 0 to less than `capacity`.
        package var reserve: Int
        /// The field for the sequence number.
        package var sequenceField: String
        /// The socket whose absence means that there is no journal. The library always sends to
        /// `/run/systemd/journal/socket`.
        package var socketPath: String
        /// How long to wait before an unreachable journal is tried again, in milliseconds: at first and at most. It
        /// doubles in between.
        package var retryMilliseconds: ClosedRange<Int>

        package init(
            capacity: Int = 1 << 20,
            reserve: Int = 128 << 10,
            sequenceField: String = "MCP_SEQ",
            socketPath: String = "/run/systemd/journal/socket",
            retryMilliseconds: ClosedRange<Int> = 100...2000
        ) {
            self.capacity = capacity
            self.reserve = reserve
            self.sequenceField = sequenceField
            self.socketPath = socketPath
            self.retryMilliseconds = retryMilliseconds
        }
    }
}

/// The journal's writer could not be set up.
package enum JournalWriterError: Error, Equatable, CustomStringConvertible {
    case sequenceField(InvalidJournalFieldName)
    case thread(WorkerThreadError)

    package var description: String {
        switch self {
        case .sequenceField(let error): error.description
        case .thread(let error): error.description
        }
    }
}
