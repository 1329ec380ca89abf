#!/usr/bin/env bash
# Installs what is missing, builds the benchmarks with their peers as users do, without a flag for
# this machine, runs them and prints the tables of docs/benchmarks.md. Takes about ten minutes once built. Arguments go to
# every program:
#
#   scripts/bench.sh --rounds=21
#   scripts/bench.sh --benchmark_filter=AdaTT
#
# Every round of every contestant stays in build/bench/results/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
results=build/bench/results

scripts/install_dependencies.sh --bench --torch >&2
cmake --preset bench -DPLAIT_BUILD_EXAMPLES=OFF -DPLAIT_BUILD_APPS=OFF >&2
cmake --build --preset bench --target benchmarks >&2
mkdir -p "$results"

for program in serving training balancing kernels scaling; do
  build/bench/bench/$program --benchmark_out="$results/$program.json" "$@" >&2
done
build/bench/bench/serving --instruction_sets --benchmark_filter=^sets/ \
                          --benchmark_out="$results/sets.json" >&2
for program in serving training kernels; do
  python3 bench/compare.py --tables "$results/$program.json"
  echo
done
python3 bench/compare.py --each --ours full "$results/serving.json"
echo
python3 bench/compare.py --each --ours SSE2 "$results/sets.json"
echo
python3 bench/compare.py --peers --ours PCGrad "$results/balancing.json"
echo
python3 bench/compare.py --tables --ours 2 "$results/scaling.json"
echo
for library in plait torch; do build/bench/bench/training_memory $library; done
echo
cmake --build --preset bench --target compile_time
