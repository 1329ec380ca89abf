#!/usr/bin/env bash
# Installs what is missing, builds apps/train_ranker with full optimisation and runs it with the
# given arguments. What the build says goes to standard error.
#
#   scripts/run.sh --help
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/run

{
  "$root/scripts/install_dependencies.sh"
  cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DPLAIT_BUILD_TESTS=OFF \
        -DPLAIT_LINK_COMPILED=ON
  cmake --build "$build" --target train_ranker
} >&2
exec "$build/apps/train_ranker" "$@"
