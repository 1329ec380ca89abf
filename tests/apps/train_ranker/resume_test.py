"""train_ranker, ended by a signal, leaves a checkpoint and a model, and --resume goes on from there:
of rows of numbers and of raw rows with ids, whose tables are fixed or grow.

    resume_test.py <train_ranker>
"""

import json
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

# Checkpoints come from signals alone.
OPTIONS = ["--models", "mmoe", "--levels", "8,4", "--towers", "4", "--experts", "60", "--epochs", "6",
           "--batch", "10", "--checkpoint-every", "1000000"]
NUMBERS = ["--data", "synthetic", "--rows", "2000", "--inputs", "8"]


def write_clicks(path):
    draw = random.Random(1)
    lines = ["user_id,item_id,price,click,watch"]
    for _ in range(2500):
        user, item = draw.randrange(40), draw.randrange(60)
        click = draw.random() < (0.9 if (user + item) % 2 else 0.1)
        lines.append(f"{user},{item},{draw.random():.3f},{int(click)},{user if click else ''}")
    path.write_text("\n".join(lines) + "\n")


def raw_rows(folder):
    """Options of a file of clicks whose users' table grows and forgets, at rates whose best epoch is an
    early one."""
    rows, features = folder / "clicks.csv", folder / "features.json"
    write_clicks(rows)
    features.write_text(json.dumps({"features": [
        {"name": "user_id", "kind": "growing", "dim": 4, "rows": 30, "admission": 2},
        {"name": "item_id", "kind": "vocabulary", "dim": 8},
        {"name": "price", "kind": "number"}]}))
    return ["--data", rows, "--tasks", "click,watch:regression", "--features", features,
            "--learning-rate", "0.03", "--row-learning-rate", "1"]


def command(program, data, folder):
    return [program, *OPTIONS, *data, "--checkpoint-dir", folder / "checkpoints", "--save",
            folder / "model", "--report", folder / "page.html", "--resume"]


def interrupted(program, data, folder, number):
    """Ended in the last epoch; what it printed."""
    process = subprocess.Popen(command(program, data, folder), stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    out = ""
    for line in process.stdout:
        out += line
        if " epoch 5/" in line:
            process.send_signal(number)
    code = process.wait()
    assert code == 128 + number, f"exit code {code}, expected {128 + number}\n{out}"
    return out


def curves(folder):
    """Titles of the points of all curves."""
    html = (folder / "page.html").read_text(encoding="utf-8")
    page = xml.etree.ElementTree.fromstring(html.replace("<!DOCTYPE html>", "", 1))
    titles = [title.text for title in page.iter("title")]
    return [title for title in titles if ", epoch " in title]


def check(program, data, directory):
    whole = directory / "whole"
    whole.mkdir(parents=True)
    done = subprocess.run(command(program, data, whole), check=True, stdout=subprocess.PIPE, text=True)
    last = [line for line in done.stdout.splitlines() if " epoch 6/" in line]
    if data is not NUMBERS:  # what is kept of an epoch before counts in the end
        assert not last[0].rstrip().endswith("*"), done.stdout
    for number in (signal.SIGINT, signal.SIGTERM):
        folder = directory / str(int(number))
        folder.mkdir()
        out = interrupted(program, data, folder, number)
        words = " ".join(out.split())
        assert re.search(r"interrupted, with the weights of epoch [1-5]\n", out), out
        assert f"{folder / 'model'} holds the model so far" in words, out
        assert "the same options and --resume go on from it" in words, out
        assert len(list((folder / "checkpoints").glob("checkpoint-*.safetensors"))) == 1
        best = list((folder / "checkpoints").glob("best-*.safetensors"))
        assert len(best) == (0 if data is NUMBERS else 1), best
        if data is NUMBERS:  # tables that grow have other ids by then
            assert (folder / "model").stat().st_size == (whole / "model").stat().st_size
        subprocess.run(command(program, data, folder), check=True, stdout=subprocess.DEVNULL)
        assert (folder / "model").read_bytes() == (whole / "model").read_bytes()
        assert curves(folder) == curves(whole), (curves(folder), curves(whole))
        assert any(", epoch 1: " in title for title in curves(folder))


def check_other_rows(program, data, directory):
    """Of a file that is another one now nothing goes on."""
    with data[1].open("a") as rows:
        rows.write("1,1,0.5,1,1\n")
    done = subprocess.run(command(program, data, directory), stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2, done
    assert " is of other rows or features: got those of hash " in done.stderr, done.stderr


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        check(program, NUMBERS, folder / "numbers")
        data = raw_rows(folder)
        check(program, data, folder / "raw")
        check_other_rows(program, data, folder / "raw" / str(int(signal.SIGINT)))


main()
