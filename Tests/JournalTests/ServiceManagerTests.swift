// SPDX-License-Identifier: Apache-2.0

import Glibc
import Journal
import Testing

@Suite struct ServiceManagerTests {
    @Test(arguments: [false, true])
    func notifies(isAbstract: Bool) throws {
        let socket = try UnixSocket(isAbstract: isAbstract)
        let manager = try #require(ServiceManager(environment: socket.name))
        #expect(manager.notify("READY=1\nSTATUS=ready; é"))
        #expect(socket.receive() == "READY=1\nSTATUS=ready; é")
        #expect(manager.notify("STOPPING=1"))
        #expect(socket.receive() == "STOPPING=1")
    }

    @Test func takesAddressesOfSystemdOnly() {
        #expect(ServiceManager(environment: "/run/systemd/notify") != nil)
        #expect(ServiceManager(environment: "@notify") != nil)
        for name in [nil, "", "/", "@", "notify", "./notify", "vsock:2:1234", "/a\0b"] {
            #expect(ServiceManager(environment: name) == nil)
        }
        // sun_path holds 108 bytes; a path needs one for its end.
        #expect(ServiceManager(environment: "/" + String(repeating: "x", count: 106)) != nil)
        #expect(ServiceManager(environment: "/" + String(repeating: "x", count: 107)) == nil)
        #expect(ServiceManager(environment: "@" + String(repeating: "x", count: 107)) != nil)
        #expect(ServiceManager(environment: "@" + String(repeating: "x", count: 108)) == nil)
    }

    @Test func saysSoWhenNobodyListens() throws {
        let manager = try #require(ServiceManager(environment: "/nowhere/notify"))
        #expect(!manager.notify("READY=1"))
    }

    @Test func doesNotWaitForASlowReceiver() throws {
        let socket = try UnixSocket()
        let manager = try #require(ServiceManager(environment: socket.name))
        var sent = 0
        while sent < 100_000 && manager.notify("STATUS=x") { sent += 1 }
        #expect(sent > 0 && sent < 100_000)
    }

    @Test func readsTheWatchdog() {
        func interval(_ usec: String?, _ pid: String?) -> Int? {
            ServiceManager.watchdogInterval(usec: usec, pid: pid, ownPID: 42)
        }
        #expect(interval("30000000", "42") == 30_000_000)
        #expect(interval("30000000", nil) == 30_000_000)
        #expect(interval("30000000", "43") == nil)
        #expect(interval("30000000", "x") == nil)
        for usec in [nil, "", "0", "-5", "30s", "18446744073709551615"] { #expect(interval(usec, "42") == nil) }
    }

    @Test func knowsWhetherStderrIsAJournalStream() throws {
        let socket = try UnixSocket()
        var status = stat()
        try #require(fstat(socket.descriptor, &status) == 0)
        let variable = "\(status.st_dev):\(status.st_ino)"
        #expect(isConnectedToJournal(variable, descriptor: socket.descriptor))
        // Inherited, but redirected since.
        #expect(!isConnectedToJournal("\(status.st_dev):\(status.st_ino + 1)", descriptor: socket.descriptor))
        #expect(!isConnectedToJournal("\(status.st_dev + 1):\(status.st_ino)", descriptor: socket.descriptor))
        for other in [nil, "", ":", "8", variable + ":1", "x:y"] {
            #expect(!isConnectedToJournal(other, descriptor: socket.descriptor))
        }
        #expect(!isConnectedToJournal(variable, descriptor: -1))
    }
}
