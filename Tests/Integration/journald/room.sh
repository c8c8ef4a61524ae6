#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# room.sh DIR CATALOG COMMAND...: runs a command in a mount namespace of its own, where a journald may be started that
# shares nothing with that of the machine. Its sockets are in DIR/run, its files in DIR/log; its catalog is what the
# folder CATALOG holds. Needs root, systemd, and a kernel that lets root make mount namespaces.
set -eu
room=$(realpath "$1")
catalog=$(realpath "$2")
shift 2
mkdir -p "$room/run" "$room/log"
export room catalog
exec unshare --mount --propagation private sh -euc '
    # Whatever the machine has there is out of sight, not touched.
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal
    mount --bind "$room/run" /run/systemd/journal
    mount --bind "$room/log" /run/log/journal
    # No limits but the ones of the proxy, and nothing of the kernel.
    printf "[Journal]\nStorage=volatile\nSplitMode=none\nRateLimitIntervalSec=0\nRuntimeMaxUse=256M\nReadKMsg=no\nAudit=no\n" \
        >/run/systemd/journald.conf.d/zz-room.conf
    mount -t tmpfs tmpfs /var/lib/systemd
    mkdir /var/lib/systemd/catalog
    mount --bind "$catalog" /usr/lib/systemd/catalog
    journalctl --update-catalog
    unset room catalog
    exec "$@"' room "$@"
