#!/usr/bin/env python3
"""Times the compiler on a translation unit with the umbrella header and one AdaTT model, and on one
that trains and scores it, too.

    compile_time.py [--compiler g++] [--eigen DIR] [--runs 5]

Prints medians in seconds of user time, which a busy machine stretches less than the wall clock's:
for the units, and for what they are made of.
"""
import argparse
import pathlib
import resource
import statistics
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parent.parent / "include"
MODEL = (HERE / "model.cpp").read_text()
TRAIN_AND_SCORE = (HERE / "train_and_score.cpp").read_text()


def user_seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(command, check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--eigen", default="/usr/include/eigen3", help="directory of Eigen/Core")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()

    stages = [
        ("Eigen/Core parsed", "#include <Eigen/Core>\n", "-fsyntax-only"),
        ("plait/plait.hpp parsed", "#include <plait/plait.hpp>\n", "-fsyntax-only"),
        ("a model, run forward and backward, -O0", MODEL, "-O0"),
        ("a model, run forward and backward, -O2", MODEL, "-O2"),
        ("with trainer and scorer, templates instantiated", TRAIN_AND_SCORE, "-fsyntax-only"),
        ("with trainer and scorer, -O0", TRAIN_AND_SCORE, "-O0"),
        ("with trainer and scorer, -O2", TRAIN_AND_SCORE, "-O2"),
    ]
    print(f"| {options.compiler}, C++20 | seconds |\n| --- | --- |")
    with tempfile.TemporaryDirectory() as directory:
        source = pathlib.Path(directory) / "unit.cpp"
        command = [options.compiler, "-std=c++20", "-I", str(INCLUDE), "-isystem", options.eigen,
                   "-c", str(source), "-o", f"{directory}/unit.o"]
        for name, text, mode in stages:
            source.write_text(text)
            times = [user_seconds(command + [mode]) for _ in range(options.runs)]
            print(f"| {name} | {statistics.median(times):.2f} |", flush=True)


if __name__ == "__main__":
    main()
