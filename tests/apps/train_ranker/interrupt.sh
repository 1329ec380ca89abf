#!/bin/sh
# Interrupts train_ranker ($1) while its second model trains: it has to end with exit code 130 and
# a table that holds the first model and not the second.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
out=$directory/out

# The experts slow the second model down and not the first: it is still training when it is stopped.
"$1" --models single-task,mmoe --seeds 1 --data synthetic --rows 400 --inputs 10 --levels 8,4 --towers 4 \
  --experts 300 --epochs 300 --csv "$directory/table.csv" >"$out" 2>&1 &
program=$!
until grep -q '^mmoe .* epoch 1/' "$out"; do
  kill -0 "$program" || { echo "ended before it was interrupted"; cat "$out"; exit 1; }
  sleep 0.02
done
kill -INT "$program"
code=0
wait "$program" || code=$?

fail() {
  echo "$1"
  tail -n 20 "$out"
  exit 1
}
[ "$code" -eq 130 ] || fail "exit code $code, expected 130"
sed -n '/^model /,$p' "$out" >"$directory/table"
grep -q '^single-task  ' "$directory/table" || fail "the first model is not in the table"
! grep -q '^mmoe' "$directory/table" || fail "the second model is in the table"
grep -q '^Interrupted' "$directory/table" || fail "the interruption is not mentioned"
[ "$(wc -l <"$directory/table.csv")" -eq 2 ] || fail "the CSV file is not a header and one model"
