#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes .venvs/machine: a small Debian with systemd, nginx and nftables, which tests boot as machines of their own. Leaves
# alone one that is there. Needs root; without it the tests that need such a machine are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/prepare.sh

into=.venvs/machine
packages=systemd,systemd-sysv,dbus,curl,python3-minimal,libpython3-stdlib,procps,ca-certificates,nginx-light,nftables
packages+=,openssl,libnss-myhostname,libnss-systemd,iproute2

[ "$(cat $into/made-of 2>/dev/null)" = "$packages" ] && exit
[ "$(id -u)" -eq 0 ] || { say "not root: no machine to boot in tests" && exit; }
. /etc/os-release
[ "${ID:-}" = debian ] || { say "not Debian: no machine to boot in tests" && exit; }
need_packages debootstrap systemd-container nftables
say "making a machine to boot in tests (a minute)"
mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' \
    | awk -v here="$VERSION_CODENAME" '$1 == here { print $2; exit }')
rm -rf $into
debootstrap --variant=minbase --include="$packages" "$VERSION_CODENAME" $into "$mirror" >.venvs/machine.log 2>&1 \
    || { tail -n 5 .venvs/machine.log >&2 && die "could not make $into"; }
rm -rf $into/var/cache/apt/archives/*.deb
# Each test has units of its own to start.
chroot $into systemctl --quiet disable nginx.service
echo "$packages" >$into/made-of
