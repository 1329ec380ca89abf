#!/usr/bin/env python3
"""Proves that the tests can fail: seeds one defect at a time and requires them to catch it.

Each entry of tests/mutation/mutations.json replaces one piece of text in a copy of include/. The
checks of tests/mutation that see it are compiled and run until one fails, and one must; unmutated
all must pass. core/ and testing/ are not mutated: what sees only them is compiled once. Exits with
1 if a mutation survives, does not apply or does not compile. A mutant that crashes is caught too,
and counted apart from those that fail a check.
"""
import argparse
import concurrent.futures
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MUTATIONS = ROOT / "tests" / "mutation" / "mutations.json"
# The programs; what they share sees core/ and testing/ only.
CHECKS = ["losses", "penalties", "affinities", "reduced", "dselect", "routed", "embeddings", "training", "balancing", "layers"]
SHARED = [ROOT / "tests" / "mutation" / name for name in ("main.cpp", "layer_checks.cpp")]

# By directory of include/plait, the check that most likely fails: for others it is layers, and a
# mutation's "check" goes before.
LIKELY = {"inspect": "affinities", "losses": "losses", "methods": "balancing", "model": "reduced", "optim": "embeddings",
          "penalties": "penalties",
          "sparse": "embeddings", "train": "training"}

# What checks take from outside the library: compiled once for all mutations.
PRECOMPILED = """#include <Eigen/Core>
#include <condition_variable>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>
"""


def source_of(check):
    return ROOT / "tests" / "mutation" / f"{check}.cpp"


def likely_check(mutation):
    directory = mutation["file"].split("/")[1]
    return mutation.get("check", LIKELY.get(directory, "layers"))


def mutate(include, mutation):
    """Applies a mutation in place. Raises ValueError when its text is not there as stated."""
    path = include / mutation["file"]
    source = path.read_text()
    find = mutation["find"]
    occurrences = source.count(find)
    wanted = mutation.get("occurrence")
    if wanted is None and occurrences != 1:
        raise ValueError(f"found {occurrences} times, expected once")
    if wanted is not None and not 1 <= wanted <= occurrences:
        raise ValueError(f"occurrence {wanted} of {occurrences}")
    start = -1
    for _ in range(wanted or 1):
        start = source.index(find, start + 1)
    path.write_text(source[:start] + mutation["replace"] + source[start + len(find):])


class Builder:
    """Compiles and runs the checks against a copy of include/."""

    def __init__(self, compiler, eigen, work):
        self.work = work
        self.flags = ["-std=c++20", "-O0", "-pthread", "-isystem", eigen]
        self.compiler = compiler
        self.header = work / "precompiled.hpp"
        self.header.write_text(PRECOMPILED)
        # GCC and Clang both find precompiled.hpp.gch when told to include precompiled.hpp.
        subprocess.run([compiler, *self.flags, "-x", "c++-header", str(self.header),
                        "-o", f"{self.header}.gch"], check=True)
        self.objects = [work / f"{source.stem}.o" for source in SHARED]
        for source, compiled in zip(SHARED, self.objects):
            subprocess.run(self.command(ROOT / "include") + ["-c", str(source), "-o", str(compiled)],
                           check=True)
        self.headers = {name: self.headers_of(name) for name in CHECKS}

    def command(self, include):
        return [self.compiler, *self.flags, "-include", str(self.header), f"-I{include}",
                f"-I{ROOT / 'tests'}"]

    def headers_of(self, check):
        """Those of include/ that a check sees, as mutations name them."""
        listed = subprocess.run(self.command(ROOT / "include") + ["-MM", str(source_of(check))],
                                check=True, capture_output=True, text=True).stdout
        include = f"{ROOT / 'include'}/"
        return {word.removeprefix(include) for word in listed.split() if word.startswith(include)}

    def timed(self, work):
        """One of passed, failed, not applied, not compiled; the details; and the seconds taken."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=self.work) as directory:
            outcome, details = work(pathlib.Path(directory))
        return outcome, details, time.monotonic() - began

    def unmutated(self, check):
        return self.timed(lambda directory: self.run(check, directory, ROOT / "include"))

    def verdict(self, mutation):
        return self.timed(lambda directory: self._verdict(directory, mutation))

    def _verdict(self, directory, mutation):
        include = directory / "include"
        shutil.copytree(ROOT / "include", include)
        try:
            mutate(include, mutation)
        except (ValueError, OSError) as error:
            return "not applied", str(error)
        # The check that most likely fails, then the others.
        likely = likely_check(mutation)
        checks = [name for name in CHECKS if mutation["file"] in self.headers[name]]
        checks.sort(key=lambda name: name != likely)
        for name in checks:
            outcome, details = self.run(name, directory, include)
            if outcome != "passed":
                return outcome, f"{name}: {details}"
        return "passed", ""

    def run(self, name, directory, include):
        program = directory / name
        build = subprocess.run(
            self.command(include) + [str(source_of(name)), *map(str, self.objects),
                                     "-o", str(program)],
            capture_output=True, text=True)
        if build.returncode != 0:
            return "not compiled", build.stderr.splitlines()[-1] if build.stderr else ""
        try:
            run = subprocess.run([str(program)], capture_output=True, text=True, timeout=300)
        except subprocess.TimeoutExpired:
            return "crashed", "did not end within 300 s"
        lines = (run.stdout + run.stderr).splitlines()
        outcome = {0: "passed", 1: "failed"}.get(run.returncode, "crashed")
        return outcome, " ".join(lines)[:90]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="ID", action="append", help="only this one; repeatable")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--compiler", default="c++")
    parser.add_argument("--eigen", default="/usr/include/eigen3", help="directory of Eigen/Core")
    arguments = parser.parse_args()

    mutations = json.loads(MUTATIONS.read_text())
    ids = [mutation["id"] for mutation in mutations]
    if len(set(ids)) != len(ids):
        sys.exit("mutations.json: ids are not unique")
    if arguments.only:
        unknown = set(arguments.only) - set(ids)
        if unknown:
            sys.exit(f"no mutation {', '.join(sorted(unknown))}")
        mutations = [mutation for mutation in mutations if mutation["id"] in arguments.only]

    caught = crashed = 0
    with tempfile.TemporaryDirectory() as work:
        builder = Builder(arguments.compiler, arguments.eigen, pathlib.Path(work))
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            unmutated = pool.map(builder.unmutated, CHECKS)
            for name, (outcome, details, seconds) in zip(CHECKS, unmutated):
                print(f"{name + ' (none)':42} {outcome:12} {seconds:5.1f} s  {details}", flush=True)
                if outcome != "passed":
                    return 1
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            results = pool.map(builder.verdict, mutations)
            for mutation, (outcome, details, seconds) in zip(mutations, results):
                word = {"failed": "caught", "passed": "SURVIVED"}.get(outcome, outcome.upper())
                caught += outcome in ("failed", "crashed")
                crashed += outcome == "crashed"
                print(f"{mutation['id']:42} {word:12} {seconds:5.1f} s  {details}", flush=True)
    print(f"{caught} of {len(mutations)} mutations caught, {crashed} of them by a crash")
    return 0 if caught == len(mutations) else 1


if __name__ == "__main__":
    sys.exit(main())
