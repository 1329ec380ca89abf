#!/usr/bin/env python3
"""What docs/first_ranker.md says to do, done as it says, but for the port; and that the answer is the
document's, as far as instruction sets agree.

    first_ranker.py DOCUMENT train_ranker ranking_service
"""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

PYTHON = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
INDENTED = re.compile(r"(?:^    .*\n)+", re.M)
WITHIN = 0.02


def blocks(document):
    """The program that makes the rows, and the indented blocks without their indents."""
    text = document.read_text(encoding="utf-8")
    program, = PYTHON.findall(text)
    outside = PYTHON.sub("", text)
    return program, [re.sub("^    ", "", block, flags=re.M) for block in INDENTED.findall(outside)]


def only(candidates, start):
    found = [block for block in candidates if block.startswith(start)]
    assert len(found) == 1, f"{len(found)} blocks begin with {start}, expected one"
    return found[0]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def main():
    document, *programs = map(pathlib.Path, sys.argv[1:])
    if shutil.which("curl") is None:
        print("skipped: no curl")
        sys.exit(77)
    program, indented = blocks(document)
    commands = [block for block in indented
                if block.startswith(("train_ranker ", "ranking_service ", "curl "))]
    assert len(commands) == 4, commands
    describe, train, serve, ask = commands
    port = free_port()
    assert "8080" in serve and "8080" in ask
    serve, ask = serve.replace("8080", port), ask.replace("8080", port)
    path = os.pathsep.join([*(str(p.parent.resolve()) for p in programs), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path}
    with tempfile.TemporaryDirectory() as folder:
        def run(command):
            done = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            assert done.returncode == 0, f"{command}{done.stdout}{done.stderr}"
            return done.stdout

        subprocess.run([sys.executable, "-c", program], cwd=folder, check=True)
        run(describe)
        features = pathlib.Path(folder, "features.json")
        inferred = [feature["name"] for feature in json.loads(features.read_text())["features"]]
        edited = only(indented, "{\n")
        names = [feature["name"] for feature in json.loads(edited)["features"]]
        assert set(inferred) <= set(names), (inferred, names)
        features.write_text(edited)
        run(train)
        service = subprocess.Popen(["sh", "-c", "exec " + serve], cwd=folder, env=environment,
                                   stdout=subprocess.PIPE, text=True)
        try:
            line = service.stdout.readline()
            assert "listening" in line, line
            answer = json.loads(run(ask))
            described = json.loads(run(f"curl -s localhost:{port}/model"))
            # Saved again, it is served without a restart.
            run(train)
            for _ in range(100):
                again = json.loads(run(ask))
                if again["version"] > 1:
                    break
                time.sleep(0.1)
            service.terminate()
            assert service.wait(timeout=60) == 0, "exit code"
        finally:
            service.kill()
    assert [feature["name"] for feature in described["features"]] == names, described
    assert again["version"] == 2 and again["scores"] == answer["scores"], again

    told = json.loads(only(indented, '{"version"'))
    assert answer["version"] == told["version"] == 1
    assert answer["scores"].keys() == told["scores"].keys() == {"click", "buy"}
    for name in ("click", "buy"):
        for got, expected in zip(answer["scores"][name], told["scores"][name], strict=True):
            assert abs(got - expected) <= WITHIN, (answer, told)
    for got, click, buy in zip(answer["rank"], *answer["scores"].values(), strict=True):
        assert abs(got - click * buy) <= 1e-6, answer
    # What was planted: the liked topic first, and bought where it is cheap.
    click, buy = answer["scores"]["click"], answer["scores"]["buy"]
    assert click[0] > 2 * click[1] and buy[0] > 2 * buy[2], answer
    assert min(answer["rank"][0], answer["rank"][3]) > max(answer["rank"][1:3]), answer


main()
