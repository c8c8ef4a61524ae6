// SPDX-License-Identifier: Apache-2.0

import Glibc
import Journal
import Testing

@Suite struct ThreadTests {
    @Test func aWorkerTakesNoSignals() throws {
        let blocked = try OnThread {
            var mask = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &mask)
            return [SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE].allSatisfy { sigismember(&mask, $0) == 1 }
        }
        #expect(try blocked.value())
    }

    @Test func theStarterKeepsItsMask() throws {
        // On a thread whose mask nobody else changes.
        let isOpen = try OnThread {
            var none = sigset_t()
            sigemptyset(&none)
            pthread_sigmask(SIG_SETMASK, &none, nil)
            try OnThread {}.value()
            var after = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &after)
            return [SIGTERM, SIGUSR1].allSatisfy { sigismember(&after, $0) == 0 }
        }
        #expect(try isOpen.value())
    }

    @Test func aSemaphoreCounts() {
        let semaphore = Semaphore()
        #expect(!semaphore.wait(milliseconds: 0))
        semaphore.post()
        semaphore.post()
        semaphore.wait()
        #expect(semaphore.wait(milliseconds: 10_000))
        #expect(!semaphore.wait(milliseconds: 1))
    }
}
