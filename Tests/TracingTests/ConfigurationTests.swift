// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing
import Tracing

@Suite struct ConfigurationTests {
    private let base = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"]

    private func configuration(_ more: [String: String]) throws -> TracingConfiguration? {
        try TracingConfiguration(environment: base.merging(more) { $1 })
    }

    @Test(arguments: [
        [:],
        ["OTEL_SERVICE_NAME": "x"],
        ["OTEL_EXPORTER_OTLP_ENDPOINT": ""],
        ["OTEL_EXPORTER_OTLP_ENDPOINT": " "],
        ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "True"],
        ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"],
        // Off is off, whatever else is wrong.
        ["OTEL_EXPORTER_OTLP_ENDPOINT": "gopher://c", "OTEL_SDK_DISABLED": "true"],
    ])
    func isOff(_ environment: [String: String]) throws {
        #expect(try TracingConfiguration(environment: environment) == nil)
    }

    @Test func hasTheDefaultsOfTheSpecification() throws {
        let environment = ["OTEL_SDK_DISABLED": "no", "OTEL_TRACES_EXPORTER": "otlp"]
        let configuration = try #require(try configuration(environment))
        #expect(configuration.encoding == .protobuf)
        #expect(!configuration.isCompressed)
        #expect(configuration.headers == [])
        #expect(configuration.timeout == .seconds(10))
        #expect(configuration.batches.delay == .seconds(5))
        #expect(configuration.batches.queue == 2048)
        #expect(configuration.batches.batch == 512)
        #expect(configuration.sampler == Sampler(ratio: 1, followsParent: true))
        #expect(configuration.resource == [])
    }

    @Test(arguments: [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("http://collector/otlp/", "http://collector:80/otlp/v1/traces"),
        ("HTTP://10.0.0.1:1/a", "http://10.0.0.1:1/a/v1/traces"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
        ("http://[fe80::1]", "http://[fe80::1]:80/v1/traces"),
    ])
    func appendsThePathToTheBase(_ url: String, _ expected: String) throws {
        #expect(try configuration(["OTEL_EXPORTER_OTLP_ENDPOINT": url])?.endpoint.description == expected)
    }

    @Test(arguments: [("http://other:1/as/is", "http://other:1/as/is"), ("http://other:1", "http://other:1/")])
    func takesTheEndpointOfTracesAsItIs(_ url: String, _ expected: String) throws {
        #expect(try configuration(["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": url])?.endpoint.description == expected)
    }

    @Test func prefersTheVariablesOfTraces() throws {
        let configuration = try #require(
            try configuration([
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json",
                "OTEL_EXPORTER_OTLP_TIMEOUT": "1", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2500",
                "OTEL_EXPORTER_OTLP_COMPRESSION": "none", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "gzip",
                "OTEL_EXPORTER_OTLP_HEADERS": "a=1,b=2", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "c=3",
            ])
        )
        #expect(configuration.encoding == .json)
        #expect(configuration.timeout == .milliseconds(2500))
        #expect(configuration.isCompressed)
        #expect(configuration.headers.map(\.name) == ["c"])
    }

    @Test func decodesHeaders() throws {
        let text = " api-key = s%2Cec%3Dret%25 ,Authorization=Bearer%20x==,"
        let headers = try #require(try configuration(["OTEL_EXPORTER_OTLP_HEADERS": text])?.headers)
        #expect(headers.map(\.name) == ["api-key", "Authorization"])
        #expect(headers.map(\.value) == ["s,ec=ret%", "Bearer x=="])
    }

    @Test func readsBatchSizes() throws {
        let batches = try #require(
            try configuration([
                "OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BSP_MAX_QUEUE_SIZE": "20",
                "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10",
            ])?.batches
        )
        #expect(batches.delay == .milliseconds(100))
        #expect(batches.queue == 20)
        #expect(batches.batch == 10)
        // A batch of the usual size does not fit into a small queue, and nobody asked for it.
        #expect(try configuration(["OTEL_BSP_MAX_QUEUE_SIZE": "20"])?.batches.batch == 20)
    }

    @Test(arguments: [
        ("always_on", nil, Sampler(ratio: 1, followsParent: false)),
        ("always_off", nil, Sampler(ratio: 0, followsParent: false)),
        ("traceidratio", "0.25", Sampler(ratio: 0.25, followsParent: false)),
        ("traceidratio", nil, Sampler(ratio: 1, followsParent: false)),
        ("parentbased_always_on", "nonsense that does not matter", Sampler(ratio: 1, followsParent: true)),
        ("parentbased_always_off", nil, Sampler(ratio: 0, followsParent: true)),
        ("parentbased_traceidratio", "1e-3", Sampler(ratio: 0.001, followsParent: true)),
    ])
    func choosesTheSampler(_ name: String, _ argument: String?, _ expected: Sampler) throws {
        var environment = ["OTEL_TRACES_SAMPLER": name]
        environment["OTEL_TRACES_SAMPLER_ARG"] = argument
        #expect(try configuration(environment)?.sampler == expected)
    }

    @Test func theEnvironmentKnowsTheProcessBest() throws {
        let configuration = try #require(
            try configuration([
                "OTEL_RESOURCE_ATTRIBUTES": "service.name=no,service.version=9,team=a%20b%2Cc",
                "OTEL_SERVICE_NAME": "yes",
            ])
        )
        let source = configuration.source(
            program: "mcp-proxy",
            version: "1",
            known: [Attribute("service.instance.id", "i"), Attribute("team", "none")]
        )
        let resource = Dictionary(uniqueKeysWithValues: source.resource.map { ($0.key, $0.value) })
        #expect(
            resource == [
                "service.name": "yes", "service.version": "9", "service.instance.id": "i",
                "team": "a b,c",
            ]
        )
        #expect(source.version == "1")
        let plain = try #require(try self.configuration([:]))
        #expect(
            plain.source(program: "mcp-proxy", version: "1", known: []).resource == [
                Attribute("service.name", "mcp-proxy"), Attribute("service.version", "1"),
            ]
        )
    }

    /// Variable, value, and a part of what the operator is told.
    @Test(arguments: [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c:4318", "without TLS"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "'collector:4318', which is not a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http:/c", "not a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://", "not a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://:4318", "not a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:", "not a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:0", "not a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:65536", "not a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c d", "not a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c/a b", "not a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c/a\r\nX: y", "not a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1", "not a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[c]", "not a URL"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "'zipkin'; set it to otlp"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "over HTTP only; set it to http/protobuf or http/json"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "json", "'json'; set it to http/protobuf"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "'zstd'; set it to gzip or none"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "'10s'; set it to a number from 1 to 600000"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "'0'"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "'jaeger_remote'; set it to always_on"),
        ("OTEL_TRACES_SAMPLER", "parentbased_", "'parentbased_'"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1", "'-1'"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "'0'"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2049", "from 1 to 2048"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=1,b", "malformed member, number 2"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%ff", "malformed member, number 1"),
    ])
    func namesWhatIsWrong(_ variable: String, _ value: String, _ told: String) {
        let error = #expect(throws: TracingConfigurationError.self) { try configuration([variable: value]) }
        #expect(error?.variable == variable)
        #expect(error?.description.contains(told) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains { $0.isNewline } == false)
    }

    @Test(arguments: ["1.5", "-0.1", "nan", "half"])
    func refusesARatioThatIsNone(_ ratio: String) {
        let error = #expect(throws: TracingConfigurationError.self) {
            try configuration(["OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": ratio])
        }
        #expect(error?.variable == "OTEL_TRACES_SAMPLER_ARG")
    }

    @Test(arguments: [
        ("OTEL_EXPORTER_OTLP_HEADERS", "key=ok,s3cret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "key=s3cret%zz"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "key=s3cret%0d%0aX: y"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "Content-Length=s3cret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret key=1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:s3cret@c:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c/?key=s3cret"),
    ])
    func errorsKeepSecrets(_ variable: String, _ value: String) {
        let error = #expect(throws: TracingConfigurationError.self) { try configuration([variable: value]) }
        #expect(error?.variable == variable)
        #expect(error?.description.contains("s3cret") == false)
    }

    @Test func descriptionKeepsSecrets() throws {
        let configuration = try #require(try configuration(["OTEL_EXPORTER_OTLP_HEADERS": "key=s3cret"]))
        #expect(configuration.description == "http/protobuf to http://collector:4318/v1/traces with key")
    }
}
