# SPDX-License-Identifier: Apache-2.0
"""`mcp-proxy fleet`: what it writes, what it leaves alone, and what it says of a wrong file."""

import os
import pty
import re
import socket
import subprocess
import time

import pytest

from proxy_process import PROXY, ROOT, clean_environment, run

TIME = "servers:\n  - { name: time, image: mcp/time, port: 3001, host: time.example.com, auth: key, secrets: [TOKEN] }\n"
ENV = "opt/mcp/config/time.env"


@pytest.fixture
def fleet(tmp_path):
    """Runs a command on a tree of its own: `fleet("render", "--force")`."""
    file, root = tmp_path / "fleet.yaml", tmp_path / "root"

    def command(verb, *flags, text=TIME):
        file.write_text(text, encoding="utf-8")
        return run("fleet", verb, str(file), "--root", str(root), *flags)

    command.root = root
    command.file = file
    return command


def snapshot(root):
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}


def test_rendering_twice_changes_nothing(fleet):
    first = fleet("render")
    assert first.returncode == 0
    assert f"create  {fleet.root}/{ENV}\n" in first.stdout
    written = snapshot(fleet.root)
    second = fleet("render")
    assert re.fullmatch(r"\d+ files, 0 changed, 0 kept\n", second.stdout)
    assert snapshot(fleet.root).keys() == written.keys()
    manifest = f"{fleet.root}/opt/mcp/fleet/manifest"
    unchanged = {path: what for path, what in written.items() if path != manifest}
    assert {path: what for path, what in snapshot(fleet.root).items() if path != manifest} == unchanged
    assert (fleet("diff").returncode, fleet("diff").stdout) == (0, "")


def test_the_manifest_can_be_checked_with_sha256sum(fleet):
    fleet("render")
    lines = (fleet.root / "opt/mcp/fleet/manifest").read_text(encoding="utf-8")
    check = lines.replace("  /", f"  {fleet.root}/")
    done = subprocess.run(["sha256sum", "--check", "--quiet"], input=check, text=True, check=False)
    assert lines and done.returncode == 0


def test_a_dry_run_writes_nothing(fleet):
    done = fleet("render", "--dry-run")
    assert done.returncode == 0
    assert f"create  {fleet.root}/{ENV}\n" in done.stdout
    assert not fleet.root.exists()


def test_what_was_edited_stays(fleet):
    fleet("render")
    (fleet.root / ENV).write_text("PORT=1\n", encoding="utf-8")
    changed = TIME.replace("3001", "3002")
    done = fleet("render", text=changed)
    assert done.returncode == 1
    assert f"kept {fleet.root}/{ENV}, which was edited; see fleet diff, or use --force\n" in done.stderr
    assert (fleet.root / ENV).read_text(encoding="utf-8") == "PORT=1\n"
    assert "3002" in (fleet.root / "etc/nginx/conf.d/mcp-time.conf").read_text(encoding="utf-8"), "all others change"
    diff = fleet("diff", text=changed)
    assert diff.returncode == 1
    assert f"--- {fleet.root}/{ENV}\n" in diff.stdout and "\n-PORT=1\n" in diff.stdout and "\n+PORT=3002\n" in diff.stdout
    forced = fleet("render", "--force", text=changed)
    assert forced.returncode == 0
    assert "PORT=3002\n" in (fleet.root / ENV).read_text(encoding="utf-8")
    assert (fleet.root / f"{ENV}.old").read_text(encoding="utf-8") == "PORT=1\n"


def test_what_was_there_before_stays(fleet):
    other = fleet.root / "etc/prometheus/targets/servers.yml"
    other.parent.mkdir(parents=True)
    other.write_text("[]\n", encoding="utf-8")
    done = fleet("render")
    assert done.returncode == 1
    assert f"kept {other}, which was there before" in done.stderr
    assert other.read_text(encoding="utf-8") == "[]\n"


