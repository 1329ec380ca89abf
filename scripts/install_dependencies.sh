#!/usr/bin/env bash
# Installs what plait needs on Debian 12, Ubuntu 24.04 and later, and does nothing when it is there.
#
#   scripts/install_dependencies.sh [--bench] [--clang] [--neon] [--portability] [--torch]
#
#   --bench  also Google Benchmark, and OpenBLAS and oneDNN, peers in the benchmarks
#   --clang  also clang, clang-format and clang-tidy
#   --neon   also a compiler for 64-bit ARM
#   --portability
#            also clang 16 with libc++, and a compiler for Windows with wine to run its programs
#   --torch  also LibTorch, a peer in the benchmarks, and OpenBLAS, without which it is slow
set -euo pipefail

packages=(g++ cmake ninja-build libeigen3-dev catch2 nlohmann-json3-dev libcli11-dev zlib1g-dev
          pkg-config libboost-dev libxxhash-dev python3 doxygen binutils qemu-user)
for option in "$@"; do
  case $option in
    --bench) packages+=(libbenchmark-dev libopenblas-dev libdnnl-dev) ;;
    --clang) packages+=(clang clang-format clang-tidy) ;;
    --neon) packages+=(g++-aarch64-linux-gnu) ;;
    --portability) packages+=(clang-16 libc++-16-dev libc++abi-16-dev g++-mingw-w64-x86-64-posix wine64) ;;
    --torch) packages+=(libtorch-dev libopenblas-dev) ;;
    *) echo "unknown option $option" >&2; exit 2 ;;
  esac
done

if ! command -v apt-get >/dev/null; then
  echo "No apt-get here: install a C++20 compiler, CMake >= 3.22, Ninja and zlib yourself." \
       "CMake downloads the libraries it does not find." >&2
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

echo "Installing ${missing[*]}" >&2
as_root=()
((EUID == 0)) || as_root=(sudo)
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  "${missing[@]}" >&2
