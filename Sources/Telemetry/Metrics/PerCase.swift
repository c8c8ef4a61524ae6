// SPDX-License-Identifier: Apache-2.0

/// One value for each case of an enumeration, found without hashing: the standard hash of an enumeration with raw
/// strings is that of the string.
struct PerCase<Key: CaseIterable, Value> {
    /// By the byte that stands for a case in memory. Those that stand for none repeat the first.
    private var values: [Value]

    /// - Parameter Key: without payload, so that one byte tells its cases apart.
    init(_ make: (Key) -> Value) {
        values = []
        for key in Key.allCases {
            let value = make(key)
            let place = byte(of: key)
            while values.count <= place { values.append(value) }
            values[place] = value
        }
    }

    subscript(key: Key) -> Value { values[byte(of: key)] }
}

extension PerCase: Sendable where Value: Sendable {}

/// The byte that stands in memory for a case of an enumeration without payload.
@inline(__always)
func byte(of key: some CaseIterable) -> Int {
    withUnsafeBytes(of: key) { Int($0[0]) }
}
