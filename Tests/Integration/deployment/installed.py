# SPDX-License-Identifier: Apache-2.0
"""Installs the units and the shipped fleet of ten servers on a booted machine, as docs/deployment.md tells a person to."""

import re

from proxy_process import ROOT

FLEET = ROOT / "deploy/fleet.yaml"
NAMES = re.findall(r"^  - name: (\S+)", FLEET.read_text(encoding="utf-8"), re.MULTILINE)
DOMAIN = "mcp.example.com"
# No value of them may be seen anywhere but in the environment of the server they are for.
SECRETS = {
    ("github-personal", "GITHUB_PERSONAL_ACCESS_TOKEN"): "geheim-personal",
    ("github-work", "GITHUB_PERSONAL_ACCESS_TOKEN"): "geheim-work",
    ("notion", "NOTION_TOKEN"): "geheim-notion",
    ("atlassian", "JIRA_API_TOKEN"): "geheim-jira",
    ("atlassian", "CONFLUENCE_API_TOKEN"): "geheim-confluence",
}
# Stands for the engine's client: an image is the fixture server, with the variables that -e hands on and no others. What
# /srv/release says is part of every image.
DOCKER = r"""#!/bin/bash
if [ "$1 $2" = "image inspect" ]; then
    printf 'sha256:%s\n' "$({ echo "${@: -1}"; cat /srv/release 2>/dev/null; } | sha256sum | cut -d ' ' -f 1)"
fi
[ "$1" = run ] || exit 0
kept=(PATH="$PATH")
while [ $# -gt 0 ]; do
    if [ "$1" = -e ]; then
        case $2 in *=*) kept+=("$2") ;; *) kept+=("$2=${!2}") ;; esac
        shift
    fi
    shift
done
exec env -i "${kept[@]}" fixture-server
"""


def install_units(host):
    host.run("/opt/deploy/install.sh")
    host.write("/usr/local/bin/docker", DOCKER, 0o755)


def install_certificate(host, directory="/opt/mcp/tls", names=f"DNS:*.{DOMAIN}"):
    """A certificate for these names of an authority that this machine believes."""
    host.shell(
        f"""
        install -d -m 700 {directory} && cd {directory}
        key() {{ openssl ecparam -name prime256v1 -genkey -noout; }}
        key >ca.key
        openssl req -x509 -new -key ca.key -days 9 -subj /CN=authority -addext basicConstraints=critical,CA:TRUE \\
            -addext keyUsage=critical,keyCertSign,cRLSign -out /usr/local/share/ca-certificates/test.crt
        key >privkey.pem
        printf 'subjectAltName={names}\\nextendedKeyUsage=serverAuth\\n' >extensions
        openssl req -new -key privkey.pem -subj /CN=server | openssl x509 -req -days 9 -CAcreateserial \\
            -CA /usr/local/share/ca-certificates/test.crt -CAkey ca.key -extfile extensions -out fullchain.pem
        update-ca-certificates
        """
    )


def prepare(host):
    """What lies outside of the machine: names, an authority, the values of secrets."""
    install_certificate(host)
    host.write("/etc/hosts", "127.0.0.1 localhost " + " ".join(f"{name}.{DOMAIN}" for name in NAMES) + "\n")
    for (server, name), value in SECRETS.items():
        host.write(f"/opt/mcp/secrets/{server}/{name}", value + "\n", 0o600)


def install_fleet(host):
    """Installs, renders the fleet and puts it into force."""
    install_units(host)
    prepare(host)
    host.run("mcp-proxy", "fleet", "render")
    enable(host)


def enable(host):
    return host.run("/opt/mcp/fleet/enable.sh", "--no-certificate", timeout=300)


def key(host, server):
    return host.read(f"/opt/mcp/keys/{server}").strip()
