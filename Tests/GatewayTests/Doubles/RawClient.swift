// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore

/// A client that says exactly what it is told, through a blocking socket. Every wait ends after ten seconds.
final class RawClient {
    struct Failed: Error { let what: String }

    private let descriptor: Int32
    private var isClosed = false

    init(port: Int, receiveBuffer: Int32? = nil) throws {
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var size = receiveBuffer {
            setsockopt(self.descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        let result = try SocketAddress(ipAddress: "127.0.0.1", port: port).withSockAddr {
            connect(self.descriptor, $0, socklen_t($1))
        }
        guard result == 0 else { throw Failed(what: "connect: \(errno)") }
        self.limitWaits()
    }

    init(path: String) throws {
        self.descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let result = try SocketAddress(unixDomainSocketPath: path).withSockAddr {
            connect(self.descriptor, $0, socklen_t($1))
        }
        guard result == 0 else { throw Failed(what: "connect: \(errno)") }
        self.limitWaits()
    }

    deinit { self.close() }

    private func limitWaits() {
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(self.descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// How many bytes of `sendWhatFits` could not be sent yet.
    var unsent: Int { self.rest.count }
    private var rest: ArraySlice<UInt8> = []

    /// Sends until the kernel's buffers are full and stay so.
    func sendWhatFits(_ text: String, times: Int) {
        self.rest = Array(String(repeating: text, count: times).utf8)[...]
        var room = pollfd(fd: self.descriptor, events: Int16(POLLOUT), revents: 0)
        while !self.rest.isEmpty, poll(&room, 1, 300) == 1 {
            let count = self.transmit(self.rest, flags: Int32(MSG_DONTWAIT))
            guard count > 0 else { break }
            self.rest = self.rest.dropFirst(count)
        }
    }

    /// Sends what did not fit; returns whether the server took it all.
    func sendRest() -> Bool {
        while !self.rest.isEmpty {
            let count = self.transmit(self.rest, flags: 0)
            guard count > 0 else { return false }
            self.rest = self.rest.dropFirst(count)
        }
        return true
    }

    private func transmit(_ bytes: ArraySlice<UInt8>, flags: Int32) -> Int {
        bytes.withUnsafeBytes {
            Glibc.send(self.descriptor, $0.baseAddress, $0.count, flags | Int32(MSG_NOSIGNAL))
        }
    }

    /// Sends everything; returns whether the server took it all.
    @discardableResult
    func send(_ text: String) -> Bool {
        self.rest = Array(text.utf8)[...]
        return self.sendRest()
    }

    /// Reads until the text ends so; throws when the connection ends first.
    func read(until end: String) throws -> String {
        var text: [UInt8] = []
        while !text.suffix(end.utf8.count).elementsEqual(end.utf8) {
            guard let byte = try self.receive(1).first else {
                throw Failed(what: "end after \(String(decoding: text, as: UTF8.self))")
            }
            text.append(byte)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads so many bytes.
    func skip(_ count: Int) throws {
        var left = count
        while left > 0 {
            let bytes = try self.receive(min(left, 65_536))
            guard !bytes.isEmpty else { throw Failed(what: "end with \(left) bytes to come") }
            left -= bytes.count
        }
    }

    /// Reads until the server closes.
    func readToEnd() throws -> String {
        var text: [UInt8] = []
        while case let bytes = try self.receive(65_536), !bytes.isEmpty { text += bytes }
        return String(decoding: text, as: UTF8.self)
    }

    /// Says that nothing more will come, and goes on listening.
    func finishSending() { shutdown(self.descriptor, Int32(SHUT_WR)) }

    func close() {
        guard !self.isClosed else { return }
        self.isClosed = true
        Glibc.close(self.descriptor)
    }

    /// Closes so that the other side sees a reset.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        self.close()
    }

    private func receive(_ count: Int) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        let received = recv(self.descriptor, &buffer, count, 0)
        guard received >= 0 else { throw Failed(what: "recv: \(String(cString: strerror(errno)))") }
        return Array(buffer[..<received])
    }
}
