// SPDX-License-Identifier: Apache-2.0

import Bridge
import Glibc

/// Raises the soft limit of open files to what the configuration can need, as far as the hard limit allows.
///
/// The usual soft limit of 1024 is there for programs that use `select`; every connection is a descriptor, and so are
/// three pipes for each child.
///
/// - Returns: A warning for the operator when even the hard limit is too low.
func raiseFileDescriptorLimit(for configuration: Configuration) -> String? {
    let children = configuration.isolation.children(sessions: configuration.maxSessions)
    let needed = rlim_t(configuration.maxConnections * 2 + children * 4 + 64)
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < needed else {
        return nil
    }
    limit.rlim_cur = min(needed, limit.rlim_max)
    guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur >= needed else {
        return "only \(limit.rlim_cur) files may be open, \(needed) can be needed; "
            + "raise LimitNOFILE= or lower --max-connections"
    }
    return nil
}
