#!/usr/bin/env bash
# Installs what is missing, builds the tests and runs them. Arguments go to ctest:
#
#   scripts/test.sh                 all tests
#   scripts/test.sh -L core         those labelled core
#   scripts/test.sh -R consumer     those with "consumer" in their names
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/test

"$root/scripts/install_dependencies.sh"
# -O1 with assertions: compiles fast, and runs fast enough. Warnings are errors where CI=true.
cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O1 \
      -DPLAIT_LINK_COMPILED=ON -DPLAIT_WERROR="${CI:-OFF}"
cmake --build "$build"
ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel "$(nproc)" "$@"
