#!/usr/bin/env python3
"""Doxygen's input filter: prints a header with its plain comments as documentation comments.

    scripts/doxygen_filter.py FILE

Comments are written for readers of the source, as `//` without marks. Here the block that opens a
file becomes its @file, a block of whole lines at namespace or class level documents what follows it,
and a comment behind a member that member. Comments inside functions stay what they are. Indented
lines are equations or code and keep their form. Every line keeps its number.

Names of headers, and of errors after "Throws", become references, which Doxygen resolves or reports.
Everything else is text: no character of a comment is a command.
"""

import re
import sys
from pathlib import Path

BLOCK = re.compile(r"(\s*)//(?!/) ?(.*)")
BEHIND = re.compile(r"(.*\S)(\s*)//(?!/) ?(.*)")
SCOPE = re.compile(r"(inline\s+)?(namespace|class|struct|enum|union)\b")
MARKED = re.compile(r"`(?P<code>[^`]+)`"
                    r"|(?P<header>\b(?:[a-z_]+/)+[a-z_]+\.hpp\b)"
                    r"|(?P<throws>\bThrows (?P<error>[A-Z]\w*Error)\b)")


def plain(text):
    text = re.sub(r"([\\@<>&#%$\"])", r"\\\1", text.replace("*/", "* /"))
    return re.sub(r"(?<![\w>])::", r"\\::", text)


def marked(text):
    """Text with references and code."""
    result, end = "", 0
    for match in MARKED.finditer(text):
        result += plain(text[end:match.start()])
        if match["code"]:
            result += f"<code>{plain(match['code'])}</code>"
        elif match["header"]:
            path = match["header"]
            result += f"@ref {path if path.startswith('plait/') else 'plait/' + path} \"{path}\""
        else:
            result += f"Throws @ref plait::{match['error']} \"{match['error']}\""
        end = match.end()
    return result + plain(text[end:])


def document(lines):
    """The texts of a block of comments, as Doxygen reads them."""
    result, item = [], False
    indented = []
    for text in lines:
        bullet = re.match(r"[*-] ", text)
        item = bool(bullet) or (item and text.startswith("  "))
        indented.append(text.startswith("  ") and not item)
    for i, text in enumerate(lines):
        if indented[i]:
            opens = "@verbatim " if i == 0 or not indented[i - 1] else ""
            closes = " @endverbatim" if i + 1 == len(lines) or not indented[i + 1] else ""
            result.append(opens + text.replace("*/", "* /") + closes)
        elif re.match(r"[*-] ", text):
            result.append("- " + marked(text[2:]))
        else:
            result.append(marked(text))
    return result


def comment(indent, lines):
    """Lines as one comment. Not with /// on each: Doxygen keeps those where lines keep their form."""
    lines = [f"/** {lines[0]}", *lines[1:]]
    return [indent + line for line in lines[:-1]] + [f"{indent}{lines[-1]} */"]


class Scopes:
    """Whether a line lies in namespaces and classes only, by counting braces."""

    def __init__(self):
        self.open = []  # for every open brace, whether it opens a namespace or a class
        self.statement = ""

    def declares(self):
        return all(self.open) and "(" not in self.statement

    def read(self, line):
        line = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])\'', '""', line.split("//")[0])
        for character in "" if line.lstrip().startswith("#") else line + "\n":
            if character == "{":
                head = re.sub(r"^\s*(template\s*<.*?>\s*(requires\b.*?)?(?=(class|struct)\b))?", "",
                              self.statement, flags=re.S)
                self.open.append(bool(SCOPE.match(re.sub(r"^\s*(public|private|protected):\s*", "",
                                                         head))))
                self.statement = ""
            elif character == "}":
                if self.open:
                    self.open.pop()
                self.statement = ""
            elif character == ";":
                self.statement = ""
            else:
                self.statement += character


def filtered(path, lines):
    scopes = Scopes()
    result = []
    i = 0
    while i < len(lines):
        block = []
        while i + len(block) < len(lines) and (match := BLOCK.fullmatch(lines[i + len(block)])):
            block.append(match)
        if block:
            texts = [match[2] for match in block]
            if i == 0:  # one line more, in the place of the include guard
                result += comment("", [f"@file {path}", *document(texts)])
                i += lines[i + len(block)] == "#pragma once"
            elif scopes.declares() and not follows_member(lines, i):
                result += comment(block[0][1], document(texts))
            else:
                result += lines[i:i + len(block)]
            i += len(block)
            continue
        line = lines[i]
        behind = BEHIND.fullmatch(line)
        inside = scopes.declares()
        scopes.read(line)
        if behind and inside and scopes.declares() and re.search(r"[;,{}\w]$", behind[1]) \
                and not re.match(r"\s*(namespace\b|}|#|public:|private:|protected:)", line):
            line = f"{behind[1]}{behind[2]}///< {marked(behind[3])}"
        result.append(line)
        i += 1
    return result


def follows_member(lines, i):
    """A comment that goes on below the line that it began behind: Doxygen would give it to the next."""
    match = re.fullmatch(r"(\s*)//.*", lines[i])
    before = BEHIND.fullmatch(lines[i - 1]) if i else None
    return bool(before) and len(match[1]) > 8


def main():
    path = Path(sys.argv[1]).resolve()
    parts = path.parts
    name = "/".join(parts[parts.index("include") + 1:]) if "include" in parts else path.name
    sys.stdout.reconfigure(encoding="utf-8")
    print("\n".join(filtered(name, path.read_text(encoding="utf-8").splitlines())))


if __name__ == "__main__":
    main()
