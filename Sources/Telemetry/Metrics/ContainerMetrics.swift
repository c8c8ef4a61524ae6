// SPDX-License-Identifier: Apache-2.0

internal import Events
internal import NIOCore
internal import Prometheus

/// What is counted of containers, their images and their engine. Loop-confined.
///
/// Of a proxy whose command runs no container there is nothing to be seen but counters that stay at 0.
struct ContainerMetrics {
    private let info: InfoFamily
    private let engineUp: GaugeFamily
    private let orphans: GaugeFamily
    private let removed: Counter
    private let pulls: CounterFamily
    private let pullDuration: HistogramFamily

    init(_ registry: Registry) throws(RegistrationError) {
        info = try registry.info(.containerInfo)
        engineUp = try registry.gauge(.engineUp)
        orphans = try registry.gauge(.orphanContainers)
        removed = try registry.counter(.containersRemoved).with()
        pulls = try registry.counter(.imagePulls)
        pullDuration = try registry.histogram(.imagePullDuration)
    }

    func started(_ container: Event.ContainerStarted) {
        info.set([container.image, container.imageID, container.digest].map { $0.sanitised(cap: TextCap.label) })
    }

    func pulled(in duration: TimeAmount, failed: Bool) {
        pulls.with(failed ? "failed" : "ok").addOwned()
        if !failed { pullDuration.with().observeOwned(duration.raw) }
    }

    func removed(_ count: Int) { removed.addOwned(count) }

    func refresh(_ engine: Readings.Engine?) {
        guard let engine else { return }
        engineUp.with().set(engine.isUp ? 1 : 0)
        orphans.with().set(engine.orphans)
    }
}
