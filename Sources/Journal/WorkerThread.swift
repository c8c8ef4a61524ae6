// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A thread could not be started.
package struct WorkerThreadError: Error, Equatable, CustomStringConvertible {
    /// What it was for.
    package let purpose: String
    /// What `pthread_create` returned; EAGAIN when a limit of threads or memory is reached.
    package let errno: Int32

    package var description: String {
        "can't start the thread for the \(purpose) (error \(errno)); look at the limits of tasks and of memory"
    }
}

/// Threads for work that may block, which neither the event loop nor the pool of tasks may do.
package enum WorkerThread {
    /// Runs `body` on a new detached thread, which ends with it.
    ///
    /// The thread takes no signals: those of the process are the event loop's.
    ///
    /// - Parameter purpose: what it is for, as the end of "the thread for the"; errors name it.
    package static func start(for purpose: String, _ body: @escaping @Sendable () -> Void) throws(WorkerThreadError) {
        var thread = pthread_t()
        let work = Unmanaged.passRetained(Work(body))
        // A thread inherits the mask, so there is no moment in which it could be chosen for a signal.
        var all = sigset_t()
        var previous = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &previous)
        let result = pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body()
                return nil
            },
            work.toOpaque()
        )
        pthread_sigmask(SIG_SETMASK, &previous, nil)
        guard result == 0 else {
            work.release()
            throw WorkerThreadError(purpose: purpose, errno: result)
        }
        pthread_detach(thread)
    }

    /// What a new thread is given, as one pointer.
    private final class Work: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
