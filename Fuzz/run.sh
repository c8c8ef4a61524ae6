#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds the fuzzer and runs it for a number of seconds (60 unless told). What it learns stays in Fuzz/corpus; an input
# that breaks a property is written to Fuzz/crash-*, and the exit status is then not 0.
#
#     Fuzz/run.sh [SECONDS]
#     Fuzz/run.sh -- crash-…      runs the fuzzer on that one input
set -eu
cd "$(dirname "$0")"
echo "fuzz: building"
swift build --configuration release --product fuzz
fuzzer="$(swift build --configuration release --show-bin-path)/fuzz"
# A failed property is libFuzzer's to report: Swift's own crash handler would come first and keep the input from being
# written.
export SWIFT_BACKTRACE=enable=no
# Leaks are not looked for: the runtime keeps metadata for good.
if [ "${1-}" = "--" ]; then
    shift
    exec "$fuzzer" -detect_leaks=0 "$@"
fi
seconds="${1:-60}"
mkdir -p corpus
echo "fuzz: running for $seconds s"
"$fuzzer" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -detect_leaks=0 -dict=dictionary.txt \
    -print_final_stats=1 corpus seeds
echo "fuzz: nothing found in $seconds s"
