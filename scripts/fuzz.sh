#!/usr/bin/env bash
# Fuzzes the readers of files and the ranking service with libFuzzer: scripts/fuzz.sh [seconds per target, default 60].
# Findings are written to build/fuzz/findings; commit them to tests/fuzz/regressions/<target>.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-60}
[[ $seconds =~ ^[0-9]+$ ]] || { echo "usage: scripts/fuzz.sh [seconds per target]" >&2; exit 2; }

cmake --preset fuzz > /dev/null
cmake --build --preset fuzz --target fuzz_safetensors fuzz_model fuzz_sealed_model fuzz_sealed_checkpoint \
      fuzz_rows fuzz_sealed_encoder fuzz_sealed_ranker fuzz_sealed_tables fuzz_request
mkdir -p build/fuzz/findings
run() {
  mkdir -p "build/fuzz/corpus/$1"
  "build/fuzz/tests/fuzz/fuzz_$1" -max_total_time="$seconds" -max_len="$2" -timeout=10 \
    -rss_limit_mb=2048 -malloc_limit_mb=64 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/findings/$1-" "${@:3}" \
    "build/fuzz/corpus/$1" "tests/fuzz/seeds/$1" $(ls -d "tests/fuzz/regressions/$1" 2> /dev/null)
}
# Bytes of an input: files of 1 MB, with room for 200 KB of brackets; a list of changes.
run safetensors 1048576
run model 1048576 -dict=tests/fuzz/model.dict
run sealed_model 512
run sealed_checkpoint 512
run sealed_encoder 512
run sealed_ranker 512
run rows 65536
run sealed_tables 512
run request 131072 -dict=tests/fuzz/request.dict -detect_leaks=0
