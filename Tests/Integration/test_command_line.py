# SPDX-License-Identifier: Apache-2.0
"""The command line of the real binary: what it accepts, and how it says what is wrong."""

import os
import socket
import subprocess

import pytest

from mcp_http import text
from proxy_process import FIXTURE, PROXY, clean_environment, run


def one_line(finished, status):
    """Asserts a failure in one clear line on stderr, and returns that line."""
    assert finished.returncode == status, finished
    lines = finished.stderr.strip().splitlines()
    assert len(lines) == 1, finished.stderr
    assert finished.stdout == ""
    assert "Fatal" not in lines[0] and "0x" not in lines[0]
    return lines[0]


def test_version():
    finished = run("--version")
    assert finished.returncode == 0
    assert finished.stderr == ""
    assert any(character.isdigit() for character in finished.stdout)


def test_no_foundation():
    """Foundation with its ICU costs every running proxy 10 MB; a dependency must not bring it back unseen."""
    linked = subprocess.run(["ldd", PROXY], capture_output=True, text=True, check=True).stdout
    # What swift-crypto needs of it. Linked statically, as released, only what is used of it is there.
    assert "Foundation" not in linked.replace("libFoundationEssentials.so", "")


def test_help():
    finished = run("--help")
    assert finished.returncode == 0
    assert finished.stderr == ""
    assert max(map(len, finished.stdout.splitlines())) <= 120
    for flag in ("--port", "--stream-endpoint", "--request-timeout", "--allow-origin", "--isolation", "--max-line"):
        assert flag in finished.stdout


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--nonsense", "--", "cat"], "--nonsense"),
        (["--prot", "1", "--", "cat"], "--port"),
        (["--port", "http", "--", "cat"], "http"),
        (["--port", "70000", "--", "cat"], "70000"),
        (["--request-timeout", "soon", "--", "cat"], "soon"),
        (["--isolation", "none", "--", "cat"], "none"),
        (["--port"], "--port"),
        (["--api-key", "x", "--", "cat"], "--api-key"),
    ],
)
def test_a_bad_flag(arguments, said):
    assert said in one_line(run(*arguments), 64)


def test_no_command():
    assert one_line(run("--port", "0"), 64)


@pytest.mark.parametrize("command", ["no-such-command-anywhere", "/no/such/file", "./no/such/file"])
def test_command_not_found(command):
    assert command in one_line(run("--port", "0", "--", command), 127)


def test_a_command_that_cannot_be_executed(tmp_path):
    path = tmp_path / "script"
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    assert str(path)[:20] in one_line(run("--port", "0", "--", str(path)), 127)


def test_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = one_line(run("--port", port, "--", FIXTURE), 69)
        assert port in line


