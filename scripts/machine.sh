#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes .venvs/machine: a small Debian with systemd, nginx and nftables, which tests boot as machines of their own. Leaves
# alone one that is there. Needs root and the right to mount; where it can't be made, the tests that need it are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/prepare.sh

into=.venvs/machine
base=systemd,systemd-sysv,dbus,curl,procps,ca-certificates,nginx-light,nftables,openssl,libnss-myhostname,libnss-systemd
base+=,iproute2,python3
# An authority to get certificates from, and what asks it.
more="certbot pebble"

[ "$(cat $into/made-of 2>/dev/null)" = "$base $more" ] && exit
[ "$(id -u)" -eq 0 ] || { say "not root: no machine to boot in tests" && exit; }
. /etc/os-release
[ "${ID:-}" = debian ] || { say "not Debian: no machine to boot in tests" && exit; }
need_packages debootstrap systemd-container
say "making a machine to boot in tests (a minute)"
mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' \
    | awk -v here="$VERSION_CODENAME" '$1 == here { print $2; exit }')

make_machine() {
    rm -rf --one-file-system $into
    debootstrap --variant=minbase --include="$base" "$VERSION_CODENAME" $into "$mirror" || return
    cp --remove-destination /etc/resolv.conf $into/etc/resolv.conf
    # Nothing is started in there yet.
    printf '#!/bin/sh\nexit 101\n' >$into/usr/sbin/policy-rc.d
    chmod +x $into/usr/sbin/policy-rc.d
    chroot $into apt-get -q update || return
    # shellcheck disable=SC2086  # One word for each package.
    DEBIAN_FRONTEND=noninteractive chroot $into apt-get -q install -y --no-install-recommends $more || return
    rm -f $into/usr/sbin/policy-rc.d $into/etc/resolv.conf
    chroot $into apt-get clean
    # Each test has units of its own to start.
    chroot $into systemctl disable nginx.service certbot.timer
}

mkdir -p .venvs
make_machine >.venvs/machine.log 2>&1 || {
    tail -n 5 .venvs/machine.log >&2
    rm -rf --one-file-system $into
    say "could not make $into: no machine to boot in tests"
    exit
}
echo "$base $more" >$into/made-of
