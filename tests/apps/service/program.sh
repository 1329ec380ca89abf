#!/bin/sh
# ranking_service ($1) as a program: asked by ranking_load ($2) while models that $3 writes are
# reloaded, fed malformed requests, and ended by SIGTERM.
set -eu
directory=$(mktemp -d)
trap 'kill "$program" 2>/dev/null || true; rm -rf "$directory"' EXIT
program=
out=$directory/out
fail() {
  echo "$1"
  cat "$out" "$directory/err"
  exit 1
}

"$3" "$directory/model" 1
"$1" "$directory/model" --port 0 --user-columns 0-2 --weight click=1 --watch 20 --drain 2000 \
  >"$out" 2>"$directory/err" &
program=$!
until grep -q listening "$out"; do
  kill -0 "$program" || fail "ended before it was asked"
  sleep 0.02
done
port=$(sed -n 's/.*:\([0-9]*\)$/\1/p' "$out")

"$2" --port "$port" --rows 20 --connections 4 --seconds 1 --reload-every 0.01
"$2" --port "$port" --rows 20 --connections 4 --requests 2000
"$2" --port "$port" --rows 3 --malformed 300

"$3" "$directory/new" 2
mv "$directory/new" "$directory/model"
for _ in $(seq 200); do
  grep -q '{"version":' "$directory/err" && break
  sleep 0.02
done
grep -q '{"version":' "$directory/err" || fail "the watched file was not loaded"

kill -TERM "$program"
code=0
wait "$program" || code=$?
[ "$code" -eq 0 ] || fail "exit code $code, expected 0"
grep -q draining "$out" || fail "did not say that it drains"
