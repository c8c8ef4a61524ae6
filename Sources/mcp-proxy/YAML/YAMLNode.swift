// SPDX-License-Identifier: Apache-2.0

/// A value of a YAML text, with where it stands.
struct YAMLNode: Equatable {
    enum Content: Equatable {
        /// A text, or nothing, which is an empty one. `isQuoted` if it is text even where it looks like a number or
        /// `null`: it stands in quotes, or as a block after `|` or `>`.
        case scalar(String, isQuoted: Bool)
        case sequence([YAMLNode])
        /// In the order of the text, with no key twice.
        case mapping([Member])
    }

    struct Member: Equatable {
        var key: String
        /// Where the key stands.
        var line: Int
        var value: YAMLNode
    }

    var content: Content
    /// The line on which it begins, the first being 1.
    var line: Int

    /// The text of a scalar, else nil.
    var text: String? {
        guard case .scalar(let text, _) = content else { return nil }
        return text
    }
}

/// Why a text cannot be read. The wording never quotes the text, which may hold secrets; only a key that stands there
/// twice is named.
struct YAMLError: Error, Equatable {
    /// The first line is 1.
    var line: Int
    var problem: String
    /// How to mend it, in the imperative.
    var remedy: String

    /// The text breaks the grammar of YAML.
    static func syntax(_ line: Int, _ problem: String) -> YAMLError {
        YAMLError(line: line, problem: "not valid YAML (\(problem))", remedy: "mend the line")
    }

    /// The text uses a part of YAML that is left out here.
    static func unsupported(_ line: Int, _ features: String) -> YAMLError {
        YAMLError(
            line: line,
            problem: "\(features) are not supported in configuration files",
            remedy: "write the values plainly, or in quotes"
        )
    }
}
