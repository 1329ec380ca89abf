#!/usr/bin/env python3
"""Writes plait as a few files that can be copied into a project:

    plait/plait.hpp       the umbrella with all that it includes; needs Eigen
    plait/methods.hpp     gradient balancing and loss weighting; includes plait.hpp
    plait/embeddings.hpp  input that begins with ids; includes plait.hpp
    plait/io.hpp          files; includes embeddings.hpp and needs nlohmann-json
    plait/testing.hpp     what is in no umbrella: checks for layers of one's own, reference kernels

They have the names of the umbrellas, so that code that includes those does not change. Every header
is in one file, once, after what it includes; what a header compiles for every instruction set stands
in it, once per set. Equal sources give equal bytes.

    scripts/amalgamate.py OUTPUT_DIR             writes the five files
    scripts/amalgamate.py OUTPUT_DIR --forward   and under the names of all other headers, files that
                                                 include them: what the tests are compiled with
"""

import argparse
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUBJECTS = {
    "plait/plait.hpp": "plait in one file.",
    "plait/methods.hpp": "plait's gradient balancing and loss weighting in one file.",
    "plait/embeddings.hpp": "plait's tables and features in one file.",
    "plait/io.hpp": "plait's files in one file; needs nlohmann-json.",
    "plait/testing.hpp": "plait's checks for layers of one's own, in one file.",
}
INCLUDE = re.compile(r"#include ([<\"])([^>\"]+)[>\"]")
# The header that compiles a file for every instruction set, and how others use it.
EACH_SET = "plait/kernels/each_set.hpp"
USE = re.compile(rf'#define PLAIT_EACH_SET "([^"]+)"\n#include "{re.escape(EACH_SET)}"\n')


def lines_of(text):
    """The lines, each with whether it is subject to a condition (#if)."""
    depth = 0
    for line in text.splitlines():
        depth -= line.startswith("#endif")
        yield line, depth > 0
        depth += line.startswith("#if")


def includes_of(text, header):
    """The headers of plait and of others that a header includes, but others' that are subject to a
    condition, which stay where they are; each must stand alone in a line."""
    own, others = [], []
    for line, conditional in lines_of(text):
        if not line.lstrip().startswith("#") or "include" not in line:
            continue
        match = INCLUDE.fullmatch(line)
        if match is None:
            sys.exit(f"{header}: cannot read {line!r}")
        if match[1] == '"':
            own.append(match[2])
        elif not conditional:
            others.append(match[2])
    return own, others


def body_of(text):
    """A header without its guard and the includes of includes_of, and without the blank lines that
    these leave."""
    def goes(line, conditional):
        match = INCLUDE.fullmatch(line)
        return line == "#pragma once" or match and (match[1] == '"' or not conditional)

    lines = [line for line, conditional in lines_of(text) if not goes(line, conditional)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def read_all(include_dir, pattern):
    return {path.relative_to(include_dir).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(include_dir.rglob(pattern))}


class Amalgamation:
    def __init__(self, include_dir):
        self.sources = read_all(include_dir, "*.hpp")
        self.each_set = self.sources.pop(EACH_SET, "")  # is in no file: it is in what uses it
        self.set_files = read_all(include_dir, "*.inl")
        for header, text in self.sources.items():
            self.sources[header] = USE.sub(lambda use: self.for_each_set(use[1], header), text)
        self.home = {}  # header -> the file that it is in

    def for_each_set(self, name, header):
        """The text of each_set.hpp, without the comment that it opens with, for one file."""
        if name not in self.set_files:
            sys.exit(f"{header} includes {name}, which does not exist")
        text = self.set_files[name].strip("\n")
        if re.search(r"^\s*#\s*include", text, re.MULTILINE):
            sys.exit(f"{name} includes other files")
        lines = re.sub(r"\A(//.*\n)+", "", self.each_set).splitlines()
        lines = [text if line == "#include PLAIT_EACH_SET" else line for line in lines
                 if line != "#undef PLAIT_EACH_SET"]
        return "\n".join([f"// ---- {name}", *lines]).strip("\n") + "\n"

    def files(self):
        """The text of every file, by name."""
        result = {}
        for name in SUBJECTS:
            roots = [name] if name in self.sources else \
                [header for header in self.sources if header not in self.home]
            result[name] = self.file(name, roots)
        return result

    def file(self, name, roots):
        order, others, before = [], set(), set()

        def visit(header):
            if header in self.home:
                if self.home[header] != name:
                    before.add(self.home[header])
                return
            self.home[header] = name
            own, foreign = includes_of(self.sources[header], header)
            others.update(foreign)
            for included in own:
                if included not in self.sources:
                    sys.exit(f"{header} includes {included}, which does not exist")
                visit(included)
            if header not in SUBJECTS:
                order.append(header)

        for root in roots:
            visit(root)
        licence = (ROOT / "LICENSE").read_text(encoding="utf-8").strip()
        version = re.search(r'version = "([^"]+)"', self.sources["plait/version.hpp"])[1]
        head = [f"{SUBJECTS[name]} Version {version}; made by scripts/amalgamate.py, not to be edited.",
                "", *licence.splitlines()]
        parts = ["\n".join(f"// {line}".rstrip() for line in head), "#pragma once"]
        parts[-1] += "".join(f"\n#include <{header}>" for header in sorted(others))
        if before:
            # By its name alone: the files lie side by side, wherever that is.
            parts.append("\n".join(f'#include "{Path(file).name}"' for file in sorted(before)))
        parts += [f"// ---- {header}\n{body_of(self.sources[header])}" for header in order]
        return "\n\n".join(parts) + "\n"


def write(path, text):
    """Leaves a file that would not change alone, so that nothing is compiled again for it."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--forward", action="store_true")
    parser.add_argument("--include-dir", type=Path, default=ROOT / "include")
    options = parser.parse_args()

    amalgamation = Amalgamation(options.include_dir)
    for name, text in amalgamation.files().items():
        write(options.output / name, text)
    if options.forward:
        for header, home in amalgamation.home.items():
            if header != home:
                path = os.path.relpath(home, Path(header).parent)
                write(options.output / header, f'#pragma once\n#include "{path}"\n')
        write(options.output / EACH_SET, amalgamation.each_set)


if __name__ == "__main__":
    main()
