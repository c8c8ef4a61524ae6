// SPDX-License-Identifier: Apache-2.0

import Events
import NIOCore
import SeededRandom
import Testing
import Upstream

@Suite struct RestartPolicyTests {
    @Test func healthyRunComesStraightBack() {
        var policy = RestartPolicy(generator: SeededGenerator(seed: 1))
        for _ in 0..<100 {
            let (kind, delay, attempt) = parts(policy.ended(readyFor: .milliseconds(500)))
            #expect(kind == "restart")
            #expect((0...10).contains(delay))
            #expect(attempt == 1)
        }
    }

    @Test func unhealthyRunsBackOff() {
        var policy = RestartPolicy(generator: SeededGenerator(seed: 2))
        let nominal = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]
        for (index, milliseconds) in nominal.enumerated() {
            let (kind, delay, attempt) = parts(
                policy.ended(readyFor: index.isMultiple(of: 2) ? nil : .milliseconds(499))
            )
            #expect(kind == (index < 4 ? "restart" : "crashLoop"))
            #expect((milliseconds * 8 / 10...milliseconds * 12 / 10).contains(delay))
            #expect(attempt == index + 2)
        }
    }

    @Test func manyFailuresDoNotOverflow() {
        var policy = RestartPolicy(generator: SeededGenerator(seed: 3))
        for _ in 0..<200 { _ = policy.ended(readyFor: nil) }
        #expect((24_000...36_000).contains(parts(policy.ended(readyFor: nil)).delay))
    }

    @Test func healthyRunAndFreshStartForgetFailures() {
        var policy = RestartPolicy(generator: SeededGenerator(seed: 4))
        for _ in 0..<7 { _ = policy.ended(readyFor: nil) }
        #expect(parts(policy.ended(readyFor: .seconds(1))).attempt == 1)
        #expect(parts(policy.ended(readyFor: nil)).attempt == 2)
        policy.reset()
        #expect(parts(policy.ended(readyFor: nil)).attempt == 2)
    }

    @Test func delaysFollowTheSeed() {
        func delays(seed: UInt64) -> [RestartPlan] {
            var policy = RestartPolicy(generator: SeededGenerator(seed: seed))
            return (0..<10).map { _ in policy.ended(readyFor: nil) }
        }
        #expect(delays(seed: 5) == delays(seed: 5))
        #expect(delays(seed: 5) != delays(seed: 6))
    }

    private func parts(_ plan: RestartPlan) -> (kind: String, delay: Int, attempt: Int) {
        switch plan {
        case .restart(let delay, let attempt): ("restart", delay, attempt)
        case .crashLoop(let delay, let attempt): ("crashLoop", delay, attempt)
        case .none: ("none", -1, -1)
        }
    }
}
