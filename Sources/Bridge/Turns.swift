// SPDX-License-Identifier: Apache-2.0

/// Whose request is it? A request of the child names no call it belongs to, so it may go to a session only when it
/// can belong to no other.
///
/// Counts the calls that may ask something, per session, until the child answers them or dies, whatever their
/// clients were told meanwhile. Once the child was seen to ask while calls of several sessions ran, its calls take
/// turns: those of one session run together, those of another wait.
struct Turns: Equatable {
    enum Owner: Equatable {
        case session(SessionKey)
        /// No call runs that could have asked.
        case nobody
        /// Calls of several sessions run.
        case ambiguous
    }

    /// Calls of one session that the child has not answered.
    private struct Running: Equatable {
        /// Hold the turn.
        var holding = 0
        /// Were cancelled so long ago that they no longer hold up others, but may still ask.
        var lingering = 0
    }

    private var running: [SessionKey: Running] = [:]
    /// Whether calls of different sessions wait for each other.
    private(set) var areTaken = false

    /// The session a request of the child belongs to.
    var owner: Owner {
        guard let first = running.first else { return .nobody }
        return running.count == 1 ? .session(first.key) : .ambiguous
    }

    /// Those whose calls hold up the calls of others.
    var holders: [SessionKey] { areTaken ? running.filter { $0.value.holding > 0 }.map(\.key) : [] }

    /// Whether no call holds up others.
    var isIdle: Bool { running.values.allSatisfy { $0.holding == 0 } }

    mutating func takeTurns() { areTaken = true }

    /// Whether a call of `session` may go to the child now.
    ///
    /// - Parameters:
    ///   - isAnswering: The session is being asked something: the calls it makes to find its answer must pass, or
    ///     it could never answer.
    ///   - othersWait: Another session waits for its turn, so a busy one must let go when it can.
    func mayStart(_ session: SessionKey, isAnswering: Bool, othersWait: Bool) -> Bool {
        guard areTaken else { return true }
        var holds = false
        for (other, calls) in running where calls.holding > 0 {
            guard other == session else { return false }
            holds = true
        }
        return !holds || isAnswering || !othersWait
    }

    mutating func started(_ session: SessionKey) { running[session, default: Running()].holding += 1 }

    mutating func finished(_ session: SessionKey, wasLingering: Bool) {
        guard var calls = running[session] else { return }
        if wasLingering { calls.lingering -= 1 } else { calls.holding -= 1 }
        running[session] = calls.holding + calls.lingering > 0 ? calls : nil
    }

    /// A cancelled call lets go of the turn; it still counts as one that may ask.
    mutating func lingers(_ session: SessionKey) {
        guard running[session] != nil else { return }
        running[session]?.holding -= 1
        running[session]?.lingering += 1
    }

    /// The child died: nothing runs any more. That it takes turns is remembered.
    mutating func childDied() { running.removeAll(keepingCapacity: true) }
}
