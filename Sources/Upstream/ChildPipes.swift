// SPDX-License-Identifier: Apache-2.0

import Glibc
package import SystemPackage

/// The three pipes between the proxy and one process, before anything reads or writes them.
package struct ChildPipes: Sendable {
    /// One end of each pipe. Whoever holds the value owns the descriptors.
    package struct Ends: Sendable {
        package let stdin: FileDescriptor
        package let stdout: FileDescriptor
        package let stderr: FileDescriptor

        /// Closes all three. Not to be called twice.
        package func close() {
            for descriptor in [stdin, stdout, stderr] {
                // Nothing is buffered in a pipe's descriptor, so an error of close(2) loses nothing.
                try? descriptor.close()
            }
        }
    }

    /// What the proxy writes to and reads from.
    package let parent: Ends
    /// What becomes 0, 1 and 2 of the process.
    package let child: Ends

    /// Makes the pipes.
    ///
    /// - Throws: `Errno`, for instance `.tooManyOpenFiles`; nothing stays open then.
    package init() throws(Errno) {
        var made: [FileDescriptor] = []
        do {
            for _ in 0..<3 {
                let pipe = try FileDescriptor.pipe()
                made += [pipe.readEnd, pipe.writeEnd]
            }
        } catch {
            made.forEach { try? $0.close() }
            throw error as? Errno ?? .ioError
        }
        for descriptor in made {
            _ = fcntl(descriptor.rawValue, F_SETFD, FD_CLOEXEC)
        }
        parent = Ends(stdin: made[1], stdout: made[2], stderr: made[4])
        child = Ends(stdin: made[0], stdout: made[3], stderr: made[5])
        enlarge(parent.stdin)
        enlarge(parent.stdout)
    }
}

/// Fewer, larger reads and writes for large messages. Refused when the user's pipes are at the limit of
/// `pipe-user-pages-soft`; the 64 KiB every pipe starts with work as well, only slower.
private func enlarge(_ descriptor: FileDescriptor) {
    // Linux only, and not in Glibc's module without _GNU_SOURCE: <linux/fcntl.h>, F_LINUX_SPECIFIC_BASE + 7.
    let setPipeSize: Int32 = 1031
    _ = fcntl(descriptor.rawValue, setPipeSize, 1 << 20)
}
