#!/usr/bin/env python3
"""Writes golden files of training from ids, by PyTorch in float64.

Tables are torch.nn.EmbeddingBag(sparse=True), the network is a shared bottom under the names of the
public reference (facebookresearch/AdaTT), Adam moves the network and the rule moves the tables:

    /usr/bin/python3 tests/golden/make_embeddings.py --output tests/golden
    /usr/bin/python3 tests/golden/make_embeddings.py --output DIR --seeds 10 11 12
    PLAIT_GOLDEN_DIR=DIR golden_tests

tests/golden/embeddings_case.hpp says what is in a file.
"""
import argparse
import json
import pathlib
import struct

import numpy
import torch
import torch.nn.functional as F

RULES = {
    "sgd": ({"lr": 0.5}, torch.optim.SGD),
    "adagrad": ({"lr": 0.1, "lr_decay": 0.01, "initial_accumulator_value": 0.1},
                torch.optim.Adagrad),
    "sparse_adam": ({"lr": 0.02}, torch.optim.SparseAdam),
}
STEPS, BATCH, TASKS, DENSE = 20, 10, 2, 2
TABLES = [{"name": "item", "rows": 40, "dim": 5}, {"name": "user", "rows": 12, "dim": 3}]
FEATURES = [
    {"name": "item", "table": "item", "mode": "sum", "weighted": False},
    {"name": "history", "table": "item", "mode": "mean", "weighted": False},
    {"name": "user", "table": "user", "mode": "sum", "weighted": False},
    {"name": "seen", "table": "item", "mode": "sum", "weighted": True},
]


class Mlp(torch.nn.Module):
    def __init__(self, widths):
        super().__init__()
        layers = []
        for inputs, outputs in zip(widths, widths[1:]):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
        self.mlp_net = torch.nn.Sequential(*layers)

    def forward(self, x):
        return self.mlp_net(x)


class SharedBottom(torch.nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.mtl_arch = torch.nn.Module()
        self.mtl_arch.bottom_projection = Mlp([inputs, 8, 6])
        self.task_modules = torch.nn.ModuleList(
            torch.nn.Sequential(Mlp([6, 4]), torch.nn.Linear(4, 1)) for _ in range(TASKS))

    def forward(self, x):
        hidden = self.mtl_arch.bottom_projection(x)
        return torch.cat([tower(hidden) for tower in self.task_modules], 1)


def bags(feature, generator):
    """Ids, offsets and weights of one batch: bags of 0 to 4 ids, some of them twice."""
    rows = next(table["rows"] for table in TABLES if table["name"] == feature["table"])
    sizes = numpy.ones(BATCH, int) if feature["name"] == "user" else generator.integers(0, 5, BATCH)
    ids = generator.integers(0, generator.choice([4, rows], sizes.sum()))
    offsets = numpy.concatenate([[0], numpy.cumsum(sizes)])
    # float32: what plait's weights are.
    weights = generator.normal(size=len(ids)).astype(numpy.float32) if feature["weighted"] else None
    return ids, offsets, weights


def write(path, metadata, tensors):
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        raw = numpy.ascontiguousarray(tensor, "<f8")
        header[name] = {"dtype": "F64", "shape": list(raw.shape),
                        "data_offsets": [len(data), len(data) + raw.nbytes]}
        data += raw.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def make(rule, seed):
    torch.manual_seed(seed)
    generator = numpy.random.default_rng(seed)
    tables = {table["name"]: torch.nn.EmbeddingBag(table["rows"], table["dim"], sparse=True)
              for table in TABLES}
    dims = {table["name"]: table["dim"] for table in TABLES}
    width = DENSE + sum(dims[feature["table"]] for feature in FEATURES)
    network = SharedBottom(width)
    arguments, optimizer = RULES[rule]
    table_rule = optimizer([table.weight for table in tables.values()], **arguments)
    network_rule = torch.optim.Adam(network.parameters(), lr=0.01)

    tensors = {f"param.{name}": value.detach().numpy().copy()
               for name, value in network.named_parameters()}
    tensors |= {f"table.{name}": table.weight.detach().numpy().copy()
                for name, table in tables.items()}
    x = generator.normal(size=(STEPS, BATCH, DENSE))
    labels = generator.integers(0, 2, (STEPS, BATCH, TASKS)).astype(float)
    mask = (generator.uniform(size=(STEPS, BATCH, TASKS)) < 0.8).astype(float)
    mask[:, 0] = 1
    tensors |= {"x": x, "labels": labels, "mask": mask}
    every = {feature["name"]: [] for feature in FEATURES}
    losses = []
    for step in range(STEPS):
        columns = [torch.from_numpy(x[step])]
        for feature in FEATURES:
            ids, offsets, weights = bags(feature, generator)
            every[feature["name"]].append((ids, offsets, weights))
            columns.append(F.embedding_bag(
                torch.from_numpy(ids), tables[feature["table"]].weight,
                torch.from_numpy(offsets), mode=feature["mode"], sparse=True,
                include_last_offset=True,
                per_sample_weights=None if weights is None else torch.from_numpy(
                    weights.astype(float))))
        logits = network(torch.cat(columns, 1))
        if step == 0:
            tensors["logits"] = logits.detach().numpy().copy()
        m = torch.from_numpy(mask[step])
        loss = ((F.binary_cross_entropy_with_logits(
            logits, torch.from_numpy(labels[step]), reduction="none") * m).sum(0) / m.sum(0)).sum()
        table_rule.zero_grad()
        network_rule.zero_grad()
        loss.backward()
        table_rule.step()
        network_rule.step()
        losses.append(loss.item())
    for feature in FEATURES:
        batches = every[feature["name"]]
        tensors[f"ids.{feature['name']}"] = numpy.concatenate([b[0] for b in batches])
        tensors[f"offsets.{feature['name']}"] = numpy.stack([b[1] for b in batches])
        if feature["weighted"]:
            tensors[f"weights.{feature['name']}"] = numpy.concatenate([b[2] for b in batches])
    tensors["losses"] = numpy.array(losses)
    tensors |= {f"final.{name}": value.detach().numpy()
                for name, value in network.named_parameters()}
    tensors |= {f"final_table.{name}": table.weight.detach().numpy()
                for name, table in tables.items()}
    metadata = {"kind": "embeddings", "tables": TABLES, "features": FEATURES, "steps": STEPS,
                "batch": BATCH, "num_task": TASKS, "num_dense": DENSE,
                "expert_out_dims": [8, 6], "task_mlp": [4],
                "optimizer": {"name": "adam", "lr": 0.01},
                "row_rule": {"name": rule, **arguments}}
    return {key: value if isinstance(value, str) else json.dumps(value)
            for key, value in metadata.items()}, tensors


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, required=True, help="an existing folder")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    for rule in RULES:
        for seed in arguments.seeds:
            write(arguments.output / f"embeddings.{rule}.{seed}.safetensors", *make(rule, seed))


if __name__ == "__main__":
    main()
