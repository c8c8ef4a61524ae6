// SPDX-License-Identifier: Apache-2.0

/// A file that a fleet consists of.
package struct RenderedFile: Sendable, Equatable {
    /// Absolute.
    package var path: String
    /// The permission bits.
    package var mode: UInt32
    package var text: String
    /// Whether it holds a key, so that no difference is ever shown.
    package var isSecret: Bool

    init(_ path: String, mode: UInt32 = 0o644, isSecret: Bool = false, _ text: String) {
        self.path = path
        self.mode = mode
        self.text = text
        self.isSecret = isSecret
    }
}

/// What was written before, and what it was: the lines of `sha256sum`, so that `sha256sum -c` checks them too.
package struct Manifest: Sendable, Equatable {
    /// The digests by path.
    package var digests: [String: String] = [:]

    package init() {}

    /// Lines that are none of its own are left out: what they stood for counts as somebody else's file.
    package init(_ text: String) {
        for line in text.split(separator: "\n") {
            let (digest, path) = (line.prefix(64), line.dropFirst(66))
            if digest.utf8.count == 64, path.hasPrefix("/") { digests[String(path)] = String(digest) }
        }
    }

    package var text: String {
        digests.sorted { $0.key < $1.key }.map { "\($0.value)  \($0.key)\n" }.joined()
    }
}

/// What is to be done with the files of a fleet. What somebody else wrote, or edited, is left alone.
package struct Plan: Sendable, Equatable {
    package enum Action: Sendable, Hashable {
        case create
        case update
        /// It is as it should be.
        case leave
        /// It was ours and belongs to no server any more.
        case remove
        /// It is not what we wrote; it stays.
        case keepEdited
        /// We never wrote it; it stays.
        case keepForeign
    }

    package struct Step: Sendable, Equatable {
        package var path: String
        package var action: Action
        /// What is to stand there; nil for what is to go.
        package var wanted: RenderedFile?
        /// What stands there; nil for nothing.
        package var present: String?

        /// Whether what stands there is somebody else's work that an update takes away.
        package var replacesForeign = false

        package var isKept: Bool { action == .keepEdited || action == .keepForeign }
    }

    /// Sorted by path.
    package var steps: [Step] = []
    /// What the manifest says once it is done.
    package var manifest: Manifest

    /// - Parameters:
    ///   - overwrites: Whether files that were edited, or that we never wrote, are replaced too.
    ///   - read: The text of a file on disk, nil if there is none.
    package init(
        _ files: [RenderedFile],
        manifest: Manifest,
        overwrites: Bool,
        read: (String) throws -> String?
    ) rethrows {
        self.manifest = manifest
        let wanted = Dictionary(uniqueKeysWithValues: files.map { ($0.path, $0) })
        for path in Set(wanted.keys).union(manifest.digests.keys).sorted() {
            let present = try read(path)
            let step = Self.step(path, wanted[path], present, manifest.digests[path], overwrites)
            if let step { steps.append(step) }
            switch (step?.action, wanted[path]) {
            case (.create, let file?), (.update, let file?), (.leave, let file?):
                self.manifest.digests[path] = sha256(file.text)
            case (.keepEdited, _?): break
            default: self.manifest.digests[path] = nil
            }
        }
    }

    private static func step(
        _ path: String,
        _ wanted: RenderedFile?,
        _ present: String?,
        _ digest: String?,
        _ overwrites: Bool
    ) -> Step? {
        let action: Action
        let isOurs = present.map { sha256($0) == digest } ?? false
        switch (wanted, present) {
        case (nil, nil): return nil
        case (_?, nil): action = .create
        case (let wanted?, let present?) where wanted.text == present: action = .leave
        case (_?, _?): action = isOurs || overwrites ? .update : digest == nil ? .keepForeign : .keepEdited
        case (nil, _?): action = isOurs ? .remove : .keepEdited
        }
        return Step(
            path: path,
            action: action,
            wanted: wanted,
            present: present,
            replacesForeign: action == .update && !isOurs
        )
    }

    package var kept: [Step] { steps.filter(\.isKept) }
    package var changes: [Step] { steps.filter { !$0.isKept && $0.action != .leave } }
}
