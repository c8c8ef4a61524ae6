# SPDX-License-Identifier: Apache-2.0
"""What people get wrong when they set up servers: each is told in one line, which says where it is and what to do."""

import os
import socket

import pytest

from proxy_process import run

ONE = "  - { name: time, image: mcp/time, port: 3001, host: none }\n"


@pytest.fixture
def told(tmp_path):
    """What a command of fleet says of a list of servers on stderr, which must be one line, and fail."""

    def told(verb, servers, env=None):
        file = tmp_path / "fleet.yaml"
        file.write_text("servers:\n" + servers, encoding="utf-8")
        done = run("fleet", verb, str(file), "--root", str(tmp_path / "root"), env=env)
        assert done.returncode != 0
        lines = [line for line in done.stderr.splitlines() if not line.startswith("pulling ")]
        assert len(lines) == 1, done.stderr
        return lines[0].removeprefix("mcp-proxy: ").removeprefix(f"{file}:")

    return told


def test_a_name_twice(told):
    twice = ONE + ONE.replace("3001", "3002")
    assert told("render", twice) == "3:13: the name 'time' is given more than once; give each server its own"
    public = "".join(f"  - {{ name: time, image: a, port: {port}, public: true }}\n" for port in (1, 2))
    assert told("render", public + "domain: example.com\n").startswith("3:13: the name 'time' ")


def test_a_port_twice(told):
    twice = ONE + ONE.replace("name: time", "name: clock")
    assert told("render", twice) == "3:43: the port 3001 belongs to 'time'; give each server its own"


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("--port", str(port), "--", "cat")
    assert done.returncode == 69
    assert done.stderr == (
        f"mcp-proxy: cannot listen on 127.0.0.1:{port}: something else already does; stop it or choose another address\n"
    )


def test_a_secret_that_is_missing(told, tmp_path):
    line = told("check", ONE.replace("host: none", "host: none, secrets: [TOKEN]"))
    path = tmp_path / "root/opt/mcp/secrets/time/TOKEN"
    assert line == f"the secret {path} of 'time' is missing; write its value there, with mode 600"


def test_no_yaml(told):
    assert told("check", ONE + "  - name: clock\n   port: 2\n") == (
        "4:4: not valid YAML (wrong indentation); mend the line"
    )


@pytest.mark.parametrize(
    "says, expected",
    [
        (
            "Error response from daemon: pull access denied for mcp/time, repository does not exist",
            "the image 'mcp/time' was not found: correct its name and tag, build it, or log in to its registry",
        ),
        ("Error response from daemon: something new", "Error response from daemon: something new"),
    ],
)
def test_an_image_that_is_nowhere(told, tmp_path, says, expected):
    client = tmp_path / "docker"
    client.write_text(f'#!/bin/sh\necho "Using default tag: latest"\necho "{says}" >&2\nexit 1\n', encoding="utf-8")
    client.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert told("update", ONE, env) == f"cannot pull mcp/time: {expected}"
