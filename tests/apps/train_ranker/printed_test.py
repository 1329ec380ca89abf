"""What train_ranker prints fits its lines, in any locale; and a run that fails leaves the others alone.

    printed_test.py <train_ranker>
"""

import pathlib
import re
import subprocess
import sys
import tempfile

QUICK = ["--data", "synthetic", "--rows", "400", "--inputs", "8", "--levels", "8,4", "--towers", "4"]


def run(program, *options, code=0, locale="C"):
    done = subprocess.run([program, *QUICK, *options], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, encoding="utf-8",
                          env={"LC_ALL": locale})
    assert done.returncode == code, f"exit code {done.returncode}, expected {code}\n{done.stderr}"
    return done


def of_table(out):
    lines = out.splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.startswith("model ")):]


def fits(program):
    options = ["--models", "single-task,shared-bottom", "--balancer", "equal,nash-mtl",
               "--epochs", "1", "--seeds"]
    precision = ["--precision", "bf16", "--precision-bound", "1e-9"]
    for more in (["1"], ["1,2"], ["1,2", *precision]):
        out = run(program, *options, *more).stdout
        assert out.isascii(), out
        assert "nan" not in out, out
        wide = [line for line in of_table(out) if len(line) > 80]
        assert not wide, wide
    assert " +- " in out, out
    assert " ± " in run(program, *options, "1,2", locale="C.UTF-8").stdout


def fails(program, names, seeds, *options, failed=None):
    """Runs fail on stderr, in the output and in the page; the rest is in all tables."""
    with tempfile.TemporaryDirectory() as directory:
        table = pathlib.Path(directory, "table.csv")
        page = pathlib.Path(directory, "page.html")
        done = run(program, "--models", ",".join(names), "--seeds", ",".join(seeds), "--epochs",
                   "3", *options, "--csv", table, "--report", page, code=1)
        rows = [line.split(",") for line in table.read_text().splitlines()[1:]]
        html = page.read_text(encoding="utf-8")
    runs = {name: len(seeds) for name in names}
    found = []
    for error in done.stderr.splitlines():
        told = re.fullmatch(r"train_ranker: ((.+), seed ([0-9]+), epoch [1-3]: plait::.+)", error)
        assert told, error
        found.append((told[2], told[3]))
        runs[told[2]] -= 1
        assert f"Failed: {told[1]}" in " ".join(done.stdout.split()), done.stdout
        assert f"Failed: {told[1]}" in html, error
    assert found and (failed is None or found == failed), done.stderr
    left = {name: str(count) for name, count in runs.items() if count > 0}
    assert {row[0]: row[2] for row in rows} == left, rows
    for name in left:
        assert any(line.startswith(name + " ") for line in of_table(done.stdout)), done.stdout


def refuses_nothing_else(program):
    """A file that cannot be written in the end does not keep the others from being."""
    with tempfile.TemporaryDirectory() as directory:
        page = pathlib.Path(directory, "page.html")
        done = run(program, "--models", "mmoe", "--epochs", "1", "--seeds", "1", "--csv",
                   "/dev/full", "--report", page, code=2)
        assert done.stderr == "train_ranker: --csv: cannot write /dev/full\n", done.stderr
        assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def main():
    program = sys.argv[1]
    fits(program)
    sgd = ["--stitch", "ones", "--optimizer", "sgd", "--learning-rate"]
    fails(program, ["single-task", "cross-stitch", "mmoe"], ["1"], *sgd, "3",
          failed=[("cross-stitch", "1")])
    fails(program, ["single-task", "cross-stitch"], ["1", "2", "3"], *sgd, "1")  # of one, a seed
    fails(program, ["single-task", "mmoe"], ["1", "2"], "--optimizer", "sgd", "--learning-rate",
          "1000", failed=[(name, seed) for name in ("single-task", "mmoe") for seed in "12"])
    if pathlib.Path("/dev/full").exists():
        refuses_nothing_else(program)


main()
