# SPDX-License-Identifier: Apache-2.0
"""A registry with one image, as slow as a test wants it (OCI distribution specification, its pulling half)."""

import gzip
import hashlib
import http.server
import json
import tarfile
import threading

from engines import image_tar

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    """Serves `mcp/pulled`. While `gate` is not set, no layer is handed out."""

    def __init__(self, engine, directory):
        # Of layers that the engine has it would pull none.
        image_tar(directory / "rootfs.tar", mark="pulled")
        engine.load(directory / "rootfs.tar", "mcp/to-be-pulled")
        saved = directory / "saved.tar"
        engine.run("save", "--output", saved, "mcp/to-be-pulled")
        engine.run("rmi", "mcp/to-be-pulled")
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Event()
        self._blobs = {}
        with tarfile.open(saved) as tar:
            entry = json.load(tar.extractfile("manifest.json"))[0]
            config = tar.extractfile(entry["Config"]).read()
            layers = [gzip.compress(tar.extractfile(name).read(), 1) for name in entry["Layers"]]
        self._manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": self._blob(config, CONFIG),
                "layers": [self._blob(layer, LAYER) for layer in layers],
            }
        ).encode()
        self.digest = digest(self._manifest)
        self._layers = {digest(layer) for layer in layers}
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.image = f"127.0.0.1:{self._server.server_port}/mcp/pulled:1"

    def _blob(self, data, kind):
        self._blobs[digest(data)] = data
        return {"mediaType": kind, "size": len(data), "digest": digest(data)}

    def close(self):
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(registry):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self):
                self.answer(False)

            def do_GET(self):
                self.answer(True)

            def answer(self, with_body):
                what, _, name = self.path.rpartition("/")
                if self.path == "/v2/":
                    return self.send(200, b"{}", "application/json", with_body)
                if what == "/v2/mcp/pulled/manifests" and name in ("1", registry.digest):
                    return self.send(200, registry._manifest, MANIFEST, with_body)
                if what == "/v2/mcp/pulled/blobs" and name in registry._blobs:
                    if with_body and name in registry._layers:
                        registry.asked.set()
                        registry.gate.wait()
                    return self.send(200, registry._blobs[name], "application/octet-stream", with_body)
                error = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
                self.send(404, json.dumps(error).encode(), "application/json", with_body)

            def send(self, status, body, kind, with_body):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Docker-Content-Digest", digest(body))
                self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
                self.end_headers()
                if with_body:
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler
