#!/usr/bin/env bash
# Puts the packages of headers that the tests need into <build directory>/root: for other machines they are found there
# alone, as beside them lie this machine's own system headers. Used by neon.sh and portability.sh.
set -euo pipefail
root=$1/root/usr
mkdir -p "$root"/{include,lib/cmake,share/cmake}
cp -rp /usr/include/{catch2,nlohmann,eigen3} "$root/include/"
cp -rp /usr/lib/cmake/Catch2 "$root/lib/cmake/"
rm -f "$root"/lib/cmake/Catch2/Catch2Targets-*.cmake  # what is compiled for this machine
cp -rp /usr/share/cmake/nlohmann_json "$root/share/cmake/"
cp -rp /usr/share/eigen3 "$root/share/"
