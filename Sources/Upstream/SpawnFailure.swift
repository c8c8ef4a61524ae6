// SPDX-License-Identifier: Apache-2.0

import Glibc
import Subprocess
import SystemPackage

extension Command {
    /// Says in one clause why this command could not be started, and how to mend it.
    ///
    /// Names the program and the working directory only, never arguments or environment. Looks at the file system, so
    /// it is not for the event loop.
    package func explain(_ error: any Error) -> String {
        guard let error = error as? SubprocessError else {
            return "'\(program)' could not be started"
        }
        switch error.code {
        case .failedToChangeWorkingDirectory:
            let cause = error.underlyingError.map { ": \($0)" } ?? ""
            return
                "the working directory '\(workingDirectory ?? "")' can't be entered\(cause); create it or name another"
        case .executableNotFound:
            return program.contains("/") ? explainPath(program) : explainName()
        default:
            return explain(errno: error.underlyingError)
        }
    }

    private func explain(errno: Errno?) -> String {
        switch errno {
        case Errno.execFormatError:
            "'\(program)' is not a program this machine can run; a script needs a first line like '#!/bin/sh', "
                + "a binary must be built for this processor"
        case Errno.argListTooLong:
            "the arguments and environment of '\(program)' are too long for the operating system; shorten them"
        case Errno.resourceTemporarilyUnavailable, Errno.noMemory:
            "the operating system has no process or memory left for '\(program)'; raise TasksMax or MemoryMax"
        case Errno.tooManyOpenFiles, Errno.tooManyOpenFilesInSystem:
            "too many open files to start '\(program)'; raise LimitNOFILE"
        case .some(let other):
            "'\(program)' could not be started: \(other)"
        case nil:
            "'\(program)' could not be started: its name, an argument or a variable is malformed"
        }
    }

    private func explainName() -> String {
        let path = environment["PATH"] ?? getenv("PATH").map { String(cString: $0) } ?? ""
        for directory in path.split(separator: ":") {
            let candidate = "\(directory)/\(program)"
            if access(candidate, F_OK) == 0, !isDirectory(candidate) { return explainPath(candidate) }
        }
        return "command not found: '\(program)' is not on PATH; install it or give its full path"
    }

    private func explainPath(_ path: String) -> String {
        if access(path, F_OK) != 0 {
            return "command not found: '\(path)' does not exist; install it or correct the path"
        }
        if isDirectory(path) {
            return "'\(path)' is a directory, not a program; correct the path"
        }
        if access(path, X_OK) != 0 {
            return "'\(path)' is not executable; mend it with chmod +x"
        }
        return "'\(path)' can't be run: the interpreter named in its first line, or its loader, does not exist"
    }
}

private func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}
