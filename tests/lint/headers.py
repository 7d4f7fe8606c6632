# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headers are the manual: each says what it is for, and what every function does.

Declarations that stand together without an empty line may share one comment. The
endings whose meaning never varies need none.
"""
import re

import source

PLAIN = re.compile(r"_(ref|unref|free|equal|compare)$")
DECLARATION = re.compile(r"^(?!#|typedef|static|extern \")[A-Za-z_][^;{}=]*?\b(\w+) \(", re.S)


def groups(text):
    """Runs of lines without an empty one between them: (first line number, text)."""
    start, run = 1, []
    for number, line in enumerate(text.split("\n") + [""], 1):
        if line.strip():
            if not run:
                start = number
            run.append(line)
        elif run:
            yield start, "\n".join(run)
            run = []


def undocumented(text):
    """Declared functions of a group that come before its first comment."""
    code = source.code(text)
    comment = text.find("/*")
    if comment == 0:
        return
    offset = 0
    for statement in code.split(";"):
        stripped = re.sub(r"^\s*#.*$", "", statement, flags=re.M).strip()
        match = DECLARATION.match(stripped)
        if match and (comment < 0 or offset < comment):
            name = match.group(1)
            if not PLAIN.search(name) and not name.isupper():
                yield name
        offset += len(statement) + 1


def check(root):
    for name in source.c_files(root, suffixes=(".h",)):
        text = source.read(root, name)
        if "#pragma once" not in text:
            yield f"{name}:1: no #pragma once"
        if not re.match(r"/\* SPDX[^\n]*\*/\n/\*", text):
            yield f"{name}:2: does not begin by saying what it is for"
        for line, group in groups(text):
            for function in undocumented(group):
                if not function.startswith("G_DEFINE"):
                    yield f"{name}:{line}: {function} has no comment"


source.main(check)
