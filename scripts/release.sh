#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds a product in release mode, with the Swift runtime in it: .build/release/PRODUCT. Usage: release.sh PRODUCT
set -euo pipefail
cd "$(dirname "$0")/.."

flags=(--static-swift-stdlib)
# Relative relocations in a form a twentieth as long: 1.6 MB less in the memory of each process, and a faster start.
# The loader knows it since glibc 2.36, the linker of the toolchain always.
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/.* //')
if [ -n "$glibc" ] && [ "$(printf '%s\n' 2.36 "$glibc" | sort -V | head -n 1)" = 2.36 ]; then
    flags+=(-Xswiftc -use-ld=lld -Xlinker -z -Xlinker pack-relative-relocs)
fi
exec swift build -c release "${flags[@]}" --product "$1"
