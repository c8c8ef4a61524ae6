# SPDX-License-Identifier: Apache-2.0
"""Real proxies in front of the fixture server, each with what a dashboard must show: one scenario, one instance.

A scenario is told which step of the run it is and does what belongs there; between steps all of them are scraped.
"""

import http.server
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import yaml

import journal
from fake_engine import FakeEngine
from otlp_collector import Collector
from mcp_http import Http, stateless, tool
from processes import eventually
from prometheus import listening_port
from proxy_process import FIXTURE, ROOT, Proxy
from scrape import OPENMETRICS

# Steps of a run, and what one of them stands for in seconds: together one hour.
STEPS = 180
STEP = 20
EXPORTER = "prometheus-blackbox-exporter"
# Nobody listens there.
NO_COLLECTOR = "http://127.0.0.1:9"


class Scenario:
    """One instance. `name` is what it is called in the dashboards, `label` the scenario it shows."""

    label = name = None
    job, path, headers = "mcp-proxy", "/metrics", {"Accept": OPENMETRICS}
    flags = ()
    fixture = ()
    is_container = False
    env = {}

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="scenario-"))
        self.calls = []
        self.proxy = None

    def start(self):
        child = FakeEngine(self.directory / "engine").command if self.is_container else [FIXTURE, *self.fixture]
        self.proxy = Proxy(["--name", self.name, *self.flags], child, self.env, debug=False)
        self.session = self.proxy.session()
        self.session.request("tools/list")

    def act(self, step):
        raise NotImplementedError

    @property
    def port(self):
        """Where it is scraped."""
        return self.proxy.port

    def begin(self, tool, **arguments):
        """A call whose answer nobody waits for yet."""
        self.calls.append(self.session.start_tool(tool, **arguments))
        return self.calls[-1]

    def close(self):
        if self.proxy:
            self.proxy.discard()
        shutil.rmtree(self.directory)


