#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Packs the proxy and all that comes with it into a Debian package, and prints its path. Usage: deb.sh [BINARY [DIRECTORY]]
# Without a BINARY, which has to hold the Swift runtime, a release is built first. DIRECTORY is dist. DEBFULLNAME and
# DEBEMAIL say who answers for the package. One commit makes one package, whenever it is packed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/prepare.sh

binary=${1:-}
into=${2:-dist}
need_packages binutils chrpath dpkg-dev >&2
if [ -z "$binary" ]; then
    need_packages "${build_packages[@]}" >&2
    need_swift
    scripts/release.sh mcp-proxy >&2
    binary=.build/release/mcp-proxy
fi
if [[ $(readelf -d "$binary") == *libswiftCore* ]]; then
    die "$binary does not hold the Swift runtime, which no Debian package has: build it with scripts/release.sh mcp-proxy"
fi

version=$("$binary" --version)
version=${version#* }
architecture=$(dpkg --print-architecture)
maintainer="${DEBFULLNAME:-mcp-proxy authors} <${DEBEMAIL:-mcp-proxy@example.com}>"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)} \
    || die "this is no clone of the repository: say with SOURCE_DATE_EPOCH of which second it is"
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/debian/mcp-proxy
share=$root/usr/share
doc=$share/doc/mcp-proxy

# into DIRECTORY FILE...: puts files there, to be read by all.
into() {
    local directory=$1
    shift
    install -d "$directory"
    install -m 644 "$@" "$directory"
}

# printed TEXT FILE: one of the texts that the proxy prints for packages.
printed() {
    install -d "$(dirname "$2")"
    "$binary" "--print-$1" >"$2"
}

# The program, and what is said of it.
install -D "$binary" "$root/usr/bin/mcp-proxy"
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/mcp-proxy"
chrpath --delete "$root/usr/bin/mcp-proxy" >/dev/null
printed man-page "$share/man/man1/mcp-proxy.1"
printed bash-completion "$share/bash-completion/completions/mcp-proxy"
printed zsh-completion "$share/zsh/vendor-completions/_mcp-proxy"
printed fish-completion "$share/fish/vendor_completions.d/mcp-proxy.fish"

# What systemd reads.
into "$root/usr/lib/systemd/system" deploy/systemd/mcp{@.service,@.socket,.target,-firewall.service}
into "$root/usr/lib/systemd/catalog" deploy/journald/mcp-proxy.catalog
install -D -m 644 deploy/systemd/sysusers.conf "$root/usr/lib/sysusers.d/mcp.conf"
install -D -m 644 deploy/systemd/tmpfiles.conf "$root/usr/lib/tmpfiles.d/mcp.conf"
into "$root/etc/systemd" deploy/systemd/journald@mcp.conf

# What people, Prometheus and Grafana read, in the order of the repository, so that all links lead somewhere.
for file in docs/*.md docs/img/* grafana/README.md grafana/dashboards/* grafana/provisioning/*/* prometheus/*.{md,yml} \
    prometheus/{alerts,recording,targets}/* runbooks/* deploy/fleet.yaml deploy/systemd/{journal*,mcp-engine.*,rootless.conf}; do
    install -D -m 644 "$file" "$share/mcp-proxy/$file"
done
into "$doc" deploy/debian/copyright
ln -s ../../mcp-proxy/docs "$doc/docs"
ln -s ../../mcp-proxy/deploy "$doc/examples"
awk -f deploy/debian/changelog.awk -v version="$version" -v maintainer="$maintainer" \
    -v date="$(date -R -u -d "@$SOURCE_DATE_EPOCH")" CHANGELOG.md CHANGELOG.md >"$doc/changelog"
cat .build/checkouts/*/NOTICE.txt >"$doc/NOTICE" || die "the sources of the libraries are missing: run  swift build"
gzip -9 -n "$doc/changelog" "$doc/NOTICE" "$share/man/man1/mcp-proxy.1"
into "$share/lintian/overrides" deploy/debian/lintian-overrides
mv "$share/lintian/overrides/lintian-overrides" "$share/lintian/overrides/mcp-proxy"

# What dpkg reads.
printf 'Source: mcp-proxy\n\nPackage: mcp-proxy\nArchitecture: any\n' >"$work/debian/control"
install -d "$root/DEBIAN"
depends=$(cd "$work" && dpkg-shlibdeps -O debian/mcp-proxy/usr/bin/mcp-proxy) || die "could not tell what $binary needs"
# It looks at symbols, and relative relocations in their short form are none.
if [[ $(readelf -V "$root/usr/bin/mcp-proxy") == *GLIBC_ABI_DT_RELR* ]]; then
    depends=$(sed -E 's/libc6 \(>= 2\.([0-9]|[12].|3[0-5])\)/libc6 (>= 2.36)/' <<<"$depends")
fi
size=$(du -sk --apparent-size "$root" | cut -f 1)
control=$(<deploy/debian/control)
control=${control//@VERSION@/"$version"}
control=${control//@ARCHITECTURE@/"$architecture"}
control=${control//@MAINTAINER@/"$maintainer"}
control=${control//@SIZE@/"$size"}
echo "${control//@DEPENDS@/"${depends#*=}"}" >"$root/DEBIAN/control"
install deploy/debian/{postinst,prerm,postrm} "$root/DEBIAN"
(cd "$root" && find etc -type f -printf '/%p\n' | sort) >"$root/DEBIAN/conffiles"
(cd "$root" && find etc usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"

mkdir -p "$into"
package=$into/mcp-proxy_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$root" "$package" >/dev/null
echo "$package"
