#!/usr/bin/env bash
# On Debian 12: installs what is missing, then builds and runs README's program and a good part of the library's
# tests with clang 16 and libc++, which is what macOS has, and for Windows with mingw-w64, under wine.
#
#   scripts/portability.sh [libcxx|mingw]    one of them; both without an argument
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1-} in
  libcxx | mingw) systems=("$1") ;;
  "") systems=(libcxx mingw) ;;
  *) echo "usage: scripts/portability.sh [libcxx|mingw]" >&2; exit 2 ;;
esac
scripts/install_dependencies.sh --portability >&2

# check <build directory> <how to run a program, or env> <names of tests> <options of cmake>
check() {
  local build=$1 run=$2 tests test program programs=("$1/examples/quickstart")
  read -ra tests <<<"$3"
  shift 3
  for test in "${tests[@]}"; do programs+=("$build/tests/$test/${test}_tests"); done
  cmake --preset dev -B "$build" -DPLAIT_BUILD_APPS=OFF "$@" >&2
  cmake --build "$build" --target quickstart "${tests[@]/%/_tests}" >&2
  for program in "${programs[@]}"; do
    [[ -x $program ]] || program+=.exe
    echo "$program"
    "$run" "$program"
  done
}

check_libcxx() {
  check build/libcxx env "core train serve io threads" \
    -DCMAKE_CXX_COMPILER=clang++-16 -DCMAKE_CXX_FLAGS=-stdlib=libc++
}

check_mingw() {
  scripts/headers_root.sh build/mingw
  # Debian's wine64 alone puts no command on the path.
  local wine
  wine=$(command -v wine64 || echo /usr/lib/wine/wine64)
  export WINEPREFIX=$PWD/build/mingw/wine WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml="
  check build/mingw "$wine" "core serve io threads" \
    -DCMAKE_TOOLCHAIN_FILE="$PWD/scripts/cmake/mingw.cmake" -DCMAKE_FIND_ROOT_PATH="$PWD/build/mingw/root" \
    -DCMAKE_CROSSCOMPILING_EMULATOR="$wine"
}

for system in "${systems[@]}"; do "check_$system"; done
