// SPDX-License-Identifier: Apache-2.0

import Events
import Synchronization

/// What the starts of one child have to tell each other when it runs in containers: the preparation under way, which a
/// stop gives up, and the removal of the last container, which the next start waits for, since both may want the same
/// port, volume or name.
final class ContainerSlot: Sendable {
    typealias Preparation = Task<Result<ContainerKeeper.Prepared, ContainerFault>, Never>

    private struct State {
        /// The start that is being prepared.
        var generation = 0
        var preparation: Preparation?
        /// The newest start that is not wanted any more.
        var abandoned = 0
        var removal: Task<Void, Never>?
    }

    private let state = Mutex(State())

    /// Prepares a start, as soon as the last container is gone; cancelled with the task that waits for it.
    func prepare(
        generation: Int,
        _ work: @escaping @Sendable () async -> Result<ContainerKeeper.Prepared, ContainerFault>
    ) async -> Result<ContainerKeeper.Prepared, ContainerFault> {
        let removal = state.withLock { $0.removal }
        let preparation = Preparation {
            await removal?.value
            return await work()
        }
        state.withLock { state in
            state.generation = generation
            state.preparation = preparation
            if state.abandoned >= generation { preparation.cancel() }
        }
        defer { state.withLock { $0.preparation = nil } }
        let result = await withTaskCancellationHandler {
            await preparation.value
        } onCancel: {
            preparation.cancel()
        }
        guard state.withLock({ $0.abandoned >= generation }) else { return result }
        return .failure(ContainerFault(reason: .stopped, detail: "its start was given up"))
    }

    /// Gives up the start of this number, if it is still being prepared, or when it comes to that.
    func abandon(generation: Int) {
        state.withLock { state in
            state.abandoned = generation
            if state.generation == generation { state.preparation?.cancel() }
        }
    }

    /// Removes the last container, to the end even when the caller is cancelled.
    func release(_ work: @escaping @Sendable () async -> Void) async {
        let removal = Task { await work() }
        state.withLock { $0.removal = removal }
        await removal.value
    }
}