class Healthy(Scenario):
    """Every feature in use, nothing wrong; a reload, and spans that arrive."""

    label, name = "healthy", "time"
    is_container = True

    def start(self):
        self.collector = Collector()
        self.env = {"OTEL_EXPORTER_OTLP_ENDPOINT": self.collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        config = self.directory / "config.yaml"
        config.write_text("queue: 512\n", encoding="utf-8")
        self.flags = ("--config", config)
        super().start()
        self.asking = self.proxy.session(capabilities={"sampling": {}}, listen=True)
        self.legacy = self.proxy.sse_session()

    def act(self, step):
        self.session.tool("echo", text="x" * (step % 50))
        if step % 2:
            self.session.tool("add", a=step, b=1)
            self.legacy.tool("echo", text="legacy")
        if step % 5 == 0:
            self.session.tool("sleep", ms=5 + step % 30)
        if step % 10 == 0:
            self.session.request("prompts/get", {"name": "plain"})
            self.session.request("resources/read", {"uri": "test://static/1"})
            self.session.tool("stderr", text="looked up a zone")
            self.session.tool("log", level="info", text="zone is known")
        if step % 30 == 15:
            passing = self.proxy.session("2025-06-18", listen=True)
            passing.tool("echo", text="hello")
            passing.stream.close()
            passing.delete()
            call = self.asking.start_tool("sample", prompt="which zone?")
            asked = call.method("sampling/createMessage")
            self.asking.answer(asked, {"role": "assistant", "model": "m", "content": {"type": "text", "text": "UTC"}})
            call.answer()
            self.parked = self.elicit(step)
        if step % 30 == 16:
            answer = {key: {"action": "accept", "content": {"answer": "UTC"}} for key in self.parked["inputRequests"]}
            done = self.elicit(step, inputResponses=answer, requestState=self.parked["requestState"])
            assert done["resultType"] == "complete", done
        if step == 90:
            self.proxy.signal(signal.SIGHUP)
            self.proxy.event("config.reloaded")

    def elicit(self, id, **parameters):
        """A call of a client without a session, that asks for an answer; or its continuation."""
        call = tool("elicit", id=id, message="which zone?")
        call["params"] |= parameters
        return self.proxy.http.post(*stateless(call, {"elicitation": {}})).json["result"]

    def close(self):
        super().close()
        self.collector.close()


class Crash(Scenario):
    """Three crashes, nonsense on stdout, and at last a server that can't be started any more."""

    label, name = "crash", "git"

    def start(self):
        self.file = self.directory / "broken"
        self.fixture = ("--crash-file", self.file)
        super().start()

    def act(self, step):
        crashes = {40: {"status": 3}, 75: {"signal": 11}, 100: {"status": 0}}
        if self.proxy.ready().status == 200:
            self.session.tool("echo", text="x")
            if 50 <= step < 110 and step % 2:
                self.session.tool("garbage", kind="text")
            if step % 10 == 9:
                self.session.tool("env", name="NO_SUCH_VARIABLE")
        if step in crashes:
            eventually(lambda: self.proxy.ready().status == 200, 20, "a server that can crash")
            self.begin("echo", text="in flight")
            self.session.tool("crash", **crashes[step])
        if step == 125:
            self.file.touch()
            self.proxy.kill_child()
        if step > 125 and step % 8 == 0:
            self.begin("echo", text="is anybody there?")
        if step == STEPS - 25:
            self.proxy.event("upstream.backoff", count=3, was_ready=False)


class Overload(Scenario):
    """More calls than the server can take and the queue can hold."""

    label, name = "overload", "browser"
    flags = ("--max-in-flight", "2", "--queue", "5", "--max-sessions", "40")

    def act(self, step):
        if step == 140:
            for call in self.calls:
                call.answer()
        if not 60 <= step < 140:
            self.session.tool("echo", text="x")
        else:
            # Far more than is answered meanwhile, however long a step takes.
            for _ in range(5):
                self.begin("sleep", ms=400)
        if step == 30:
            for _ in range(30):
                self.proxy.session()


class Slow(Scenario):
    """Tools that take longer than anybody wants to wait, and one that never answers."""

    label, name = "slow", "search"
    flags = ("--request-timeout", "13s")

    def act(self, step):
        if step == 0:
            # What never answers a call answers pings all the same.
            self.begin("hang_call")
        if step in (0, 2, 4, 6):
            self.begin("sleep", ms=10_500 + 100 * step)
        if step % 3 == 0:
            self.session.tool("sleep", ms=20 + step % 60)
        if step % 20 == 10:
            self.begin("sleep", ms=1200)
        if step == 140:
            for call in self.calls:
                call.answer()


class JournalDown(Scenario):
    """Neither journald nor the collector of traces is there any more."""

    label, name = "journal-down", "memory"

    def start(self):
        self.journal = journal.Journal()
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": NO_COLLECTOR, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        self.proxy = journal.JournaledProxy(self.journal, ["--name", self.name, "--journal-burst", "60"], env=env)
        self.proxy.wait_ready()
        self.session = self.proxy.session()
        self.session.request("tools/list")

    def act(self, step):
        self.session.tool("echo", text="x")
        if step % 4 == 0:
            self.session.tool("add", a=1, b=1)
        if step == 80:
            self.journal.kill()
        if step in (110, 140):
            # More than is kept while nobody takes it.
            self.session.tool("flood_stderr", mb=4)
        # What comes and goes is told in the journal, each in an entry.
        self.proxy.session().delete()

    def close(self):
        super().close()
        self.journal.close()


class Sparse(Scenario):
    """Ten calls in a day: nine before the hour in which the others run, each with the page after it, and one in it."""

    label, name = "sparse", "weather"
    before = 9

    def history(self, scrape):
        """The pages of the day before: one at its start, then one after each call."""
        pages = [(time.time(), scrape())]
        for number in range(self.before):
            self.session.tool("echo", text=f"call {number}")
            pages.append((time.time(), scrape()))
        return pages

    def act(self, step):
        if step == 100:
            self.session.tool("echo", text="the last call of the day")


class Down(Scenario):
    """A proxy that is started anew once, and later is gone for good."""

    label, name = "down", "files"
    restarts, ends = 60, 140

    def act(self, step):
        if step < self.ends:
            if step == self.restarts:
                self.proxy.discard()
                self.start()
            self.session.tool("echo", text="x")
        elif step == self.ends:
            self.proxy.discard()


class Front(http.server.BaseHTTPRequestHandler):
    """What stands before a proxy in public: TLS, and the path passed on."""

    def do_GET(self):
        answer = Http(self.server.proxy).get(self.path)
        self.send_response(answer.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Public(Scenario):
    """An address in public, probed by the blackbox exporter; what stands there ends while its proxy is well.

    Its certificate is its own, which the exporter is told to accept, and valid for ten days more.
    """

    label, name = "public", "time"
    job, headers = "mcp-proxy-public", {}
    instance = "https://time.example.com/mcp"
    ends = 135

    def start(self):
        super().start()
        certificate, key = self.directory / "certificate.pem", self.directory / "key.pem"
        made = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "10",
            "-subj",
            "/CN=time.example.com",
        ]
        subprocess.run([*made, "-out", certificate, "-keyout", key], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.front = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
        self.front.proxy = self.proxy.port
        self.front.socket = context.wrap_socket(self.front.socket, server_side=True)
        threading.Thread(target=self.front.serve_forever, args=(0.05,), daemon=True).start()
        self.path = f"/probe?module=mcp_https&target=https://127.0.0.1:{self.front.server_port}/mcp"
        config = yaml.safe_load((ROOT / "prometheus/blackbox.yml").read_text(encoding="utf-8"))
        config["modules"]["mcp_https"]["http"]["tls_config"] = {"insecure_skip_verify": True}
        file = self.directory / "blackbox.yml"
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        command = [EXPORTER, f"--config.file={file}", "--web.listen-address=127.0.0.1:0"]
        self.exporter = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._port = eventually(lambda: listening_port(self.exporter.pid), 20, "the blackbox exporter")

    @property
    def port(self):
        return self._port

    def act(self, step):
        if step == self.ends:
            self.front.shutdown()
            self.front.server_close()

    def close(self):
        self.exporter.kill()
        self.exporter.wait()
        super().close()


def scenarios():
    """Those that can run here."""
    kinds = [Healthy, Crash, Overload, Slow, Sparse, Down]
    if not journal.reason_to_skip():
        kinds.append(JournalDown)
    if shutil.which(EXPORTER) and shutil.which("openssl"):
        kinds.append(Public)
    return [kind() for kind in kinds]
