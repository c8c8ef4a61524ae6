#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs all tests: formatting, the unit tests in Swift, and the integration tests, in which real clients and servers
# meet the real binary. Ends with one line, "N passed, N failed". With CI=true a skipped test is a failed one.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/prepare.sh

workers=${WORKERS:-$(n=$(($(nproc) * 2)); echo $((n > 4 ? 4 : n)))}
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
passed=0
failed=0

# step NAME COMMAND...: runs a command, says how long it took, and returns its status.
step() {
    local name=$1 started=$SECONDS status=0
    shift
    say "$name"
    ("$@") || status=$?
    say "$name: $([ $status -eq 0 ] && echo ok || echo "FAILED ($status)") after $((SECONDS - started)) s"
    return $status
}

# finish: the one line that sums up.
finish() {
    say "all of it took $SECONDS s"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}

# A step that counts as one test.
check() { if step "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi; }

# A step without which the rest makes no sense.
must() {
    step "$@" || {
        failed=$((failed + 1))
        finish
    }
}

lint() { make --no-print-directory lint; }

# Says all there is to say of a failure, and one line otherwise.
swift_tests() {
    local status=0
    swift test --skip-build >"$log/swift" 2>&1 || status=$?
    if [ $status -eq 0 ]; then grep 'Test run with' "$log/swift"; else cat "$log/swift"; fi
    return $status
}

# integration_tests LOG ARGUMENT...: runs those that the arguments of pytest choose.
integration_tests() {
    local into=$1
    shift
    .venvs/pytest/bin/python -m pytest Tests/Integration "$@" 2>&1 | tee "$into"
    return "${PIPESTATUS[0]}"
}

# integrate NAME ARGUMENT...: the same, counted.
integrate() {
    local name=$1 status=0 broken
    shift
    step "$name" integration_tests "$log/pytest" "$@" || status=$?
    broken=$(($(count '^=.* ([0-9]+) failed.*' "$log/pytest") + $(count '^=.* ([0-9]+) errors?.*' "$log/pytest")))
    if [ $status -ne 0 ] && [ "$broken" -eq 0 ]; then broken=1; fi
    passed=$((passed + $(count '^=.* ([0-9]+) passed.*' "$log/pytest")))
    failed=$((failed + broken))
}

# count PATTERN FILE: the sum of the numbers the pattern's first group matches.
count() { sed -nE "s/$1/\\1/p" "$2" | awk '{ sum += $1 } END { print sum + 0 }'; }

must "packages" need_packages "${build_packages[@]}" python3 python3-venv systemd podman
# What checks the Debian package, its man page and its completions.
must "packages for the package" need_packages binutils chrpath dpkg-dev lintian man-db bash-completion zsh fish
# Not as a step, which is a shell of its own: it adds to PATH.
unpack_packages prometheus prometheus-alertmanager prometheus-blackbox-exporter
# Docker, which the tests start for themselves.
unpack_packages docker.io:dockerd containerd runc tini:tini-static
# Prometheus 3, for native histograms.
unpack_from forky prometheus promtool
must "toolchain" need_swift

check formatting lint
check "generated files" scripts/catalogue.py --check
must "building (debug, with tests)" swift build --build-tests
must "Python environments" scripts/venvs.sh
must "machine to boot" scripts/machine.sh

status=0
step "unit tests" swift_tests || status=$?
total=$(count '.*Test run with ([0-9]+) tests?.*' "$log/swift")
broken=$(grep -cE '^[^[:alnum:]]*Test .* failed after ' "$log/swift")
grep -qE 'Test run with .* failed' "$log/swift" && broken=$((broken - 1))
skipped=$(grep -cE '^[^[:alnum:]]*(Test|Suite) .* skipped' "$log/swift")
# A run that fails without naming a test (it crashed, or ran nothing) is one failure.
if { [ $status -ne 0 ] || [ "$total" -eq 0 ]; } && [ "$broken" -le 0 ]; then broken=1; fi
passed=$((passed + (total > broken + skipped ? total - broken - skipped : 0)))
failed=$((failed + broken))
if [ "${CI:-}" = true ] && [ "$skipped" -gt 0 ]; then
    say "$skipped unit tests were skipped; with CI=true that is a failure"
    failed=$((failed + skipped))
fi

integrate "integration tests, $workers at a time" -m "not alone and not machine" -n "$workers"
integrate "integration tests on booted machines" -m machine -n 2 --dist loadfile
integrate "integration tests that need the machine for themselves" -m alone -s

finish
