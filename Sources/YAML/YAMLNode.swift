// SPDX-License-Identifier: Apache-2.0

/// Where something stands in a text; the first line and the first column are 1.
package struct YAMLPlace: Sendable, Equatable {
    package var line: Int
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }
}

/// A value of a YAML text, with where it stands.
package struct YAMLNode: Sendable, Equatable {
    package enum Content: Sendable, Equatable {
        /// A text, or nothing, which is an empty one. `isQuoted` if it is text even where it looks like a number or
        /// `null`: it stands in quotes, or as a block after `|` or `>`.
        case scalar(String, isQuoted: Bool)
        case sequence([YAMLNode])
        /// In the order of the text, with no key twice.
        case mapping([Member])
    }

    package struct Member: Sendable, Equatable {
        package var key: String
        /// Where the key stands.
        package var place: YAMLPlace
        package var value: YAMLNode

        package var line: Int { place.line }

        package init(key: String, place: YAMLPlace, value: YAMLNode) {
            self.key = key
            self.place = place
            self.value = value
        }
    }

    package var content: Content
    /// Where it begins.
    package var place: YAMLPlace

    package var line: Int { place.line }

    /// The text of a scalar, else nil.
    package var text: String? {
        guard case .scalar(let text, _) = content else { return nil }
        return text
    }

    package init(content: Content, place: YAMLPlace) {
        self.content = content
        self.place = place
    }
}

/// Why a text cannot be read. The wording never quotes the text, which may hold secrets; only a key that stands there
/// twice is named.
package struct YAMLError: Error, Equatable {
    package var place: YAMLPlace
    package var problem: String
    /// How to mend it, in the imperative.
    package var remedy: String

    package var line: Int { place.line }

    /// The text breaks the grammar of YAML.
    static func syntax(_ place: YAMLPlace, _ problem: String) -> YAMLError {
        YAMLError(place: place, problem: "not valid YAML (\(problem))", remedy: "mend the line")
    }

    /// The text uses a part of YAML that is left out here.
    static func unsupported(_ place: YAMLPlace, _ features: String) -> YAMLError {
        YAMLError(
            place: place,
            problem: "\(features) are not supported in configuration files",
            remedy: "write the values plainly, or in quotes"
        )
    }
}
