# SPDX-License-Identifier: Apache-2.0
"""A collector of traces (OTLP over HTTP) that answers by a script, and decodes by the schema of OpenTelemetry."""

import base64
import gzip
import http.server
import json
import queue
import socket
import threading
from dataclasses import dataclass

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from processes import eventually


@dataclass(frozen=True)
class Export:
    """One request of the exporter's."""

    path: str
    headers: dict
    body: bytes

    @property
    def message(self):
        """The ExportTraceServiceRequest. What the schema does not know is an error."""
        body = gzip.decompress(self.body) if self.headers.get("Content-Encoding") == "gzip" else self.body
        message = trace_service_pb2.ExportTraceServiceRequest()
        if self.headers["Content-Type"] == "application/json":
            return json_format.ParseDict(with_base64(json.loads(body)), message)
        assert self.headers["Content-Type"] == "application/x-protobuf"
        message.ParseFromString(body)
        known = trace_service_pb2.ExportTraceServiceRequest()
        known.CopyFrom(message)
        known.DiscardUnknownFields()
        assert known.SerializeToString() == message.SerializeToString()
        return message


def with_base64(node):
    """OTLP has ids in hexadecimal where the JSON mapping of Protocol Buffers has base64."""
    if isinstance(node, list):
        return [with_base64(each) for each in node]
    if not isinstance(node, dict):
        return node
    converted = {name: with_base64(value) for name, value in node.items()}
    for name in ("traceId", "spanId", "parentSpanId"):
        if name in converted:
            digits = converted[name]
            assert digits == digits.lower() and len(digits) == (32 if name == "traceId" else 16)
            converted[name] = base64.b64encode(bytes.fromhex(digits)).decode()
    return converted


class Collector:
    """Each request takes the next step of the script; the last step repeats."""

    def __init__(self, *script, port=0):
        self.exports = []
        self._steps = queue.SimpleQueue()
        for step in script:
            self._steps.put(step)
        self._last = script[-1] if script else answering(200)
        self.closed = threading.Event()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.exports.append(Export(self.path, dict(self.headers), body))
                try:
                    step = collector._steps.get_nowait()
                except queue.Empty:
                    step = collector._last
                step(self, collector)

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *arguments):
                pass

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def spans(self):
        """All spans that came, in order."""
        resources = [resource for export in list(self.exports) for resource in export.message.resource_spans]
        return [span for resource in resources for scope in resource.scope_spans for span in scope.spans]

    def named(self, name, kind=None):
        return [span for span in self.spans if span.name == name and kind in (None, span.kind)]

    def wait(self, name, kind, timeout=15.0, count=1):
        """Waits for that many spans of a name and kind and returns the last of them."""
        return eventually(
            lambda: len(found := self.named(name, kind)) >= count and found[count - 1], timeout, f"{count} x {name}"
        )

    def close(self):
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()


def attributes(owner):
    """Attributes of a span or resource as a dictionary; no key may come twice."""
    found = {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in owner.attributes}
    assert len(found) == len(owner.attributes)
    return found


# Steps of a script.


def answering(status, body=b"", **headers):
    def step(handler, _):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return step


def never(_, collector):
    """No answer for as long as the collector lives."""
    collector.closed.wait()


def closing(handler, _):
    """The end of the connection for an answer."""
    handler.connection.shutdown(socket.SHUT_RDWR)
