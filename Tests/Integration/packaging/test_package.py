# SPDX-License-Identifier: Apache-2.0
"""The Debian package: what is in it, and what it does to a machine when it comes, is renewed and goes."""

import os
import re
import subprocess

import pytest

import machine
import packed
import proxy_process
from processes import eventually
from proxy_process import FIXTURE, ROOT

pytestmark = pytest.mark.machine
PAGE = (ROOT / "docs/packages.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- machine(?:: expect (.*?))? -->\n```sh\n(.*?)^```", PAGE, re.S | re.M)
CONFFILE = "/etc/systemd/journald@mcp.conf"
CATALOGUED = "mcp-proxy: The proxy of @MCP_SERVER@ listens on @MCP_LISTEN@"
FLEET = """
servers:
  - { name: one, command: fixture-server, port: 4001, host: none }
  - { name: two, command: fixture-server, port: 4002, host: none }
"""
# What changes by itself, or is left by dpkg and by systemd whatever is installed, and the user, who stays.
PASSING = re.compile(
    r"/(dev|proc|run|sys|tmp|srv|root)/|/var/(cache|lib/dpkg|lib/systemd|log|tmp)\b"
    r"|/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|/etc/\.pwd\.lock$"
)


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    return tmp_path_factory.mktemp("package")


@pytest.fixture(scope="module")
def binary(space):
    return packed.self_contained(space)


@pytest.fixture(scope="module")
def package(binary, space):
    return packed.path_of(packed.pack(binary, space / "dist"))


@pytest.fixture(scope="module")
def tree(package, space):
    """What is in the package."""
    return packed.unpack(package, space / "tree")


@pytest.fixture
def host(package):
    with machine.boot() as booted:
        # No other proxy than that of the package.
        booted.run("umount", "/usr/local/bin/mcp-proxy")
        booted.path("/usr/local/bin/mcp-proxy").unlink()
        booted.path("/srv/mcp-proxy.deb").write_bytes(package.read_bytes())
        yield booted


def finished(*command, **more):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False, **more)


# What is in it.


def test_lintian_finds_no_fault(package):
    done = finished(packed.program("lintian"), "--show-overrides", "--allow-root", package)
    assert done.stderr == ""
    assert re.findall(r"^[^NO]: .*", done.stdout, re.M) == []
    # What is overridden is there, and each has its reason.
    overrides = (ROOT / "deploy/debian/lintian-overrides").read_text(encoding="utf-8")
    listed = re.findall(r"^# .*[.)]\nmcp-proxy: (\S+)", overrides, re.M)
    assert listed == re.findall(r"^mcp-proxy: (\S+)", overrides, re.M)
    assert sorted(set(re.findall(r"^O: mcp-proxy: (\S+)", done.stdout, re.M))) == sorted(set(listed))


