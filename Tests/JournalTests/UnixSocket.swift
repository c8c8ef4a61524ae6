// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

/// A Unix socket bound to a name, as `NOTIFY_SOCKET` would give it; closed and removed with the object.
final class UnixSocket {
    let name: String
    let descriptor: Int32

    /// - Parameter isAbstract: whether the name has no file.
    init(_ type: __socket_type = SOCK_DGRAM, isAbstract: Bool = false) throws {
        var template = Array("/tmp/journal-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        name = isAbstract ? "@" + directory.dropFirst() : directory + "/socket"
        descriptor = socket(AF_UNIX, Int32(type.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(isAbstract ? "\0" + name.dropFirst() : name).map { $0.utf8 }.joined()
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = try #require(MemoryLayout.offset(of: \sockaddr_un.sun_path)) + bytes.count
        let result = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(length)) }
        }
        if isAbstract { rmdir(directory) }
        try #require(result == 0)
    }

    deinit {
        close(descriptor)
        guard !name.hasPrefix("@") else { return }
        unlink(name)
        rmdir(String(name.dropLast("/socket".count)))
    }

    /// One datagram that has already arrived.
    func receive() -> String? {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
    }
}
