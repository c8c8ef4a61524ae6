# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts beside it: what a build needs, found or installed, and one line where neither works.

say() { printf '==> %s\n' "$*"; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# need_packages NAME...: installs the Debian packages that are missing.
need_packages() {
    local missing=() name
    command -v dpkg-query >/dev/null || {
        say "not a Debian system: taking it that these are installed: $*"
        return
    }
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return

    local install=()
    if [ "$(id -u)" -eq 0 ]; then
        install=(env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get)
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        install=(sudo env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get)
    else
        die "missing packages, and no root to install them: run  apt-get install ${missing[*]}"
    fi
    say "installing ${missing[*]}"
    "${install[@]}" -qq update >/dev/null || die "apt-get update failed"
    "${install[@]}" -qq install -y --no-install-recommends "${missing[@]}" >/dev/null \
        || die "apt-get could not install ${missing[*]}"
}

# unpack_packages NAME...: puts the programs of Debian packages into .venvs/debian, without installing them: an installed
# Prometheus would run as a service. Those that are on PATH already are left alone. NAME:PROGRAM is a package whose program
# is called otherwise.
unpack_packages() {
    local name program into=.venvs/debian
    export PATH="$PATH:$PWD/$into/usr/bin:$PWD/$into/usr/sbin"
    for name in "$@"; do
        program=${name#*:}
        name=${name%:*}
        command -v "$program" >/dev/null && continue
        command -v apt-get >/dev/null || die "$name is missing, and there is no apt-get to fetch it"
        say "fetching $name"
        mkdir -p "$into"
        (cd "$into" && { apt-get -qq download "$name" || { apt-get -qq update && apt-get -qq download "$name"; }; }) \
            >/dev/null 2>&1 || die "could not fetch the package $name: run  apt-get update"
        dpkg-deb -x "$into/${name}"_*.deb "$into" || die "could not unpack the package $name"
    done
}

# unpack_from SUITE NAME...: the same with packages of another release of Debian, into .venvs/debian-SUITE, which is not on
# PATH. The tests that need what can't be had are skipped.
unpack_from() {
    local suite=$1 into=.venvs/debian-$1 missing=() name mirror options
    shift
    for name in "$@"; do [ -x "$into/usr/bin/$name" ] || missing+=("$name"); done
    [ ${#missing[@]} -eq 0 ] && return
    command -v apt-get >/dev/null || { say "no apt-get to fetch ${missing[*]} of Debian $suite" && return; }
    say "fetching ${missing[*]} of Debian $suite"
    # From the mirror that this machine uses, with lists of its own, so that those of the system stay as they are.
    mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' \
        | awk -v here="$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" '$1 == here { print $2; exit }')
    mkdir -p "$into/apt/lists/partial" "$into/apt/cache/archives/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$into/apt/sources.list"
    options=(-qq -o "Dir::Etc::SourceList=$PWD/$into/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$PWD/$into/apt/lists" -o "Dir::Cache=$PWD/$into/apt/cache" -o APT::Sandbox::User=root)
    (cd "$into" && apt-get "${options[@]}" update && apt-get "${options[@]}" download "${missing[@]}" \
        && for name in "${missing[@]}"; do dpkg-deb -x "$name"_*.deb . || exit; done) >/dev/null 2>&1 \
        || say "could not fetch ${missing[*]} of Debian $suite"
    rm -rf "$into/apt"
}

# need_swift: the toolchain can't be had from Debian, so it is only looked for.
need_swift() {
    local hint="Swift 6.2 or newer is needed; get it from https://www.swift.org/install/linux/"
    command -v swift >/dev/null || die "no swift on PATH. $hint"
    local banner version
    banner=$(swift --version 2>&1) || die "swift --version failed: $banner"
    version=$(sed -nE 's/.*Swift version ([0-9]+\.[0-9]+).*/\1/p' <<<"$banner" | head -n 1)
    [ -n "$version" ] || die "no version found in the answer of swift --version. $hint"
    [ "$(printf '%s\n6.2\n' "$version" | sort -V | head -n 1)" = 6.2 ] || die "this is Swift $version. $hint"
}

# What the toolchain itself is linked against (curl stands for its library, whose package has a new name in each
# release), and what compiling and linking takes beside it.
build_packages=(
    libncurses6 libxml2 curl
    git ca-certificates g++ pkg-config make tzdata zlib1g-dev libsystemd-dev
)
