// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Whether what is written to a descriptor goes to the journal (systemd.exec(5), `$JOURNAL_STREAM`).
///
/// The variable alone does not tell: children inherit it even when their output is redirected.
///
/// - Parameters:
///   - variable: the value of `JOURNAL_STREAM`: device and inode of the stream, in decimal with a colon between.
///   - descriptor: of stderr, usually.
package func isConnectedToJournal(_ variable: String?, descriptor: Int32) -> Bool {
    guard let parts = variable?.split(separator: ":", omittingEmptySubsequences: false), parts.count == 2,
        let device = dev_t(parts[0]), let inode = ino_t(parts[1])
    else { return false }
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_dev == device && status.st_ino == inode
}
