# SPDX-License-Identifier: Apache-2.0
"""What prometheus/README.md tells people to do is done here, in a root directory of the test's own."""

import re
import subprocess
import urllib.request

import pytest
import yaml

from alerting_stack import with_templates
from processes import eventually
from prometheus import binary, listening_port
from proxy_process import ROOT

README = (ROOT / "prometheus/README.md").read_text(encoding="utf-8")
PROGRAMS = ("prometheus", "prometheus-alertmanager", "prometheus-blackbox-exporter")
# Root is not needed, packages are there already, and services are started one by one below.
IN_ITS_ROOM = 'sudo() { "$@"; }; apt-get() { :; }; systemctl() { :; }\n'


def blocks(kind, containing):
    found = [text for text in re.findall(rf"^```{kind}\n(.*?)^```", README, re.M | re.S) if containing in text]
    assert len(found) == 1, f"{len(found)} blocks of {kind} with {containing!r}"
    return found[0]


def moved(text, root):
    """The same with all that is written to below `root`, and without the group that the packages bring."""
    text = text.replace(" -g prometheus", "")
    return re.sub(r"(?<![\w.])/(etc|usr/share)/", rf"{root}/\1/", text)


@pytest.fixture
def installed(tmp_path):
    """A root directory in which the README was followed."""
    for program in ("promtool", "amtool", *PROGRAMS):
        binary(program)
    script = IN_ITS_ROOM + moved(blocks("sh", "apt-get install"), tmp_path)
    subprocess.run(["bash", "-euc", script], cwd=ROOT, check=True, timeout=60)
    return tmp_path


def test_what_was_installed_passes_its_checks(installed):
    done = subprocess.run(
        ["bash", "-euc", IN_ITS_ROOM + moved(blocks("sh", "promtool check config"), installed)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    rules = len(list((ROOT / "prometheus/alerts").glob("*.yml")) + list((ROOT / "prometheus/recording").glob("*.yml")))
    assert f"{rules} rule files found" in done.stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_services_start_with_the_arguments_shown(program, installed, tmp_path):
    lines = re.findall(r'^ARGS="(.*)"$', blocks("sh", "ARGS="), re.M)
    arguments = moved(dict(zip(PROGRAMS, lines, strict=True))[program], installed)
    arguments = re.sub(r"(listen-address=127\.0\.0\.1):\d+", r"\1:0", arguments).split()
    if not any("--config.file" in argument for argument in arguments):
        # As the units of Debian's packages do by themselves.
        name = program.removeprefix("prometheus-")
        arguments.append(f"--config.file={installed}/etc/prometheus/{name}.yml")
    if program != PROGRAMS[2]:
        arguments.append(f"--storage.{'tsdb.' if program == 'prometheus' else ''}path={tmp_path / 'data'}")
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([*with_templates(program), *arguments], stdout=output, stderr=output)
    try:
        port = eventually(lambda: process.poll() is None and listening_port(process.pid), 30, f"port of {program}")
        path = "/-/healthy" if program == PROGRAMS[2] else "/-/ready"
        eventually(lambda: fetch(port, path) is not None, 30, f"{program}: {log.read_text()}")
        if program == "prometheus":
            runbook = fetch(port, "/user/runbooks/McpWatchdog.md")
            assert runbook == (ROOT / "runbooks/McpWatchdog.md").read_bytes()
    finally:
        process.terminate()
        process.wait(20)


def fetch(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.read()
    except OSError:
        return None


def test_alertmanager_takes_the_receivers_shown(tmp_path):
    receivers = yaml.safe_load(blocks("yaml", "receivers:"))
    config = tmp_path / "alertmanager.yml"
    config.write_text(yaml.safe_dump({"route": {"receiver": "page"}, **receivers}), encoding="utf-8")
    subprocess.run([binary("amtool"), "check-config", config], check=True, timeout=20)


def test_compose_mounts_what_is_there():
    compose = yaml.safe_load((ROOT / "prometheus/compose.yml").read_text(encoding="utf-8"))
    for name, service in compose["services"].items():
        assert service["network_mode"] == "host", name
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / "prometheus" / source).exists(), volume
            else:
                assert source in compose["volumes"], volume
        listens = [part for part in service.get("command", []) if "web.listen-address" in part]
        listens += [service.get("environment", {}).get("GF_SERVER_HTTP_ADDR", "")]
        assert any("127.0.0.1" in address for address in listens), f"{name} must listen on loopback only"
