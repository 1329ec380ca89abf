#!/usr/bin/env python3
"""Tables from the JSON files that the benchmarks write with --benchmark_out=FILE.

    compare.py BEFORE.json AFTER.json      the same contestants in two runs
    compare.py --peers RUN.json            plait against each peer of one run
    compare.py --tables RUN.json           per batch: share of the floor, and times the best peer
    compare.py --each RUN.json             per batch: every other contestant, as fast as ours is 1

--ours NAME compares another contestant than plait, as one thread with two: --peers --ours 2.

A ratio is that of the medians over the rounds, the other's time by plait's (or BEFORE's by
AFTER's): above 1 is faster. p is the two-sided probability that two samples of one distribution
rank as differently as these (Mann-Whitney, in its normal approximation with ties): how sure it is
that there is a difference, not how large it is.
"""
import argparse
import json
import math
import re
import statistics
import sys

def read(path):
    """The rounds of every contestant: name -> list of runs as Google Benchmark writes them."""
    with open(path, encoding="utf-8") as file:
        runs = json.load(file)["benchmarks"]
    contestants = {}
    for run in runs:
        if run["run_type"] == "iteration":
            name = re.sub(r"/(iterations|repeats):\d+|/manual_time", "", run["run_name"])
            contestants.setdefault(name, []).append(run)
    return contestants


def median(runs, key="real_time"):
    return statistics.median(run[key] for run in runs)


def times(runs):
    return [run["real_time"] for run in runs]


def rank_test(a, b):
    """Two-sided p of the Mann-Whitney test, normal approximation with ties and continuity."""
    pooled = sorted((value, side) for side, sample in enumerate((a, b)) for value in sample)
    ranks_of_a = tie_term = 0.0
    first = 0
    while first < len(pooled):
        last = first
        while last < len(pooled) and pooled[last][0] == pooled[first][0]:
            last += 1
        count = last - first
        mean_rank = (first + 1 + last) / 2
        ranks_of_a += mean_rank * sum(side == 0 for _, side in pooled[first:last])
        tie_term += count**3 - count
        first = last
    n, m = len(a), len(b)
    total = n + m
    variance = n * m / 12 * (total + 1 - tie_term / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    distance = abs(ranks_of_a - n * (n + 1) / 2 - n * m / 2)
    return min(1.0, math.erfc(max(0.0, distance - 0.5) / math.sqrt(2 * variance)))


def split(name):
    """'serving/AdaTT/64/plait' -> ('serving/AdaTT/64', 'plait')."""
    cell, _, contestant = name.rpartition("/")
    return cell, contestant


def cells(contestants):
    """Cell -> contestant -> rounds, in the order of the file."""
    result = {}
    for name, runs in contestants.items():
        cell, contestant = split(name)
        result.setdefault(cell, {})[contestant] = runs
    return result


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(value) for value in values))


