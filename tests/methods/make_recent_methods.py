#!/usr/bin/env python3
"""Writes tests/fixtures/J_recent_methods.json: ConFIG and FAMO as their papers have them, in plain
Python, on gradients and losses of a seed.

    tests/methods/make_recent_methods.py [seed] > tests/fixtures/J_recent_methods.json
"""
import json
import math
import random
import sys


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def solve(matrix, right):
    """Gaussian elimination with pivots."""
    n = len(right)
    rows = [row[:] + [r] for row, r in zip(matrix, right)]
    for k in range(n):
        pivot = max(range(k, n), key=lambda i: abs(rows[i][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for i in range(n):
            if i != k:
                factor = rows[i][k] / rows[k][k]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k])]
    return [rows[k][n] / rows[k][k] for k in range(n)]


def config(gradients):
    """The direction itself, in the space of the gradients."""
    units = [[x / math.sqrt(dot(g, g)) for x in g] for g in gradients]
    c = solve([[dot(a, b) for b in units] for a in units], [1.0] * len(units))
    v = [sum(c[t] * units[t][i] for t in range(len(units))) for i in range(len(units[0]))]
    length = math.sqrt(dot(v, v))
    v = [x / length for x in v]
    projections = sum(dot(g, v) for g in gradients)
    return [projections * x for x in v]


def softmax(w):
    e = [math.exp(x) for x in w]
    return [x / sum(e) for x in e]


def famo(steps, least, rate=0.025, decay=1e-3):
    """The weights of every step; xi by PyTorch's Adam with weight decay as a gradient, the
    softmax's derivative written out as a matrix."""
    n = len(least)
    xi, m, v = [0.0] * n, [0.0] * n, [0.0] * n
    result = []
    for number, (before, after) in enumerate(steps, 1):
        z = softmax(xi)
        d = [before[t] - least[t] + 1e-8 for t in range(n)]
        c = sum(z[t] / d[t] for t in range(n))
        result.append([z[t] / d[t] / c for t in range(n)])
        delta = [math.log(d[t]) - math.log(after[t] - least[t] + 1e-8) for t in range(n)]
        jacobian = [[z[i] * ((i == j) - z[j]) for j in range(n)] for i in range(n)]
        gradient = [sum(jacobian[i][j] * delta[i] for i in range(n)) + decay * xi[j]
                    for j in range(n)]
        for j in range(n):
            m[j] = 0.9 * m[j] + 0.1 * gradient[j]
            v[j] = 0.999 * v[j] + 0.001 * gradient[j] ** 2
            xi[j] -= rate * (m[j] / (1 - 0.9 ** number)) / (
                math.sqrt(v[j] / (1 - 0.999 ** number)) + 1e-8)
    return result, xi


def main():
    draw = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 18)
    cases = []
    for tasks, width in [(1, 3), (2, 4), (3, 5), (5, 9)]:
        gradients = [[draw.gauss(0, 10 ** draw.uniform(-1, 1)) for _ in range(width)]
                     for _ in range(tasks)]
        cases.append({"G(rows=task gradients)": gradients, "d": config(gradients)})
    least = [0.0, 0.1, 0.25]
    steps = []
    for _ in range(12):
        before = [x + draw.uniform(0.2, 3) for x in least]
        after = [x + (b - x) * draw.uniform(0.6, 1.1) for x, b in zip(least, before)]
        steps.append([before, after])
    weights, xi = famo(steps, least)
    print(json.dumps({"ConFIG": cases,
                      "FAMO": {"least": least, "steps(before, after)": steps, "weights": weights,
                               "xi": xi}}, indent=1))


if __name__ == "__main__":
    main()