def test_what_belongs_to_no_server_goes(fleet):
    fleet("render")
    other = TIME.replace("name: time", "name: clock")
    kept = fleet.root / "etc/nginx/conf.d/mcp-time.conf"
    kept.write_text("# mine\n", encoding="utf-8")
    done = fleet("render", text=other)
    assert f"remove  {fleet.root}/{ENV}\n" in done.stdout
    assert not (fleet.root / ENV).exists()
    assert kept.read_text(encoding="utf-8") == "# mine\n"
    assert fleet("render", text=other).returncode == 0, "it is no concern of the fleet any more"


def test_keys(fleet):
    """Each is made once, for root alone, and printed nowhere."""
    done = fleet("render")
    path = fleet.root / "opt/mcp/keys/time"
    key = path.read_text(encoding="ascii").strip()
    assert re.fullmatch("[0-9a-f]{32}", key)
    assert path.stat().st_mode & 0o777 == 0o600
    shown = fleet.root / "etc/nginx/mcp-keys/time.map"
    assert key in shown.read_text(encoding="utf-8")
    assert shown.stat().st_mode & 0o777 == 0o640
    assert fleet("render", "--force") and path.read_text(encoding="ascii").strip() == key
    path.write_text("0123456789abcdef0123456789abcdef\n", encoding="ascii")
    diff = fleet("diff")
    assert f"{shown}: differs, and holds a key\n" in diff.stdout
    assert fleet("render").returncode == 0
    assert '"Bearer 0123456789abcdef0123456789abcdef" 1;' in shown.read_text(encoding="utf-8")
    said = done.stdout + done.stderr + diff.stdout + diff.stderr
    assert key not in said and "0123456789abcdef" not in said
    for file in fleet.root.rglob("*"):
        assert file in (path, shown) or not file.is_file() or "0123456789abcdef" not in file.read_text(encoding="utf-8")
    path.write_text("Short\n", encoding="ascii")
    refused = fleet("render")
    assert refused.returncode == 78
    assert re.fullmatch(rf"mcp-proxy: {path} holds no key; remove it .*\n", refused.stderr)


def test_secrets_are_asked_for(fleet):
    asked = fleet("check")
    secret = fleet.root / "opt/mcp/secrets/time/TOKEN"
    assert asked.returncode == 78
    assert asked.stderr == (
        f"mcp-proxy: the secret {secret} of 'time' is missing; write its value there, with mode 600\n"
    )
    fleet("render")
    assert secret.parent.stat().st_mode & 0o777 == 0o700
    secret.write_text("geheim\n", encoding="utf-8")
    fine = fleet("check")
    assert (fine.returncode, fine.stdout) == (0, f"{fleet.file}: 1 server, 1 of them public\n")


def test_a_wrong_file_writes_nothing(fleet):
    text = TIME.replace(", auth: key", "") + "  - { name: time, port: no }\n"
    done = fleet("render", text=text)
    assert done.returncode == 78
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"mcp-proxy: {fleet.file}:2:13: everybody could call 'time' as time.example.com, and ")
    assert all(re.match(rf"mcp-proxy: {fleet.file}:\d+:\d+: .+; .+", line) for line in lines)
    assert not fleet.root.exists()


@pytest.mark.parametrize(
    "words, problem",
    [
        ([], "fleet needs a command; write mcp-proxy fleet check|render|diff|status|update"),
        (["rendr"], "unknown command 'rendr'; did you mean render?"),
        (["render", "--dryrun"], "unknown flag of fleet render '--dryrun'; did you mean --dry-run?"),
        (["check", "--force"], "unknown flag of fleet check '--force'; see mcp-proxy fleet --help"),
        (["check", "a", "b"], "a second file 'b'; give one file"),
        (["check", "--root"], "--root has no value; give a directory"),
    ],
)
def test_a_wrong_command_line(words, problem):
    done = run("fleet", *words)
    assert (done.returncode, done.stderr) == (64, f"mcp-proxy: {problem}\n")