def ratio_table(rows):
    """rows: (name, other's label and rounds, our rounds)."""
    lines = ["| | other | median µs | by | ratio | p |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    ratios = []
    for name, label, other, ours in rows:
        ratios.append(median(other) / median(ours))
        lines.append(f"| {name} | {label} | {median(other):.4g} | {median(ours):.4g} "
                     f"| {ratios[-1]:.2f} | {rank_test(times(other), times(ours)):.2g} |")
    lines.append(f"\nGeometric mean {geometric_mean(ratios):.2f}, smallest {min(ratios):.2f}.")
    return "\n".join(lines)


def compare_runs(before, after):
    common = [name for name in before if name in after]
    if not common:
        sys.exit("the two files have no benchmark in common")
    return ratio_table((name, "before", before[name], after[name]) for name in common)


def compare_peers(contestants, ours):
    rows = [(cell, peer, runs, sides[ours])
            for cell, sides in cells(contestants).items() if ours in sides
            for peer, runs in sides.items() if peer != ours]
    if not rows:
        sys.exit("the file has no peers")
    return ratio_table(rows)


def best_peer_ratio(sides, ours):
    """How many times as fast as the fastest peer; None without peers."""
    peers = [median(runs) for name, runs in sides.items() if name != ours]
    return min(peers) / median(sides[ours]) if peers else None


def share_and_ratio(sides, ours):
    peak = median(sides[ours], "peak_share")
    bandwidth = median(sides[ours], "bandwidth_share")
    ratio = best_peer_ratio(sides, ours)
    return ((f"{peak:.2f}" if peak >= bandwidth else f"{bandwidth:.2f} b")
            + (f"; {ratio:.2f}x" if ratio else ""))


def batch_tables(contestants, ours):
    """One table per program: a row per subject, a column per batch."""
    programs = {}
    for cell, sides in cells(contestants).items():
        subject, _, batch = cell.rpartition("/")
        program, _, row = subject.partition("/")
        if ours in sides and batch.isdigit():
            programs.setdefault(program, {}).setdefault(row, {})[int(batch)] = sides
    if not programs:
        sys.exit("the file has no cells per batch")

    lines = []
    for program, rows in programs.items():
        batches = sorted({batch for row in rows.values() for batch in row})
        lines += [f"| {program} | {' | '.join(map(str, batches))} |",
                  "| --- |" + " ---: |" * len(batches)]
        for row, by_batch in rows.items():
            texts = [share_and_ratio(by_batch[batch], ours) if batch in by_batch else ""
                     for batch in batches]
            lines.append(f"| {row} | {' | '.join(texts)} |")
        ratios = {(row, batch): best_peer_ratio(sides, ours)
                  for row, by_batch in rows.items() for batch, sides in by_batch.items()
                  if len(sides) > 1}
        if ratios:
            (row, batch), smallest = min(ratios.items(), key=lambda item: item[1])
            lines.append(f"\nGeometric mean {geometric_mean(ratios.values()):.2f}x, smallest "
                         f"{smallest:.2f}x ({row} at {batch}).")
        lines.append("")
    lines.append("Share of the FMA peak, or of the read bandwidth (b) where that is larger; times as "
                 "fast as the fastest peer.")
    return "\n".join(lines)


def each_table(contestants, ours):
    """One table per program: a row per subject and other contestant, a column per batch."""
    programs = {}
    for cell, sides in cells(contestants).items():
        subject, _, batch = cell.rpartition("/")
        program, _, row = subject.partition("/")
        if ours not in sides or not batch.isdigit():
            continue
        for name, runs in sides.items():
            if name != ours:
                ratio = median(sides[ours]) / median(runs)
                programs.setdefault(program, {}).setdefault((row, name), {})[int(batch)] = ratio
    if not programs:
        sys.exit(f"the file has no cells per batch with {ours}")
    lines = []
    for program, rows in programs.items():
        batches = sorted({batch for row in rows.values() for batch in row})
        lines += [f"| {program} | as fast as {ours} | {' | '.join(map(str, batches))} |",
                  "| --- | --- |" + " ---: |" * len(batches)]
        for (row, name), ratios in rows.items():
            texts = [f"{ratios[batch]:.2f}x" if batch in ratios else "" for batch in batches]
            lines.append(f"| {row} | {name} | {' | '.join(texts)} |")
        lines.append("")
        for name in dict.fromkeys(name for _, name in rows):
            values = [ratio for (_, other), ratios in rows.items() if other == name
                      for ratio in ratios.values()]
            lines.append(f"{name}: geometric mean {geometric_mean(values):.2f}x, smallest "
                         f"{min(values):.2f}x.")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--peers", action="store_true")
    mode.add_argument("--tables", action="store_true")
    mode.add_argument("--each", action="store_true")
    parser.add_argument("--ours", default="plait", metavar="NAME")
    parser.add_argument("files", nargs="+", metavar="FILE")
    options = parser.parse_args()
    expected = 1 if options.peers or options.tables or options.each else 2
    if len(options.files) != expected:
        parser.error(f"expected {expected} file{'s' if expected > 1 else ''}")
    runs = [read(path) for path in options.files]
    if options.peers:
        print(compare_peers(*runs, options.ours))
    elif options.each:
        print(each_table(*runs, options.ours))
    elif options.tables:
        print(batch_tables(*runs, options.ours))
    else:
        print(compare_runs(*runs))


if __name__ == "__main__":
    main()
