#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what lies beside it, as root: the units, their user, the catalog of the journal, and an example of
# /opt/mcp/fleet.yaml where there is none. Nothing is started. The binary, if it was built, goes along.
set -eu
cd "$(dirname "$0")"
lib=/usr/local/lib

if [ -x ../.build/release/mcp-proxy ]; then install ../.build/release/mcp-proxy /usr/local/bin/; fi
install -d $lib/systemd/system $lib/systemd/catalog $lib/sysusers.d $lib/tmpfiles.d /opt/mcp
install -m 644 systemd/mcp@.service systemd/mcp@.socket systemd/mcp.target systemd/mcp-firewall.service $lib/systemd/system/
install -m 644 systemd/sysusers.conf $lib/sysusers.d/mcp.conf
install -m 644 systemd/tmpfiles.conf $lib/tmpfiles.d/mcp.conf
install -m 644 journald/mcp-proxy.catalog $lib/systemd/catalog/
[ -e /opt/mcp/fleet.yaml ] || install -m 644 fleet.yaml /opt/mcp/fleet.yaml

systemd-sysusers mcp.conf
systemd-tmpfiles --create mcp.conf
journalctl --update-catalog
systemctl daemon-reload
