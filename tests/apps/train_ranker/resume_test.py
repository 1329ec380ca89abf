"""train_ranker, ended by a signal, leaves a checkpoint and a model, and --resume goes on from there.

    resume_test.py <train_ranker>
"""

import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

# Checkpoints come from signals alone.
OPTIONS = ["--models", "mmoe", "--rows", "2000", "--inputs", "8", "--levels", "8,4", "--towers",
           "4", "--experts", "60", "--epochs", "6", "--batch", "10", "--checkpoint-every", "1000000"]


def command(program, folder):
    return [program, *OPTIONS, "--checkpoint-dir", folder / "checkpoints", "--save",
            folder / "model", "--report", folder / "page.html", "--resume"]


def interrupted(program, folder, number):
    """Ended after the second epoch; what it printed."""
    process = subprocess.Popen(command(program, folder), stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    out = ""
    for line in process.stdout:
        out += line
        if " epoch 2/" in line:
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


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as directory:
        whole = pathlib.Path(directory, "whole")
        whole.mkdir()
        subprocess.run(command(program, whole), check=True, stdout=subprocess.DEVNULL)
        for number in (signal.SIGINT, signal.SIGTERM):
            folder = pathlib.Path(directory, str(int(number)))
            folder.mkdir()
            out = interrupted(program, folder, number)
            words = " ".join(out.split())
            assert re.search(r"interrupted, with the weights of epoch [1-5]\n", out), out
            assert f"{folder / 'model'} holds the model so far" in words, out
            assert "the same options and --resume go on from it" in words, out
            assert len(list((folder / "checkpoints").glob("*.safetensors"))) == 1
            assert (folder / "model").stat().st_size == (whole / "model").stat().st_size
            subprocess.run(command(program, folder), check=True, stdout=subprocess.DEVNULL)
            assert (folder / "model").read_bytes() == (whole / "model").read_bytes()
            assert curves(folder) == curves(whole), (curves(folder), curves(whole))
            assert any(", epoch 1: " in title for title in curves(folder))


main()
