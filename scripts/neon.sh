#!/usr/bin/env bash
# On Debian 12: installs what is missing, builds the library's tests for 64-bit ARM and runs them under qemu, so
# that the NEON kernels are tested on any machine. Arguments go to ctest:
#
#   scripts/neon.sh -R kernels
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=build/neon
tests=(core kernels layers fusion architectures model losses optim penalties metrics methods inspect train serve testing traps
       golden io nomalloc threads)

scripts/install_dependencies.sh --neon >&2
scripts/headers_root.sh "$build"

cmake --preset dev -B "$build" -DCMAKE_TOOLCHAIN_FILE="$PWD/scripts/cmake/aarch64.cmake" \
  -DCMAKE_FIND_ROOT_PATH="$PWD/$build/root" -DPLAIT_BUILD_EXAMPLES=OFF >&2
cmake --build "$build" --target "${tests[@]/%/_tests}" >&2
labels=$(IFS='|'; echo "${tests[*]}")
# python_exchange starts programs of both machines; nomalloc takes longer here than ctest lets it.
ctest --test-dir "$build" -L "^($labels)\$" -E 'python_exchange|^nomalloc/' --output-on-failure \
  -j "$(nproc)" "$@"
qemu-aarch64 -L /usr/aarch64-linux-gnu "$build/tests/nomalloc/nomalloc_tests"
