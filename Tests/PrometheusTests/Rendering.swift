// SPDX-License-Identifier: Apache-2.0

import Prometheus

extension Registry {
    func bytes(_ format: ExpositionFormat, only names: Set<String>? = nil) -> [UInt8] {
        var output: [UInt8] = []
        render(into: &output, as: format, only: names)
        return output
    }

    func text(_ format: ExpositionFormat = .text, only names: Set<String>? = nil) -> String {
        String(decoding: bytes(format, only: names), as: UTF8.self)
    }
}
