"""Exchange with Python, standard library only: exchange.py <io_exchange> <docs/pytorch.md>

Writes weights with the writer shown in the page, has C++ score a row and computes the same logits
here; then reads a file that C++ wrote with a parser made from the format's description.
"""
import json
import math
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U8": 1, "BOOL": 1}


def parse(data):
    """A safetensors file as {name: (dtype, shape, bytes)} and its metadata; asserts every rule."""
    (length,) = struct.unpack("<Q", data[:8])
    assert length <= 100_000_000 and 8 + length <= len(data)
    assert (8 + length) % 8 == 0, "the data are not aligned"

    def unique(pairs):
        assert len({k for k, _ in pairs}) == len(pairs), "a key twice"
        return dict(pairs)

    text = data[8:8 + length].decode("utf-8")
    assert text[0] == "{"
    header = json.loads(text, object_pairs_hook=unique)
    metadata = header.pop("__metadata__", {})
    assert all(isinstance(v, str) for v in metadata.values())
    tensors = {}
    body = data[8 + length:]
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        assert set(entry) == {"dtype", "shape", "data_offsets"}
        first, last = entry["data_offsets"]
        assert first == end, "a hole or an overlap"
        assert last - first == SIZES[entry["dtype"]] * math.prod(entry["shape"])
        tensors[name] = (entry["dtype"], entry["shape"], body[first:last])
        end = last
    assert end == len(body), "bytes after the last tensor"
    return tensors, metadata


def linear(x, weights, name):
    shape, w = weights[name + ".weight"]
    _, bias = weights[name + ".bias"]
    return [sum(w[o * shape[1] + i] * x[i] for i in range(shape[1])) + bias[o]
            for o in range(shape[0])]


def relu(x):
    return [max(0.0, v) for v in x]


def mmoe(x, weights):
    """Two experts of width 4, two tasks with a tower of width 2."""
    experts = [relu(linear(x, weights, f"mtl_arch.experts.0.{k}.mlp_net.0")) for k in range(2)]
    logits = []
    for t in range(2):
        scores = [math.exp(a) for a in linear(x, weights, f"mtl_arch.gates.0.{t}.1")]
        mixed = [sum(s / sum(scores) * e[i] for s, e in zip(scores, experts)) for i in range(4)]
        hidden = relu(linear(mixed, weights, f"task_modules.{t}.0.mlp_net.0"))
        logits += linear(hidden, weights, f"task_modules.{t}.1")
    return logits


def writer_of_the_page(page):
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    (code,) = [block for block in blocks if "struct.pack" in block]
    names = {}
    exec(code, names)  # pylint: disable=exec-used
    return names["save_file"]


def main():
    program, page = sys.argv[1], pathlib.Path(sys.argv[2])
    save_file = writer_of_the_page(page)
    rng = random.Random(1)

    def run(*arguments):
        return subprocess.run([program, *arguments], check=True, capture_output=True,
                              text=True).stdout

    with tempfile.TemporaryDirectory() as folder:
        model = str(pathlib.Path(folder) / "model.safetensors")
        sums = dict(line.rsplit(" ", 1) for line in run("save", model).splitlines())
        tensors, metadata = parse(pathlib.Path(model).read_bytes())
        assert metadata["plait.architecture"] == "MMoE"
        assert json.loads(metadata["plait.heads"])[0]["name"] == "clïck"
        parameters = {n: t for n, t in tensors.items() if not n.startswith("plait.")}
        assert list(parameters) == list(sums)
        weights = {}
        for name, (dtype, shape, data) in parameters.items():
            assert dtype == "F32"
            weights[name] = (shape, list(struct.unpack(f"<{len(data) // 4}f", data)))
            assert math.isclose(sum(weights[name][1]), float(sums[name]), rel_tol=1e-6,
                                abs_tol=1e-6), name
        # The self-test's logits are those of these weights.
        (_, _, stored) = tensors["plait.self_test.logits"]
        expected = mmoe([0.5] * 3, weights)
        assert all(abs(a - b) < 1e-5 for a, b in zip(struct.unpack("<4f", stored), expected * 2))

        for name, (shape, numbers) in weights.items():
            weights[name] = (shape, [rng.uniform(-1, 1) for _ in numbers])
        path = str(pathlib.Path(folder) / "weights.safetensors")
        save_file(weights, path)
        parse(pathlib.Path(path).read_bytes())
        for _ in range(10):
            x = [rng.uniform(-1, 1) for _ in range(3)]
            got = [float(z) for z in run("score", path, *map(str, x)).split()]
            expected = mmoe(x, weights)
            assert all(abs(a - b) < 1e-5 for a, b in zip(got, expected)), (got, expected)
    print("Python and C++ agree")


if __name__ == "__main__":
    main()
