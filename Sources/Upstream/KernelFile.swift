// SPDX-License-Identifier: Apache-2.0

import SystemPackage

/// The text of a pseudo-file of the kernel; nil when it can't be read.
func contents(of path: String) -> String? {
    guard let file = try? FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec) else { return nil }
    defer { try? file.close() }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 16 << 10)
    while true {
        guard let count = try? part.withUnsafeMutableBytes({ try file.read(into: $0) }) else { return nil }
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += part[..<count]
    }
}
