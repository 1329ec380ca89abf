#!/usr/bin/env bash
# On Debian 12: installs what is missing, builds the library's tests for 64-bit ARM and runs them under qemu, so
# that the NEON kernels are tested on any machine. Arguments go to ctest:
#
#   scripts/neon.sh -R kernels
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=build/neon
tests=(core kernels layers fusion architectures model losses optim metrics methods inspect train serve testing traps
       golden io nomalloc threads)

scripts/install_dependencies.sh --neon >&2

# The packages of headers lie beside this machine's own system headers: a root with them alone.
root=$build/root/usr
mkdir -p "$root"/{include,lib/cmake,share/cmake}
cp -r /usr/include/{catch2,nlohmann,eigen3} "$root/include/"
cp -r /usr/lib/cmake/Catch2 "$root/lib/cmake/"
rm -f "$root"/lib/cmake/Catch2/Catch2Targets-*.cmake  # what is compiled for this machine
cp -r /usr/share/cmake/nlohmann_json "$root/share/cmake/"
cp -r /usr/share/eigen3 "$root/share/"

cmake --preset dev -B "$build" -DCMAKE_TOOLCHAIN_FILE="$PWD/scripts/cmake/aarch64.cmake" \
  -DCMAKE_FIND_ROOT_PATH="$PWD/$build/root" -DPLAIT_BUILD_EXAMPLES=OFF >&2
cmake --build "$build" --target "${tests[@]/%/_tests}" >&2
labels=$(IFS='|'; echo "${tests[*]}")
# python_exchange starts programs of both machines; nomalloc takes longer here than ctest lets it.
ctest --test-dir "$build" -L "^($labels)\$" -E 'python_exchange|^nomalloc/' --output-on-failure \
  -j "$(nproc)" "$@"
qemu-aarch64 -L /usr/aarch64-linux-gnu "$build/tests/nomalloc/nomalloc_tests"
