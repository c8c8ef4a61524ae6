// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import NIOCore

/// A listener could not be bound. Its description is one sentence that says what and how to mend it.
package struct BindError: Error, Equatable, CustomStringConvertible {
    /// What stands in the way.
    package enum Cause: Equatable, Sendable {
        /// Something else listens there.
        case addressInUse
        /// A port below 1024 or a directory that is not the user's.
        case permissionDenied
        /// The name does not resolve, or the address is not one of this machine.
        case badAddress
        /// The path of a Unix socket names something that is not a socket, or its directory does not exist.
        case badPath
        /// Anything else, with the system's error number (0 when there is none).
        case system(Int32)
    }

    /// The address as configured.
    package let address: ListenAddress
    package let cause: Cause

    init(address: ListenAddress, cause: Cause) {
        self.address = address
        self.cause = cause
    }

    /// Reads the cause from what SwiftNIO reports.
    init(address: ListenAddress, error: any Error) {
        let number: Int32? =
            switch error {
            case let error as IOError: error.errnoCode
            case is SocketAddressError, is SocketAddressError.UnknownHost: nil
            default: 0
            }
        let cause: Cause =
            switch (number, address) {
            case (EADDRINUSE, _): .addressInUse
            case (EACCES, _), (EPERM, _): .permissionDenied
            case (nil, .tcp), (EADDRNOTAVAIL, _), (EAFNOSUPPORT, .tcp): .badAddress
            case (nil, .unix), (ENOENT, .unix), (ENOTDIR, .unix): .badPath
            case (let number?, _): .system(number)
            }
        self.init(address: address, cause: cause)
    }

    package var description: String {
        switch self.cause {
        case .addressInUse:
            "cannot listen on \(self.address): something else already does; stop it or choose another address"
        case .permissionDenied:
            "cannot listen on \(self.address): permission denied; choose a port from 1024 on, or a directory of yours"
        case .badAddress:
            "cannot listen on \(self.address): not an address of this machine; use 127.0.0.1, 0.0.0.0 or one of its own"
        case .badPath:
            "cannot listen on \(self.address): the path is too long, its directory is missing, or it is not a socket"
        case .system(let number):
            "cannot listen on \(self.address): \(number == 0 ? "unknown error" : String(cString: strerror(number)))"
        }
    }
}
