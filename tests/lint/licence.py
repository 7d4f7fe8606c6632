# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every source file says under which licence it is, first thing."""
import source

TAG = "SPDX-License-Identifier: LGPL-2.1-or-later"
SUFFIXES = (".c", ".h", ".cmake", ".py", ".sh", ".in", ".1", ".5", ".8")
FOLDERS = ("scripts/", ".ci/")


def check(root):
    for name in source.files(root):
        is_source = name.endswith(SUFFIXES) or name.startswith(FOLDERS) \
            or name.endswith("CMakeLists.txt")
        if not is_source:
            continue
        lines = source.read(root, name).split("\n")[:2]
        if name.endswith((".c", ".h")):
            if lines[0] != f"/* {TAG} */":
                yield f"{name}:1: the first line must be: /* {TAG} */"
        elif not any(line.endswith(TAG) for line in lines):
            yield f"{name}:1: one of the first two lines must be the comment: {TAG}"


source.main(check)
