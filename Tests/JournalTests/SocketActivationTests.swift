// SPDX-License-Identifier: Apache-2.0

import Glibc
import Journal
import Testing

@Suite struct SocketActivationTests {
    private func announced(_ fds: String?, _ pid: String?, _ names: String?) throws -> [String] {
        try ServiceManager.announcedSockets(fds: fds, pid: pid, names: names, ownPID: 42).get()
            .map { "\($0.name) \($0.descriptor)" }
    }

    @Test func givesNamesToDescriptors() throws {
        #expect(try announced("2", "42", "mcp:metrics") == ["mcp 3", "metrics 4"])
        #expect(try announced("2", "42", ":x") == [" 3", "x 4"])
        #expect(try announced("2", "42", nil) == ["unknown 3", "unknown 4"])
    }

    @Test func thereMayBeNone() throws {
        #expect(try announced(nil, nil, nil) == [])
        #expect(try announced("2", nil, nil) == [])
        #expect(try announced(nil, "42", nil) == [])
        #expect(try announced("0", "42", "") == [])
        #expect(try announced("2", "43", "only-one") == [], "meant for another process")
    }

    @Test func nonsenseIsNamed() {
        func error(_ fds: String, _ pid: String, _ names: String?) -> SocketActivationError? {
            #expect(throws: SocketActivationError.self) { try announced(fds, pid, names) }
        }
        for pid in ["", "x", "-1", "0"] {
            #expect(error("1", pid, nil) == .malformed(variable: "LISTEN_PID", value: pid))
        }
        for fds in ["", "x", "-1", "99999999999999999999", "2147483647"] {
            #expect(error(fds, "42", nil) == .malformed(variable: "LISTEN_FDS", value: fds))
        }
        #expect(error("2", "42", "mcp") == .names(count: 1, sockets: 2))
        #expect(error("1", "42", "mcp:metrics") == .names(count: 2, sockets: 1))
    }

    @Test func takesAListeningSocketOnly() throws {
        let stream = try UnixSocket(SOCK_STREAM)
        #expect(!ServiceManager.adopt(stream.descriptor), "does not listen")
        try #require(listen(stream.descriptor, 1) == 0)
        #expect(fcntl(stream.descriptor, F_GETFD) & FD_CLOEXEC == 0)
        #expect(ServiceManager.adopt(stream.descriptor))
        #expect(fcntl(stream.descriptor, F_GETFD) & FD_CLOEXEC != 0)
        #expect(!ServiceManager.adopt(try UnixSocket(SOCK_DGRAM).descriptor))
        let packets = try UnixSocket(SOCK_SEQPACKET)
        try #require(listen(packets.descriptor, 1) == 0)
        #expect(!ServiceManager.adopt(packets.descriptor))
        #expect(!ServiceManager.adopt(-1))
    }

    @Test func namesTheSocketThatCannotBeUsed() {
        // So many descriptors are not open.
        let result = ServiceManager.inheritedSockets(fds: "100000", pid: "42", names: nil, ownPID: 42)
        #expect(throws: SocketActivationError.self) { try result.get() }
    }
}
