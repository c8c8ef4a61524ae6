// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// A set of the names that were put in last; when it is full, a new one takes the place of the oldest.
struct RecentNames {
    /// Longer names are not remembered.
    static let maxLength = 1024

    private var names: Set<String> = []
    private var order = CircularBuffer<String>()
    private let capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    mutating func insert(_ name: String) {
        guard name.utf8.count <= Self.maxLength, names.insert(name).inserted else { return }
        order.append(name)
        if order.count > capacity, let oldest = order.popFirst() { names.remove(oldest) }
    }

    var isEmpty: Bool { names.isEmpty }

    func contains(_ name: String) -> Bool { names.contains(name) }

    /// Forgets a name; false when it was not known.
    mutating func remove(_ name: String) -> Bool {
        guard names.remove(name) != nil else { return false }
        order.removeAll { $0 == name }
        return true
    }

    mutating func removeAll() {
        guard !names.isEmpty else { return }
        names.removeAll()
        order.removeAll()
    }
}
