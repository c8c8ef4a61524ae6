// SPDX-License-Identifier: Apache-2.0

import Glibc
import JSONRPC
import MCP
import NIOCore

/// The demo server's tools: what it says of them, and what they do.
///
/// Names, arguments and texts of the two time tools are those of the reference server `mcp-server-time`.
enum DemoTools {
    /// Why a call has no result: its arguments are not what the tool takes, or the tool failed.
    enum Refusal: Error {
        case arguments(String)
        case tool(String)
    }

    /// The arguments of one call, as they lie in its message.
    struct Arguments {
        let ranges: [String: ByteRange]
        let message: ByteBuffer

        func string(_ name: String) throws(Refusal) -> String {
            guard let value = ranges[name].flatMap({ message.string($0) }) else {
                throw .arguments("the argument \(name) is missing or not a string")
            }
            return value
        }

        /// A number in `range`, `fallback` when the argument is absent.
        func number(_ name: String, in range: ClosedRange<Double>, else fallback: Double) throws(Refusal) -> Double {
            guard let value = ranges[name] else { return fallback }
            guard let number = Double(message.text(value)), range.contains(number) else {
                throw .arguments("the argument \(name) is not a number from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
    }

    /// The result of `initialize`.
    static func introduction(speaking revision: Revision) -> String {
        #"{"protocolVersion":"\#(revision.rawValue)","capabilities":{"tools":{}},"#
            + #""serverInfo":{"name":"mcp-proxy-demo","version":"1.0.0"},"#
            + #""instructions":"A demonstration server: the time anywhere, an echo, and something slow to watch."}"#
    }

    /// The result of `tools/list`.
    static let list = """
        {"tools":[\
        {"name":"get_current_time","description":"Get the current time in a time zone.",\
        "inputSchema":{"type":"object","properties":{\
        "timezone":{"type":"string","description":"IANA time zone name, such as Europe/London"}},\
        "required":["timezone"]},"annotations":{"readOnlyHint":true}},\
        {"name":"convert_time","description":"Convert a time of today from one time zone to another.",\
        "inputSchema":{"type":"object","properties":{\
        "source_timezone":{"type":"string","description":"IANA time zone name of the given time"},\
        "time":{"type":"string","description":"The time to convert, HH:MM, 24 hours"},\
        "target_timezone":{"type":"string","description":"IANA time zone name to convert to"}},\
        "required":["source_timezone","time","target_timezone"]},"annotations":{"readOnlyHint":true}},\
        {"name":"echo","description":"Say the text again.",\
        "inputSchema":{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]},\
        "annotations":{"readOnlyHint":true}},\
        {"name":"slow","description":"Take some time, in steps, and report progress after each.",\
        "inputSchema":{"type":"object","properties":{\
        "seconds":{"type":"number","minimum":0,"maximum":3600,"default":5},\
        "steps":{"type":"integer","minimum":1,"maximum":1000,"default":5}}},\
        "annotations":{"readOnlyHint":true}}\
        ]}
        """

    static func currentTime(_ arguments: Arguments) throws(Refusal) -> String {
        let zone = try arguments.string("timezone")
        do throws(WorldClock.Refusal) {
            return object(try WorldClock.reading(of: time(nil), in: zone), indent: "")
        } catch { throw .tool(error.message) }
    }

    static func convertTime(_ arguments: Arguments) throws(Refusal) -> String {
        let source = try arguments.string("source_timezone")
        let target = try arguments.string("target_timezone")
        let clock = try arguments.string("time")
        do throws(WorldClock.Refusal) {
            let times = try WorldClock.convert(clock, from: source, to: target, now: time(nil))
            return """
                {
                  "source": \(object(times.source, indent: "  ")),
                  "target": \(object(times.target, indent: "  ")),
                  "time_difference": "\(WorldClock.difference(from: times.source, to: times.target))"
                }
                """
        } catch { throw .tool(error.message) }
    }

    /// How long a call of `slow` takes, and in how many steps.
    static func pace(_ arguments: Arguments) throws(Refusal) -> (seconds: Double, steps: Int) {
        let seconds = try arguments.number("seconds", in: 0...3600, else: 5)
        return (seconds, Int(try arguments.number("steps", in: 1...1000, else: 5)))
    }

    /// A reading as JSON. Its zone passed the check of `WorldClock`, so nothing in it needs escaping.
    private static func object(_ reading: WorldClock.Reading, indent: String) -> String {
        """
        {
        \(indent)  "timezone": "\(reading.zone)",
        \(indent)  "datetime": "\(reading.timestamp)",
        \(indent)  "day_of_week": "\(reading.dayOfWeek)",
        \(indent)  "is_dst": \(reading.isDaylightSaving)
        \(indent)}
        """
    }
}
