#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes one Python environment in .venvs/ for each Tests/Integration/requirements-NAME.txt, and leaves alone those
# that are up to date. Each client and each server has its own: they need different versions of the same packages.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/prepare.sh

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "Python 3.11 or newer is needed (set PYTHON)"

# Builds the environment of one requirements file.
make_venv() {
    local requirements=$1 name venv log stamp
    name=$(basename "$requirements" .txt)
    name=${name#requirements-}
    venv=.venvs/$name
    # An environment can't be moved, and is bound to its interpreter.
    stamp="$PWD with $("$python" -c 'import sys; print(sys.executable, sys.version)'), $(cat "$requirements")"
    [ "$(cat "$venv/stamp" 2>/dev/null)" = "$stamp" ] && return
    log=.venvs/$name.log
    rm -rf "$venv"
    if "$python" -m venv "$venv" >"$log" 2>&1 \
        && "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" >>"$log" 2>&1; then
        printf '%s\n' "$stamp" >"$venv/stamp"
        say "made .venvs/$name"
    else
        cat "$log" >&2
        die "could not make .venvs/$name"
    fi
}

mkdir -p .venvs
# Two at a time: creating one is as much waiting for the network as computing.
running=()
for requirements in Tests/Integration/requirements-*.txt; do
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do sleep 0.1; done
    make_venv "$requirements" &
    running+=($!)
done
status=0
for job in "${running[@]}"; do wait "$job" || status=1; done
exit $status
