# SPDX-License-Identifier: Apache-2.0
"""The shipped configurations in the programs they are for, on ports of the test's own and otherwise as they are."""

import http.client
import http.server
import json
import shutil
import ssl
import subprocess
import threading
import urllib.parse
import urllib.request

from alerting_stack import fetch, free_port, with_templates
from processes import eventually
from prometheus import binary
from rules_files import DIRECTORY, NEWER


class Program:
    """A program that listens on `port` until it is stopped."""

    ready = "/-/ready"

    def __init__(self, command, directory, environment=None):
        self.port = free_port()
        self._log = directory / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*map(str, command), f"--web.listen-address=127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=directory,
                env=environment,
            )
        try:
            eventually(self._answers, 60, f"{command[0]} on port {self.port}")
        except BaseException:
            self.stop()
            raise

    def _answers(self):
        assert self._process.poll() is None, self._log.read_text(errors="replace")
        return fetch(self.port, self.ready) is not None

    def get(self, path):
        return json.loads(fetch(self.port, path))

    def stop(self):
        self._process.terminate()
        self._process.wait(30)


def program_of(version):
    """Prometheus 2 of this Debian, or 3, where it was fetched."""
    if version == "2":
        return binary("prometheus")
    return str(NEWER / "prometheus") if (NEWER / "prometheus").exists() else None


class PrometheusAsShipped(Program):
    """With one of the configurations; `faster` replaces 15 s, for those who can't wait."""

    def __init__(self, directory, config, version, targets, faster=None):
        shutil.copytree(DIRECTORY, directory, dirs_exist_ok=True)
        text = (directory / config).read_text(encoding="utf-8")
        # Nobody is to be told, and nothing probed.
        text = text.replace("127.0.0.1:9093", "127.0.0.1:1").replace("127.0.0.1:9115", "127.0.0.1:1")
        if faster:
            assert text.count("interval: 15s") == 2
            text = text.replace("interval: 15s", f"interval: {faster}")
        (directory / config).write_text(text, encoding="utf-8")
        (directory / "targets/servers.yml").write_text(json.dumps([{"targets": targets}]), encoding="utf-8")
        features = ["--enable-feature=native-histograms"] if "native" in config else []
        super().__init__(
            [program_of(version), f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}", *features],
            directory,
        )

    def rules(self):
        groups = self.get("/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def query(self, expression):
        answer = self.get("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        return [(series["metric"], float(series["value"][1])) for series in answer["data"]["result"]]


class Alertmanager(Program):
    """With the shipped configuration; `wait` replaces the time that a first notification waits for others."""

    def __init__(self, directory, receiver_port, wait="2s"):
        text = (DIRECTORY / "alertmanager.yml").read_text(encoding="utf-8")
        assert text.count("group_wait: 30s") == 1
        text = text.replace("127.0.0.1:9099", f"127.0.0.1:{receiver_port}")
        text = text.replace("group_wait: 30s", f"group_wait: {wait}")
        (directory / "alertmanager.yml").write_text(text, encoding="utf-8")
        arguments = ("--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address=")
        super().__init__([*with_templates("prometheus-alertmanager"), *arguments], directory)

    def post(self, alerts):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v2/alerts",
            json.dumps([{"labels": labels} for labels in alerts]).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=20).close()

    def alerts(self):
        return self.get("/api/v2/alerts")


class Blackbox(Program):
    """With the shipped module. `authority`: whose certificates it trusts."""

    ready = "/-/healthy"

    def __init__(self, directory, authority):
        command = [binary("prometheus-blackbox-exporter"), f"--config.file={DIRECTORY / 'blackbox.yml'}"]
        super().__init__(command, directory, {"SSL_CERT_FILE": str(authority)})

    def probe(self, target):
        """What Prometheus would scrape, by the names of metrics without labels."""
        query = urllib.parse.urlencode({"target": target, "module": "mcp_https"})
        lines = fetch(self.port, f"/probe?{query}").decode().splitlines()
        pairs = [line.split() for line in lines if not line.startswith("#")]
        return {pair[0]: float(pair[1]) for pair in pairs if "{" not in pair[0]}


class Certificates:
    """An authority of the test's own, and a certificate of it for localhost."""

    def __init__(self, directory, days=42):
        self.authority = directory / "ca.pem"
        self.key, self.certificate = directory / "key.pem", directory / "cert.pem"

        def openssl(*arguments):
            command = ["openssl", *map(str, arguments)]
            subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=directory)

        new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test", "-days", 400)
        openssl("req", *new_key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=localhost")
        (directory / "names").write_text("subjectAltName=DNS:localhost", encoding="ascii")
        ours = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
        openssl("x509", "-req", "-in", "request.pem", *ours, "-out", "cert.pem", "-days", days)

    def expires(self):
        """When, as Unix time, in the words of OpenSSL."""
        command = ["openssl", "x509", "-in", self.certificate, "-noout", "-enddate"]
        told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
        return ssl.cert_time_to_seconds(told.strip().removeprefix("notAfter="))


class Front:
    """A web server with TLS in front of a proxy: 502 when nobody answers behind it."""

    def __init__(self, certificates, backend_port):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                connection = http.client.HTTPConnection("127.0.0.1", backend_port, timeout=20)
                try:
                    connection.request("GET", self.path, headers=dict(self.headers))
                    answer = connection.getresponse()
                    status, body = answer.status, answer.read()
                except OSError:
                    status, body = 502, b""
                finally:
                    connection.close()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.certificate, certificates.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
