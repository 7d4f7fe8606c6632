# SPDX-License-Identifier: LGPL-2.1-or-later
"""shellcheck has nothing to say about our shell scripts (.shellcheckrc), and none pipes
into `grep -q`: it ends at the first match, and with pipefail whoever still writes to it
fails the pipeline now and then."""
import pathlib
import re
import subprocess

import source

QUIET = re.compile(r"(?<!\|)\|\s*grep\s+(-\w+\s+)*-\w*q")
SHEBANG = re.compile(r"#!\s*/(usr/)?bin/(env\s+)?(ba)?sh\b")


def is_shell(root, name):
    if name.endswith(".sh"):
        return True
    with open(pathlib.Path(root) / name, "rb") as file:
        return bool(SHEBANG.match(file.readline().decode("utf-8", "replace")))


def check(root):
    tool = source.require("shellcheck")
    names = [name for name in source.files(root) if is_shell(root, name)]
    if not names:
        return
    for name in names:
        for number, line in enumerate(source.read(root, name).split("\n"), 1):
            if QUIET.search(line):
                yield f"{name}:{number}: a pipe into grep -q: grep -q ... <<<\"$(...)\""
    result = subprocess.run([tool, "--external-sources", "--format=gcc", *names], cwd=root,
                            capture_output=True, text=True, check=False)
    if result.returncode != 0:
        yield result.stdout + result.stderr


source.main(check)
