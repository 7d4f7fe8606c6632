# SPDX-License-Identifier: LGPL-2.1-or-later
"""clang-format 14 would change nothing, and no line is longer than 88 columns."""
import subprocess

import source

COLUMNS = 88


def check(root):
    tool = source.require("clang-format-14")
    names = source.c_files(root)
    if not names:
        return
    for name in names:
        for number, line in enumerate(source.read(root, name).split("\n"), 1):
            if len(line) > COLUMNS:
                yield f"{name}:{number}: {len(line)} columns, at most {COLUMNS}"
    result = subprocess.run([tool, "--dry-run", "-Werror", *names], cwd=root,
                            capture_output=True, text=True, check=False)
    if result.returncode != 0:
        yield result.stderr
        yield "to repair: clang-format-14 -i FILE..."


source.main(check)
