#!/usr/bin/env bash
# Formats every C++ file under version control in place; with --check changes nothing and fails
# where that would change something.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1-} in
  "") mode=(-i) ;;
  --check) mode=(--dry-run --Werror) ;;
  *) echo "usage: scripts/format.sh [--check]" >&2; exit 2 ;;
esac
git ls-files -z '*.hpp' '*.inl' '*.cpp' | xargs -0 clang-format "${mode[@]}"
