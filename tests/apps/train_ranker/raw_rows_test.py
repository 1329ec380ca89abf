"""train_ranker learns from a CSV file of clicks: described, trained, compared, refused.

    raw_rows_test.py <train_ranker>
"""

import pathlib
import random
import re
import subprocess
import sys
import tempfile

QUICK = ["--levels", "8,4", "--towers", "4", "--experts", "4", "--shared-experts", "2", "--epochs",
         "2", "--models", "single-task,adatt", "--seeds", "1,2"]


def write(path):
    draw = random.Random(1)
    lines = ["user_id,item_id,price,click,watch"]
    for _ in range(1000):
        user, item = draw.randrange(20), draw.randrange(30)
        click = draw.random() < (0.9 if (user + item) % 2 else 0.1)
        watch = f"{draw.gauss(user, 1):.2f}" if click else ""
        lines.append(f"{user},{item},{draw.random():.3f},{int(click)},{watch}")
    path.write_text("\n".join(lines) + "\n")


def run(program, *options, code=0):
    done = subprocess.run([program, *options], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    assert done.returncode == code, f"exit code {done.returncode}, expected {code}\n{done.stderr}"
    return done


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        rows, described = folder / "clicks.csv", folder / "features.json"
        write(rows)
        data = ["--data", rows, "--tasks", "click,watch:regression"]
        assert run(program, *data, "--describe", described).stdout == ""
        tables = []
        for name, more in (("inferred", []), ("described", ["--features", described]),
                           ("threads", ["--threads", "2"])):
            table, page = folder / f"{name}.csv", folder / f"{name}.html"
            done = run(program, *data, *QUICK, *more, "--csv", table, "--report", page,
                       "--precision", "bf16")
            told = "Features, inferred (--describe writes them, --features takes them): user_id " \
                   "vocabulary 16, item_id vocabulary 16, price number"
            words = " ".join(done.stdout.split())
            assert (told in words) == (not more or name == "threads"), words
            assert re.search(r"33 inputs, 54 rows in 2 tables", words), words
            tables.append([line.split(",")[:-2] for line in table.read_text().splitlines()])
            html = page.read_text(encoding="utf-8").replace("\n", "")
            assert "Features and tables" in html, html
            assert "<td>user_id</td><td>vocabulary</td><td>user_id</td><td>20</td>" in html, html
            assert "single-task norm (largest)" in html and "adatt norm (largest)" in html, html
        assert tables[0] == tables[1] == tables[2], tables
        # The model of raw rows, with ids and of numbers alone.
        numbers = folder / "numbers.json"
        numbers.write_text('{"features": [{"name": "price", "kind": "number"}]}')
        growing = folder / "growing.json"
        growing.write_text('{"features": [{"name": "item_id", "kind": "growing", "dim": 4, "rows": 20, "admission": 2}]}')
        for name, more in (("ids", []), ("numbers", ["--features", numbers]),
                           ("growing", ["--features", growing])):
            made = folder / name
            run(program, *data, "--models", "mmoe", "--epochs", "1", *more, "--save", made)
            content = made.read_bytes()
            for what in (b"plait.features", b"plait.embeddings", b"plait.self_test.raw.values"):
                assert what in content, what


main()