def test_what_it_is(package, tree):
    control = (tree / "DEBIAN/control").read_text(encoding="utf-8")
    assert "@" not in control.replace("@example.com", "")
    version = proxy_process.run("--version").stdout.split()[1]
    architecture = finished("dpkg", "--print-architecture").stdout.strip()
    assert package.name == f"mcp-proxy_{version}_{architecture}.deb"
    depends = re.search(r"^Depends: (.*)", control, re.M)[1]
    names = {name.split(" (")[0] for name in depends.split(", ")}
    # Nothing of Swift.
    assert names == {"libc6", "libgcc-s1", "libstdc++6", "libsystemd0", "systemd", "zlib1g"}
    # The image installs them too, or has them from the start.
    image = (ROOT / "Containerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    assert names - {"libc6", "libgcc-s1", "systemd"} <= set(image.split())
    # Older ones know nothing of the short form of relocations.
    assert re.search(r"libc6 \(>= (\S+)\)", depends)[1] == "2.36"
    # Libraries are looked for where the system has them.
    assert "RUNPATH" not in finished("readelf", "-d", tree / "usr/bin/mcp-proxy").stdout
    assert (tree / "DEBIAN/conffiles").read_text() == f"{CONFFILE}\n"
    sums = (tree / "DEBIAN/md5sums").read_text(encoding="utf-8")
    assert finished("md5sum", "--check", "--quiet", "-", input=sums, cwd=tree).stdout == ""
    assert len(sums.splitlines()) == sum(1 for path in tree.glob("[eu]*/**/*") if path.is_file() and not path.is_symlink())
    changes = finished("zcat", tree / "usr/share/doc/mcp-proxy/changelog.gz").stdout
    assert changes.startswith(f"mcp-proxy ({version}) ")
    assert "Supervision: calls in flight fail at once" in changes


def test_everything_is_in_it(tree):
    share = tree / "usr/share/mcp-proxy"
    for source in ("runbooks", "grafana/dashboards", "prometheus/alerts", "prometheus/recording", "docs"):
        shipped = {path.name for path in (share / source).iterdir()}
        assert shipped == {path.name for path in (ROOT / source).iterdir()}, source
    units = {path.name for path in (tree / "usr/lib/systemd/system").iterdir()}
    installed = re.findall(r"systemd/(mcp\S*\.(?:service|socket|target))", (ROOT / "deploy/install.sh").read_text())
    assert units == set(installed)
    # Every link in the documentation leads to a file.
    pages = [page for page in share.rglob("*.md")]
    links = {(page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))}
    assert len(links) > 50
    broken = [(page.name, link) for page, link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []
    assert (tree / "usr/share/doc/mcp-proxy/examples/fleet.yaml").read_text() == (ROOT / "deploy/fleet.yaml").read_text()
    assert (tree / "usr/share/doc/mcp-proxy/docs/packages.md").exists()


def test_one_commit_makes_one_package(binary, package, space):
    again = packed.path_of(packed.pack(binary, space / "again"))
    assert again.read_bytes() == package.read_bytes()


def test_who_answers_for_it(binary, space):
    done = packed.pack(binary, space / "named", DEBFULLNAME="Example & Co", DEBEMAIL="deb@example.com")
    shown = finished("dpkg-deb", "--field", packed.path_of(done), "Maintainer").stdout
    assert shown == "Example & Co <deb@example.com>\n"


def test_a_binary_without_the_runtime_is_refused(space):
    if packed.is_self_contained(FIXTURE):
        pytest.skip("the fixture server holds the Swift runtime")
    done = packed.pack(FIXTURE, space / "refused")
    assert done.returncode != 0
    assert f"{FIXTURE} does not hold the Swift runtime" in done.stderr
    assert not (space / "refused").exists()


def test_the_man_page(tree):
    page = tree / "usr/share/man/man1/mcp-proxy.1.gz"
    environment = {**os.environ, "MANWIDTH": "200", "LC_ALL": "C.UTF-8", "MANROFFOPT": "-c"}
    shown = finished(packed.program("man"), "--warnings", "-l", page, env=environment)
    assert (shown.returncode, shown.stderr) == (0, "")
    text = re.sub(r".\x08", "", shown.stdout)
    assert "mcp-proxy - puts one stdio MCP server, the child, behind HTTP\n" in text
    options = re.findall(r"^ +(?:-\S, )?(--\S+)", proxy_process.run("--help").stdout, re.M)
    assert len(options) > 30
    assert [option for option in options if not re.search(rf"^ +(-\S, )?{re.escape(option)}\b", text, re.M)] == []


# What it does to a machine.


def files(host):
    """Every file, directory and link of the machine that an installation can be blamed for."""
    found = host.run("find", "/", "-xdev").stdout.splitlines()
    return {path for path in found if not PASSING.match(path)}


def install(host, path="/srv/mcp-proxy.deb"):
    return host.run("dpkg", "--install", path)


def test_it_comes_and_goes_without_a_trace(host):
    before = files(host)
    install(host)
    assert host.run("mcp-proxy", "--version").stdout == proxy_process.run("--version").stdout
    assert host.run("stat", "-c", "%U:%G %a", "/opt/mcp/config").stdout == "root:mcp 750\n"
    assert "docker" in host.run("id", "-Gn", "mcp").stdout.split()
    units = ["mcp@time.service", "mcp@time.socket", "mcp.target", "mcp-firewall.service"]
    verified = host.run("systemd-analyze", "verify", *units)
    assert verified.stdout + verified.stderr == ""
    # The catalog is in force, and nothing runs or will run by itself.
    assert CATALOGUED in host.run("journalctl", "--list-catalog").stdout
    for unit in units:
        assert host.run("systemctl", "is-enabled", unit, check=False).stdout.strip() == "disabled"
    assert host.run("systemctl", "list-units", "--plain", "--no-legend", "mcp*").stdout == ""
    # Doing it again changes nothing.
    installed = files(host)
    install(host)
    assert files(host) == installed
    host.run("dpkg", "--purge", "mcp-proxy")
    assert files(host) == before
    assert CATALOGUED not in host.run("journalctl", "--list-catalog").stdout


def test_what_is_configured_outlives_upgrades_and_removal(host, package, space):
    install(host)
    host.write("/opt/mcp/fleet.yaml", FLEET)
    host.run("mcp-proxy", "fleet", "render")
    host.run("systemctl", "enable", "--now", "mcp.target", "mcp@one")
    host.run("systemctl", "enable", "mcp@two")
    host.write(CONFFILE, "[Journal]\nSystemMaxUse=2G\n")
    host.write("/var/lib/mcp/one/kept", "what a server stores\n")
    pid = host.show("mcp@one", "MainPID")
    kept = files(host)

    host.path("/srv/newer.deb").write_bytes(packed.newer(package, space, "99.0").read_bytes())
    install(host, "/srv/newer.deb")
    assert host.run("dpkg-query", "--show", "--showformat=${Version}", "mcp-proxy").stdout == "99.0"
    assert "2G" in host.read(CONFFILE)
    assert files(host) == kept
    # What ran is a new process; what did not run still does not.
    assert host.show("mcp@one", "ActiveState") == "active"
    assert host.show("mcp@one", "MainPID") not in ("0", pid)
    assert host.show("mcp@two", "ActiveState") == "inactive"

    host.run("dpkg", "--remove", "mcp-proxy")
    assert not host.path("/usr/bin/mcp-proxy").exists()
    assert host.run("pgrep", "-x", "mcp-proxy", check=False).stdout == ""
    gone = kept - files(host)
    assert [path for path in gone if not path.startswith("/usr/")] == []
    assert "2G" in host.read(CONFFILE)

    install(host)
    host.run("systemctl", "start", "mcp.target")
    eventually(lambda: host.show("mcp@one", "ActiveState") == "active", what="the unit that was enabled")
    host.run("dpkg", "--purge", "mcp-proxy")
    left = files(host)
    assert not host.path(CONFFILE).exists()
    assert host.read("/opt/mcp/fleet.yaml") == FLEET
    assert {"/opt/mcp/config/one.env", "/opt/mcp/fleet/manifest", "/var/lib/mcp/one/kept"} <= left
    assert [path for path in left if re.match(r"/etc/systemd/system/.*\.wants/mcp", path)] == []


def test_the_commands_of_the_documentation(host):
    """In their order, as a person types them; only packages from elsewhere are left out."""
    stubs = {
        "sudo": 'exec "$@"',
        "apt-get": """
            action=--$1; shift
            for word; do case $word in *.deb|mcp-proxy) names+=("$word") ;; esac; done
            exec dpkg "$action" "${names[@]}" """,
    }
    for name, script in stubs.items():
        host.write(f"/usr/local/bin/{name}", f"#!/bin/bash\n{script}\n", 0o755)
    host.run("mv", "/srv/mcp-proxy.deb", "/srv/mcp-proxy_1_all.deb")
    # What this puts there is taken away in the end.
    host.run("/opt/deploy/install.sh")
    host.run("rm", "/opt/mcp/fleet.yaml")
    assert len(BLOCKS) == 5
    for expected, text in BLOCKS:
        done = host.shell(f"cd /srv\n{text}", check=False)
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        assert expected in done.stdout
        if "cp /usr/share/doc" in text:
            assert host.read("/opt/mcp/fleet.yaml") == (ROOT / "deploy/fleet.yaml").read_text(encoding="utf-8")
            host.run("mcp-proxy", "fleet", "render")
        if "sysusers.d" in text and "sed" in text:
            host.run("gpasswd", "-d", "mcp", "docker")
            host.run("dpkg-reconfigure", "-f", "noninteractive", "mcp-proxy")
            assert "docker" not in host.run("id", "-Gn", "mcp").stdout.split()
    assert [path for path in files(host) if re.match(r"/usr/local/.*/mcp", path)] == []


# Completion: what each shell proposes for the last word of a line.

BASH = r"""
source /usr/share/bash-completion/bash_completion
source "$1"
# It belongs to the program by name, and tells readline how to show names of files, which there is none of here.
complete -p mcp-proxy >/dev/null
compopt() { :; }
COMP_LINE=$2 COMP_POINT=${#2} COMP_CWORD=$(($# - 3))
COMP_WORDS=("${@:3}")
_mcp_proxy mcp-proxy
printf '%s\n' "${COMPREPLY[@]}"
"""
# A shell at a terminal: after a tab, the key @ shows the line as it then is.
ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -f -i
say() { zpty -w shell "$1" }
say "PS1= RPS1=; unsetopt zle_bracketed_paste prompt_sp; fpath=(${1:h} \$fpath); autoload -U compinit; compinit -u -D"
say 'shown() { print -r -- "<$BUFFER>"; BUFFER= }; zle -N shown; bindkey @ shown; print BE""GIN'
zpty -r shell out '*BEGIN*'
zpty -w -n shell "$2"$'\t@'
zpty -r shell out '*<*>*'
print -r -- "$out"
"""
CASES = [
    ("--isol", "--isolation"),
    ("--isolation se", "session"),
    ("--log jo", "journal"),
    ("--max-sessions 5 --no-pass", "--no-pass-environment"),
    ("--admin-listen 127.0.0.1:9464 --check", "--check-config"),
    ("flee", "fleet"),
    ("fleet sta", "status"),
    ("fleet render --dry", "--dry-run"),
    ("-- systemd-cgl", "systemd-cgls"),
]


@pytest.mark.parametrize("line, proposed", CASES)
def test_completion_in_bash(tree, line, proposed):
    if not os.path.exists("/usr/share/bash-completion/bash_completion"):
        pytest.skip("bash-completion is not installed (scripts/test.sh installs it)")
    script = tree / "usr/share/bash-completion/completions/mcp-proxy"
    # bash makes words of its own of what stands between these.
    words = [word for word in re.split(r"\s|([=:])", f"mcp-proxy {line}") if word]
    done = finished("bash", "-c", BASH, "bash", script, f"mcp-proxy {line}", *words)
    assert done.stderr == ""
    assert set(done.stdout.split()) == {proposed}
    assert finished("bash", "-n", script).returncode == 0


def test_completion_of_a_value_behind_its_flag(tree):
    script = tree / "usr/share/bash-completion/completions/mcp-proxy"
    words = ["mcp-proxy", "--isolation", "=", "s"]
    done = finished("bash", "-c", BASH, "bash", script, "mcp-proxy --isolation=s", *words)
    assert done.stdout.split() == ["shared", "session"]


@pytest.mark.parametrize("line, proposed", CASES)
def test_completion_in_fish(tree, line, proposed):
    script = tree / "usr/share/fish/vendor_completions.d/mcp-proxy.fish"
    command = "source $argv[1]; complete -C $argv[2]"
    done = finished(packed.program("fish"), "--no-config", "-c", command, script, f"mcp-proxy {line}")
    assert done.stderr == ""
    assert {word.split("\t")[0] for word in done.stdout.splitlines()} == {proposed}


@pytest.mark.parametrize("line, proposed", CASES)
def test_completion_in_zsh(tree, line, proposed):
    script = tree / "usr/share/zsh/vendor-completions/_mcp-proxy"
    done = finished(packed.program("zsh"), "-f", "-c", ZSH, "zsh", script, f"mcp-proxy {line}")
    assert done.stderr == ""
    shown = re.search(r"<mcp-proxy (.*)>", done.stdout)[1]
    assert re.fullmatch(rf"{re.escape(line.rpartition(' ')[0])} ?{re.escape(proposed)}[ =]?", shown), done.stdout
