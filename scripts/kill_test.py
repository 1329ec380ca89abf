#!/usr/bin/env python3
"""Kills a training run at random instants and resumes it, until it has been killed often enough.

    scripts/kill_test.py <train_ranker> [--raw-rows] [--kills 300] [--seed 1]
    scripts/kill_test.py <train_tables> --tables [--kills 300] [--seed 1]

A run trains a small model and writes a checkpoint every other step; with --raw-rows, one of ids,
whose checkpoints are full ones, deltas and a file of the best epoch's tables; with --tables, one of
tests/io/train_tables.cpp, full ones and deltas. It is killed with SIGKILL after a random time,
resumed, killed again, and so on; a run that gets to its end must have written the very bytes that an
uninterrupted run wrote. A checkpoint that no run can be resumed from fails the test, as does any
error message. Standard library only.
"""
import argparse
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time


def command(arguments, checkpoints, model):
    if arguments.tables:
        return [arguments.program, str(checkpoints), str(model)]
    data = ["--data", "synthetic", "--rows", "600", "--inputs", "8"]
    if arguments.raw_rows:
        data = ["--data", str(checkpoints.parent / "clicks.csv"), "--tasks", "click"]
    return [arguments.program, "--models", "adatt", *data, "--levels", "4",
            "--towers", "3", "--epochs", "8", "--batch", "30", "--optimizer", "adam",
            "--checkpoint-dir", str(checkpoints), "--checkpoint-every", "2", "--resume",
            "--save", str(model)]


def write_clicks(path):
    draw = random.Random(1)
    rows = ["user_id,item_id,click"]
    for _ in range(750):
        user, item = draw.randrange(20), draw.randrange(30)
        rows.append(f"{user},{item},{int(draw.random() < (user + item) % 7 / 6)}")
    path.write_text("\n".join(rows) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--raw-rows", action="store_true")
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    rng = random.Random(arguments.seed)

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_clicks(folder / "clicks.csv")
        start = time.monotonic()
        subprocess.run(command(arguments, folder / "whole", folder / "whole.safetensors"),
                       check=True, stdout=subprocess.DEVNULL)
        whole_time = time.monotonic() - start
        expected = (folder / "whole.safetensors").read_bytes()

        kills = finished = resumed = torn = 0
        run = 0
        while kills < arguments.kills or finished == 0:
            checkpoints = folder / f"run{run}"
            model = folder / f"run{run}.safetensors"
            process = subprocess.Popen(command(arguments, checkpoints, model),
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            # Several kills per run: about a third of the time that is left.
            limit = rng.uniform(0, 0.6) * whole_time if kills < arguments.kills else None
            try:
                out, err = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                out, err = process.communicate()
            resumed += "Resumed from" in out
            torn += "Skipped" in out
            if process.returncode == -signal.SIGKILL:
                kills += 1
                continue
            if process.returncode != 0:
                sys.exit(f"after {kills} kills: exit code {process.returncode}: {err}")
            if model.read_bytes() != expected:
                sys.exit(f"after {kills} kills: other bytes than the uninterrupted run")
            finished += 1
            run += 1
        print(f"{kills} kills, {resumed} runs went on from a checkpoint ({torn} passed over a torn "
              f"one), {finished} reached the end, all with the bytes of the uninterrupted run")
        if resumed == 0:
            sys.exit("no run was resumed: the kills came too early to test anything")


if __name__ == "__main__":
    main()