def test_an_admin_socket_where_a_file_is(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    assert "not a socket" in one_line(run("--port", "0", "--admin-listen", f"unix:{file}", "--", FIXTURE), 69)
    assert file.read_text(encoding="utf-8") == "mine"


def test_the_error_of_a_size_names_what_will_do():
    assert "to 4000" in one_line(run("--log-payloads", "64K", "--", FIXTURE), 64)


def test_an_error_does_not_wait_for_a_stderr_that_nobody_reads():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    with subprocess.Popen([PROXY, "--port", "none"], env=clean_environment(), stderr=writer) as process:
        assert process.wait(10) == 64
    os.close(reader)
    os.close(writer)


def test_a_bad_environment_variable():
    line = one_line(run("--", FIXTURE, env={"MCP_PROXY_PORT": "http"}), 64)
    assert "MCP_PROXY_PORT" in line


def test_a_missing_or_bad_file(tmp_path):
    assert "nowhere.yaml" in one_line(run("--config", "nowhere.yaml", "--", FIXTURE), 78)
    bad = tmp_path / "bad.yaml"
    bad.write_text("port: [\n", encoding="utf-8")
    assert "bad.yaml" in one_line(run("--config", str(bad), "--", FIXTURE), 78)
    bad.write_text("prot: 1\n", encoding="utf-8")
    assert "prot" in one_line(run("--config", str(bad), "--", FIXTURE), 78)


def test_flag_beats_environment_beats_file(tmp_path):
    file = tmp_path / "proxy.yaml"
    file.write_text("port: 1111\nmax-sessions: 11\nqueue: 111\n", encoding="utf-8")
    env = {"MCP_PROXY_PORT": "2222", "MCP_PROXY_MAX_SESSIONS": "22"}
    finished = run("--config", str(file), "--port", "3333", "--check-config", "--", FIXTURE, env=env)
    assert finished.returncode == 0, finished.stderr
    lines = {line.split()[0].lstrip("-").rstrip(":="): line for line in finished.stdout.splitlines() if line.strip()}
    assert "3333" in lines["port"]
    assert "22" in lines["max-sessions"] and "MCP_PROXY_MAX_SESSIONS" in lines["max-sessions"]
    assert "111" in lines["queue"] and "proxy.yaml" in lines["queue"]


def test_check_config_shows_no_secret():
    finished = run("--check-config", "-e", "TOKEN", "hunter2", "--", FIXTURE)
    assert finished.returncode == 0
    assert "hunter2" not in finished.stdout + finished.stderr


@pytest.mark.parametrize("separator", [["--"], []])
def test_with_and_without_the_separator(proxy, separator):
    """Both forms of the TypeScript proxy; flags behind the command are the command's."""
    arguments = [PROXY, "--port", "0", "--log-format", "json", *separator, FIXTURE, "--revision", "2025-03-26"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, env=clean_environment(), text=True) as process:
        for line in process.stderr:
            if '"upstream.ready"' in line:
                assert '"revision":"2025-03-26"' in line
                break
        process.terminate()
        process.stderr.read()
        assert process.wait(10) == 0


def test_camel_case_spellings(proxy):
    running = proxy("--streamEndpoint", "/x", "--maxSessions=1")
    running.http.path = "/x"
    assert text(running.session().tool("echo", text="x")) == "x"


def test_environment_of_the_child(proxy, tmp_path):
    env = {"INHERITED": "from outside"}
    running = proxy("-e", "TOKEN", "secret", "--env", "OTHER=value", "--cwd", str(tmp_path), env=env)
    session = running.session()
    assert text(session.tool("env", name="TOKEN")) == "secret"
    assert text(session.tool("env", name="OTHER")) == "value"
    assert text(session.tool("env", name="INHERITED")) == "from outside"
    assert str(tmp_path) in text(session.tool("process"))
    assert "secret" not in running.log()


def test_environment_not_passed(proxy):
    running = proxy("--no-pass-environment", env={"INHERITED": "from outside"})
    session = running.session()
    assert session.tool("env", name="INHERITED")["result"]["isError"] is True
    assert text(session.tool("env", name="PATH"))


def test_no_shell_unless_asked_for(proxy, tmp_path):
    words = "$(touch marker)"
    running = proxy("--cwd", str(tmp_path), child=[FIXTURE, "--trace", words])
    assert text(running.session().tool("echo", text="x")) == "x"
    assert [path.name for path in tmp_path.iterdir()] == [words]


def test_a_shell_when_asked_for(proxy, tmp_path):
    running = proxy("--shell", child=[f"cd {tmp_path} && exec {FIXTURE}"])
    assert str(tmp_path) in text(running.session().tool("process"))


# An existing unit: ExecStart=… mcp-proxy --port ${PORT} -- ${CMD} ${ARGS}, where ${ARGS} arrives as one word.


def test_arguments_in_one_word(proxy, tmp_path):
    arguments = f"--revision 2025-03-26 --trace '{tmp_path}/a file'"
    running = proxy(child=[FIXTURE, arguments], env={"ARGS": arguments})
    assert running.event("upstream.ready")["revision"] == "2025-03-26"
    assert (tmp_path / "a file").exists()


def test_one_word_that_is_not_args_stays_one(proxy):
    running = proxy(child=[FIXTURE, "--revision 2025-03-26"], env={"ARGS": "other"}, ready=False)
    assert running.exited()["status"] == 2


def test_names_in_arguments_are_looked_up(proxy, tmp_path):
    file = tmp_path / "env"
    file.write_text("# a comment\nREVISION=2025-06-18\nTOKEN='a b'\n", encoding="utf-8")
    arguments = "--revision ${REVISION}"
    running = proxy("--env-file", str(file), child=[FIXTURE, arguments], env={"ARGS": arguments})
    assert running.event("upstream.ready")["revision"] == "2025-06-18"
    assert text(running.session().tool("env", name="TOKEN")) == "a b"


def test_an_unset_name_is_an_error():
    arguments = "--revision ${NO_SUCH_NAME}"
    line = one_line(run("--port", "0", "--", FIXTURE, arguments, env={"ARGS": arguments}), 78)
    assert "NO_SUCH_NAME" in line


def test_the_name_of_the_instance(proxy):
    assert proxy("--name", "time", ready=False).event("proxy.started")["name"] == "time"
    assert proxy(ready=False).event("proxy.started")["name"] == "fixture-server"


def test_the_demo_server(proxy):
    session = proxy(child=[PROXY, "demo-server"]).session()
    tools = {tool["name"] for tool in session.request("tools/list")["result"]["tools"]}
    assert {"get_current_time", "convert_time", "echo"} <= tools
    assert "T" in text(session.tool("get_current_time", timezone="Europe/Berlin"))
    assert text(session.tool("echo", text="x")) == "x"


def test_nothing_secret_in_the_log(proxy):
    running = proxy(child=[FIXTURE, "--trace", "/dev/null"], env={"PASSWORD": "hunter2"})
    session = running.session()
    session.tool("echo", text="confidential words")
    running.stop()
    log = str(running.events) + "".join(running.stray)
    assert "confidential words" not in log
    assert session.id not in log
    assert "/dev/null" not in log and "hunter2" not in log
