// SPDX-License-Identifier: Apache-2.0

extension [UInt8] {
    /// Appends the bytes of an ASCII literal.
    mutating func append(_ literal: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    mutating func append(decimal value: Int) {
        if value < 0 { append(UInt8(ascii: "-")) }
        append(digits: value.magnitude, atLeast: 1)
    }

    /// Appends an integer in recorded units as the number that is shown, exactly.
    mutating func append(recorded value: Int, scale: MetricDescription.Scale) {
        switch scale {
        case .one: append(decimal: value)
        case .nanoseconds: append(fixedPoint: value, fractionDigits: 9, unit: 1_000_000_000)
        }
    }

    /// Appends `value / unit` in full, without zeros at the end.
    mutating func append(fixedPoint value: Int, fractionDigits: Int, unit: UInt) {
        if value < 0 { append(UInt8(ascii: "-")) }
        let (whole, fraction) = value.magnitude.quotientAndRemainder(dividingBy: unit)
        append(digits: whole, atLeast: 1)
        if fraction == 0 { return }
        append(UInt8(ascii: "."))
        append(digits: fraction, atLeast: fractionDigits)
        while last == UInt8(ascii: "0") { removeLast() }
    }

    /// Appends the shortest digits that make the same Double again, as both text formats spell it.
    mutating func append(number value: Double) {
        if let integer = Int(exactly: value), integer.magnitude < 1 << 53 {
            append(decimal: integer)
        } else if value.isNaN {
            append("NaN")
        } else if value.isInfinite {
            append(value < 0 ? "-Inf" : "+Inf")
        } else {
            append(contentsOf: value.description.utf8)
        }
    }

    mutating func append(hexadecimal value: UInt64) {
        for shift in stride(from: 60, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(shift)) & 0xF
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }

    private mutating func append(digits value: UInt, atLeast width: Int) {
        if value < 10 && width <= 1 {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value))
            return
        }
        // 2^64 has 20 digits.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var start = digits.count
            var rest = value
            repeat {
                let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                start -= 1
                digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)
                rest = quotient
            } while rest > 0 || digits.count - start < width
            append(contentsOf: UnsafeBufferPointer(rebasing: digits[start...]))
        }
    }
}

extension Double {
    /// This number as it stands in `le`: always with a point or an exponent, and the exponent from a million on.
    ///
    /// The value of a label is opaque, so every format has to spell it alike. The spelling is the one OpenMetrics 1.0
    /// recommends ("Canonical Numbers"), which is also what a server makes of a bound it got as protobuf.
    var canonicalBound: String {
        if self == 0 { return "0.0" }
        let parts = description.split(separator: "e")
        let mantissa = parts[0]
        let exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        let pointOffset = mantissa.utf8.firstIndex(of: UInt8(ascii: ".")).map {
            mantissa.utf8.distance(from: mantissa.utf8.startIndex, to: $0)
        }
        var digits = mantissa.filter { $0 != "." }
        // Where the point stands in `digits`, once the zeros around them are gone.
        var point = (pointOffset ?? digits.utf8.count) + exponent
        while digits.hasPrefix("0") {
            digits.removeFirst()
            point -= 1
        }
        while digits.hasSuffix("0") { digits.removeLast() }
        if point - 1 < -4 || point - 1 >= 6 {
            let magnitude = String((point - 1).magnitude)
            return String(digits.prefix(1)) + (digits.count > 1 ? "." + digits.dropFirst() : "")
                + (point < 1 ? "e-" : "e+") + (magnitude.count < 2 ? "0" : "") + magnitude
        }
        if point <= 0 { return "0." + String(repeating: "0", count: -point) + digits }
        if digits.count <= point { return digits + String(repeating: "0", count: point - digits.count) + ".0" }
        return digits.prefix(point) + "." + digits.dropFirst(point)
    }
}
