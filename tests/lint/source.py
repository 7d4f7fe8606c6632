# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the lint gates share: the project's files, and C as text one can ask about.

A gate is a script with `check(root)` that yields "file:line: what is wrong" and ends
with `source.main(check)`. clang-format's layout is a gate of its own, so the others may
rely on it: a function's braces stand alone in column 0.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

PRODUCT = ("core", "manifest", "fuse", "cli")
SKIPPED = 77


def files(root):
    """Paths below root, relative: what git tracks or would; without git, all."""
    root = pathlib.Path(root)
    listing = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, check=False)
    if listing.returncode == 0 and (root / ".git").exists():
        names = listing.stdout.decode().split("\0")
    else:
        names = [p.relative_to(root).as_posix() for p in root.rglob("*")]
        names = [n for n in names if not n.startswith(("build", ".git/"))]
    return sorted(n for n in names if n and (root / n).is_file()
                  and not (root / n).is_symlink())


def c_files(root, folders=PRODUCT + ("tests", "bench"), suffixes=(".c", ".h")):
    return [n for n in files(root)
            if n.endswith(suffixes) and n.split("/")[0] in folders]


def read(root, name):
    return (pathlib.Path(root) / name).read_text(encoding="utf-8")


_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code(text, keep_strings=False):
    """TEXT with comments (and what is between quotes) blanked; lines stay lines."""
    def blank(match):
        token = match.group()
        if token[0] in "\"'":
            return token if keep_strings else token[0] + token[0]
        return " " + "\n" * token.count("\n")
    return _TOKEN.sub(blank, text)


class Function:
    """One definition: line numbers from 1, the body without its braces."""

    def __init__(self, lines, opening, closing):
        start = opening
        while start > 0 and lines[start - 1].strip() and lines[start - 1][0] not in "#}" \
                and not lines[start - 1].rstrip().endswith(";"):
            start -= 1
        self.signature = "\n".join(lines[start:opening])
        self.body = lines[opening + 1:closing]
        self.line = start + 1
        self.body_line = opening + 2
        name = re.search(r"^(\w+) \(", self.signature, re.M)
        self.name = name.group(1) if name else "?"
        self.parameters = self._count_parameters(name.end() if name else None)

    def _count_parameters(self, start):
        if start is None:
            return 0
        depth, commas = 1, 0
        for end in range(start, len(self.signature)):
            char = self.signature[end]
            depth += (char == "(") - (char == ")")
            commas += char == "," and depth == 1
            if depth == 0:
                inside = self.signature[start:end].strip()
                answers = inside.endswith("GError **error")
                return 0 if inside in ("", "void") else commas + 1 - answers
        return commas + 1


def functions(text):
    lines = code(text).split("\n")
    opening = None
    for number, line in enumerate(lines):
        if line == "{" and opening is None:
            opening = number
        elif line == "}" and opening is not None:
            yield Function(lines, opening, number)
            opening = None


def require(tool):
    """The tool's path; without it the gate is skipped, which CI does not forgive."""
    path = shutil.which(tool)
    if path:
        return path
    print(f"needs {tool}, see scripts/deps", file=sys.stderr)
    must_all_run = os.environ.get("CI") or os.environ.get("VTREE_REQUIRE_ALL")
    sys.exit(1 if must_all_run else SKIPPED)


def main(check):
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    problems = list(check(root, *sys.argv[2:]))
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)
