# SPDX-License-Identifier: Apache-2.0
"""Packs the proxy as `make deb` does, from the binary that the tests run."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from proxy_process import PROXY, ROOT

# What the linker read to make the debug binary.
OBJECTS = ROOT / ".build/debug/mcp-proxy.product/Objects.LinkFileList"
# Packing hard takes long, and is not what is looked at.
QUICK = {"DPKG_DEB_COMPRESSOR_TYPE": "gzip", "DPKG_DEB_COMPRESSOR_LEVEL": "1"}


def program(name):
    """The path of a program; the test is skipped without it."""
    return shutil.which(name) or pytest.skip(f"{name} is not installed (scripts/test.sh installs it)")


def is_self_contained(binary):
    shown = subprocess.run(["readelf", "-d", binary], capture_output=True, text=True, check=True).stdout
    return "libswiftCore" not in shown


def self_contained(directory):
    """The binary with the Swift runtime in it: a release takes minutes to build, so the objects are linked once more."""
    if is_self_contained(PROXY):
        return Path(PROXY)
    binary = directory / "mcp-proxy"
    # As scripts/release.sh has it linked; what SwiftPM calls main is called otherwise in the objects.
    options = ["-rpath=$ORIGIN", "-z", "pack-relative-relocs", "--defsym=main=mcp_proxy_main"]
    command = ["swiftc", "-static-stdlib", "-use-ld=lld", *(word for option in options for word in ("-Xlinker", option))]
    # Objects that were made for shared libraries don't name what a static FoundationEssentials needs itself.
    libraries = ("-lsystemd", "-lz", "-l_FoundationCollections", "-l_FoundationCShims")
    subprocess.run([*command, f"@{OBJECTS}", "-o", binary, *libraries], cwd=ROOT, check=True)
    return binary


def pack(binary, directory, **environment):
    """`make deb`; returns the finished process. The package lies in `directory`."""
    for name in ("dpkg-shlibdeps", "chrpath", "strip"):
        program(name)
    return subprocess.run(
        ["make", "--no-print-directory", "deb", f"BINARY={binary}", f"DIST={directory}"],
        cwd=ROOT,
        env={**os.environ, **QUICK, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def path_of(done):
    """The package that a finished `make deb` names."""
    assert done.returncode == 0, done.stderr
    return ROOT / done.stdout.strip()


def unpack(package, directory):
    """What is in a package, with what dpkg reads in DEBIAN."""
    subprocess.run(["dpkg-deb", "--raw-extract", package, directory], check=True)
    return directory


def newer(package, directory, version):
    """The same package in another version."""
    tree = unpack(package, directory / "newer")
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*", f"Version: {version}", control.read_text(), flags=re.M))
    into = directory / f"mcp-proxy_{version}.deb"
    command = ["dpkg-deb", "--root-owner-group", "--build", tree, into]
    subprocess.run(command, env={**os.environ, **QUICK}, check=True, stdout=subprocess.DEVNULL)
    return into
