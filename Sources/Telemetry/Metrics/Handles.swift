// SPDX-License-Identifier: Apache-2.0

/// Series by a packed key, made on first use. What was asked for last is found without hashing: one caller tends to
/// call one tool again and again.
struct Handles<Handle> {
    private var handles: [Int: Handle] = [:]
    private var last: (key: Int, handle: Handle)?

    mutating func handle(_ key: Int, _ make: () -> Handle) -> Handle {
        if let last, last.key == key { return last.handle }
        let handle = handles[key] ?? make()
        handles[key] = handle
        last = (key, handle)
        return handle
    }
}
