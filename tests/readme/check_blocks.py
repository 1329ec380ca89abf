#!/usr/bin/env python3
"""Fails unless every block of code in the documents is covered by a test, listing those that are not:

    cpp     is part of a program in examples/, apps/ or tests/readme/, which the build compiles;
            indentation aside
    cmake   stands in the README, whose blocks tests/consumer builds
    python  compiles; one that defines save_file() writes a file that is read again
    other   has no place

and unless every script that an indented command names, and every file that a link leads to, exists.

    check_blocks.py ROOT
"""

import json
import re
import struct
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
COMMAND = re.compile(r"^    (?:python3 )?((?:scripts|bench)/[\w./]+)", re.M)
LINK = re.compile(r"\]\((?!https?://)([^)#]+)\)")


def flush_left(text):
    return "\n".join(line.strip() for line in text.splitlines())


def run_python(code, where):
    """What is wrong with a block of Python, or nothing."""
    try:
        compiled = compile(code, where, "exec")
    except SyntaxError as error:
        return str(error)
    if "def save_file" in code:
        names = {}
        exec(compiled, names)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "weights.safetensors"
            names["save_file"]({"a": ([1, 2], [1.0, 2.0]), "b": ([1], [3.0])}, path)
            data = path.read_bytes()
        length, = struct.unpack("<Q", data[:8])
        header = json.loads(data[8:8 + length])
        if length % 8 or header["b"] != {"dtype": "F32", "shape": [1], "data_offsets": [8, 12]} \
                or struct.unpack("<3f", data[8 + length:]) != (1, 2, 3):
            return "save_file() writes another format"
    return None


def check(root):
    programs = [flush_left(path.read_text(encoding="utf-8"))
                for folder in ("examples", "apps", "tests/readme")
                for path in sorted((root / folder).rglob("*.[ch]pp"))]
    documents = sorted([*root.glob("*.md"), *root.glob("docs/*.md"), *root.glob("packaging/*.md")])
    problems, blocks = [], 0
    for document in documents:
        text = document.read_text(encoding="utf-8")
        for block in BLOCK.finditer(text):
            blocks += 1
            language, code = block[1], block[2]
            line = text.count("\n", 0, block.start()) + 1
            where = f"{document.relative_to(root)}:{line}"
            if language == "cpp":
                if not any(flush_left(code) in program for program in programs):
                    problems.append(f"{where}: in no program of examples/, apps/ or tests/readme/")
            elif language == "python":
                problem = run_python(code, where)
                if problem:
                    problems.append(f"{where}: {problem}")
            elif language != "cmake" or document != root / "README.md":
                problems.append(f"{where}: no test covers {language or 'a block without language'}")
        for command in COMMAND.finditer(text):
            if not (root / command[1]).is_file():
                problems.append(f"{document.relative_to(root)}: there is no {command[1]}")
        for link in LINK.finditer(BLOCK.sub("", text)):
            if not (document.parent / link[1]).exists():
                problems.append(f"{document.relative_to(root)}: a link to {link[1]}, which is not there")
    if blocks == 0:
        problems.append("there are no blocks")
    return problems


def main():
    problems = check(Path(sys.argv[1]))
    print("\n".join(problems) or "every block is covered")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
