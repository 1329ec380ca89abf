"""train_ranker --report changes nothing that is printed, and the page holds every model, task and level.

    report_test.py <train_ranker>
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

MODELS = ["single-task", "cross-stitch", "adatt"]
TASKS = ["click", "dwell", "buy"]
OPTIONS = ["--models", ",".join(MODELS), "--data", "synthetic", "--rows", "400", "--inputs", "8", "--levels", "8,4"]
OPTIONS += ["--towers", "4", "--epochs", "2", "--seeds", "1,2"]


def run(program, *more):
    """What it prints, without the times, and its table's fields without them."""
    with tempfile.TemporaryDirectory() as directory:
        table = pathlib.Path(directory, "table.csv")
        done = subprocess.run([program, *OPTIONS, "--csv", table, *more], check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        fields = [line.split(",")[:-2] for line in table.read_text().splitlines()]
    epochs = re.sub(r"  [0-9,]+ rows/s", "", done.stdout)
    untimed = re.sub(r" +[0-9.]+ +[0-9,]+$", "", epochs, flags=re.MULTILINE)
    return re.sub(r" +", " ", re.sub(r"--+", "--", untimed)), fields  # widths are of times, too


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "report.html")
        with_report = run(program, "--report", path)
        html = path.read_text(encoding="utf-8")
    without = run(program)
    assert with_report == without, f"--report changed the run:\n{with_report}\n{without}"

    page = xml.etree.ElementTree.fromstring(html.replace("<!DOCTYPE html>", "", 1))
    titles = [title.text for title in page.iter("title")]
    pictures = [svg.get("aria-label", "") for svg in page.iter("svg")]
    headings = [heading.text for heading in page.iter("h3")]
    for model in MODELS:
        for epoch in (1, 2):
            assert any(f"{model}, seed 2, epoch {epoch}: " in title for title in titles), model
    for task in TASKS:
        assert any(f"{task}: validation " in picture for picture in pictures), task
    for first, second in (("click", "dwell"), ("click", "buy"), ("dwell", "buy")):
        assert f"{second} against {first}" in pictures, (first, second)
    # Nothing is to choose among the experts of the baseline.
    assert headings == ["cross-stitch, seed 1", "adatt, seed 1"], headings
    for level in (1, 2):
        assert pictures.count(f"Level {level}, mean gate weights") == 1, level
        assert pictures.count(f"Level {level}, static weights") == 2, level
    # A gate's weights sum to 1.
    for task in TASKS:
        weights = [float(title.rsplit(" ", 1)[1]) for title in titles
                   if title.startswith(f"level 2, mean gate weights\n{task}, ")]
        assert len(weights) == 6 and abs(sum(weights) - 1) < 1e-3, (task, weights)
    # The table is the one that is printed; marks have its numbers in their titles.
    rows = [[cell.text for cell in row.iter("td")] for row in page.iter("tr")]
    for model, fields in zip(MODELS, with_report[1][1:]):
        cell = f"{float(fields[3]):.4f} ± {float(fields[4]):.4f}"
        row = next(row for row in rows if row and row[0] == model)
        assert row[2] == cell, (row, cell)
        if model != "single-task":
            marks = f"{model}, mean of 2 seeds\nclick AUC {cell}, gain "
            assert sum(title.startswith(marks) for title in titles) == 2, marks


main()