def test_help_and_a_missing_file(tmp_path):
    assert "fleet check|render|diff|status|update [FILE]" in run("fleet", "--help").stdout
    missing = run("fleet", "check", str(tmp_path / "none.yaml"))
    assert missing.returncode == 78
    assert missing.stderr.startswith(f"mcp-proxy: {tmp_path}/none.yaml does not exist; ")


def test_the_shipped_example(tmp_path):
    done = run("fleet", "render", str(ROOT / "deploy/fleet.yaml"), "--root", str(tmp_path))
    assert done.returncode == 0
    assert len(list((tmp_path / "opt/mcp/config").iterdir())) == 10


def test_the_example_of_the_readme(fleet):
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.search(r"```yaml\n(domain:.*?)```", page, re.S)[1]
    assert fleet("render", text=text).returncode == 0
    assert "CMD=docker\n" in (fleet.root / "opt/mcp/config/notion.env").read_text(encoding="utf-8")


# status.


def status_text(running, terminal=False, env=None, columns=200):
    """What status says of one running instance and of one that is down."""
    port = running.admin_port
    text = (
        f"servers:\n  - {{ name: time, command: x, port: 1, admin-port: {port}, host: none }}\n"
        "  - { name: gone, command: x, port: 2, admin-port: 9, host: none }\n"
    )
    running.file.write_text(text, encoding="utf-8")
    command = [PROXY, "fleet", "status", str(running.file)]
    if not terminal:
        return subprocess.run(command, env=clean_environment(env), capture_output=True, text=True, check=False)
    parent, child = pty.openpty()
    os.set_blocking(parent, False)
    subprocess.run(["stty", "cols", str(columns)], stdin=child, check=True)
    done = subprocess.run(command, env=clean_environment(env), stdout=child, check=False)
    os.close(child)
    output = b""
    try:
        while part := os.read(parent, 65536):
            output += part
    except OSError:
        pass
    os.close(parent)
    done.stdout = output.decode()
    return done


@pytest.fixture
def instance(proxy, tmp_path):
    running = proxy("--admin-listen", "127.0.0.1:0", ready=False)
    running.admin_port = int(running.event("proxy.started")["admin_listen"].rpartition(":")[2])
    running.event("proxy.ready")
    running.file = tmp_path / "fleet.yaml"
    return running


def test_status(instance):
    session = instance.session()
    session.tool("echo", text="x")
    done = status_text(instance)
    assert done.returncode == 1, "one of them is down"
    head, up, down = done.stdout.splitlines()
    assert head.split() == "NAME STATE VERSION UPTIME RESTARTS SESSIONS CALLS ERRORS P95 WHY".split()
    assert re.match(r"time  ready  1\.0\.0 +\d+s +0 +1 +\d+ +0 +[\d.]+m?s$", up)
    assert re.match(r"gone  down +- .*  nobody answers on 127\.0\.0\.1:9$", down)
    assert "\x1b" not in done.stdout


def test_status_on_a_terminal(instance):
    shown = status_text(instance, terminal=True)
    assert "\x1b[32mready\x1b[0m" in shown.stdout and "\x1b[31mdown\x1b[0m" in shown.stdout
    assert "\x1b" not in status_text(instance, terminal=True, env={"NO_COLOR": "1"}).stdout
    narrow = status_text(instance, terminal=True, env={"NO_COLOR": "1"}, columns=40).stdout
    assert max(len(line) for line in narrow.splitlines()) <= 40
    assert "NAME  STATE" in narrow


def test_status_waits_for_nobody(tmp_path):
    """A port that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = "".join(
            f"  - {{ name: s{n}, command: x, port: {n}, admin-port: {silent.getsockname()[1] if n == 1 else 10 + n}, host: none }}\n"
            for n in range(1, 4)
        )
        file = tmp_path / "fleet.yaml"
        file.write_text("servers:\n" + text, encoding="utf-8")
        began = time.monotonic()
        done = run("fleet", "status", str(file))
        assert time.monotonic() - began < 15
        assert [line.split()[1] for line in done.stdout.splitlines()[1:]] == ["down"] * 3
