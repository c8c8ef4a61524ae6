// SPDX-License-Identifier: Apache-2.0

import Fleet
import Glibc

/// Reads and writes the files of a fleet below a root directory.
struct FleetDisk {
    /// Empty for the machine itself.
    let root: String

    /// The text of a file; nil if there is none.
    func read(_ path: String) throws(ConfigurationError) -> String? {
        do throws(FileError) {
            return try readFile(root + path)
        } catch .missing {
            return nil
        } catch {
            throw failure("read", path, error.reason)
        }
    }

    func exists(_ path: String) -> Bool { path.isEmpty && root.isEmpty || access(root + path, F_OK) == 0 }

    /// Writes and removes what a plan says, and last the manifest: what is interrupted can be done again.
    func carryOut(_ plan: Plan) throws(ConfigurationError) {
        for step in plan.changes {
            guard let wanted = step.wanted else {
                guard unlink(root + step.path) == 0 else { throw failure("remove", step.path, systemError()) }
                continue
            }
            if step.replacesForeign, let present = step.present {
                try write("\(step.path).old", present, mode: 0o600)
            }
            try write(wanted.path, wanted.text, mode: wanted.mode)
        }
        try write(FleetPaths.manifest, plan.manifest.text, mode: 0o600)
    }

    func write(_ key: RenderedKey) throws(ConfigurationError) {
        try write(FleetPaths.key(key.server), key.key + "\n", mode: 0o600, directoryMode: 0o700)
    }

    /// Where people put the values of secrets.
    func makeSecretDirectories(of fleet: Fleet) throws(ConfigurationError) {
        for server in fleet.servers {
            guard let secret = server.secrets.first else { continue }
            try makeDirectory(parent(FleetPaths.secret(secret, of: server.name)), mode: 0o700)
        }
    }

    /// Writes a file beside its place and moves it there, so that nobody ever reads half of it.
    private func write(
        _ path: String,
        _ text: String,
        mode: UInt32,
        directoryMode: UInt32 = 0o755
    ) throws(ConfigurationError) {
        try makeDirectory(parent(path), mode: directoryMode)
        let draft = "\(root)\(path).new"
        unlink(draft)
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure("write", path, systemError()) }
        var rest = Array(text.utf8)[...]
        var isWritten = true
        while !rest.isEmpty, isWritten {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            isWritten = count > 0
            if isWritten { rest = rest.dropFirst(count) }
        }
        isWritten = isWritten && fchmod(descriptor, mode) == 0 && fsync(descriptor) == 0
        let reason = systemError()
        close(descriptor)
        guard isWritten, rename(draft, root + path) == 0 else {
            let why = isWritten ? systemError() : reason
            unlink(draft)
            throw failure("write", path, why)
        }
    }

    private func makeDirectory(_ path: String, mode: UInt32) throws(ConfigurationError) {
        guard !exists(path) else { return }
        if !path.isEmpty { try makeDirectory(parent(path), mode: 0o755) }
        guard mkdir(root + path, mode) == 0 || errno == EEXIST else { throw failure("make", path, systemError()) }
    }

    /// The directory a path lies in; empty for the root.
    private func parent(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }

    private func failure(_ verb: String, _ path: String, _ reason: String) -> ConfigurationError {
        ConfigurationError(
            .configuration,
            "cannot \(verb) \(root)\(path): \(reason)",
            "run it as root, or on another tree with --root DIR"
        )
    }
}
