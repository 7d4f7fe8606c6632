# SPDX-License-Identifier: LGPL-2.1-or-later
"""core <- manifest <- { fuse, cli } <- { tests, bench }, and libfuse in fuse/ alone."""
import re

import source

MAY_INCLUDE = {
    "core": {"core"},
    "manifest": {"core", "manifest"},
    "fuse": {"core", "manifest", "fuse"},
    "cli": {"core", "manifest", "cli"},
    "tests": {"core", "manifest", "fuse", "cli", "tests"},
    "bench": {"core", "manifest", "fuse", "cli", "bench"},
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
LIBFUSE = re.compile(r"^(fuse3/.*|fuse\.h|fuse_\w+\.h|cuse_\w+\.h)$")


def check_include(folder, quote, target):
    top = target.split("/")[0]
    if quote == '"':
        if "/" not in target or top not in MAY_INCLUDE:
            return f'"{target}" does not name its folder'
        if top not in MAY_INCLUDE[folder]:
            return f'{folder} may not include "{target}"'
    elif top in MAY_INCLUDE and "/" in target:
        return f'our own <{target}> is written "{target}"'
    elif LIBFUSE.match(target) and folder not in ("fuse", "tests"):
        return f"only fuse/ may include libfuse's <{target}>"
    return None


def check(root):
    repliers = {}
    for name in source.c_files(root):
        folder = name.split("/")[0]
        text = source.code(source.read(root, name), keep_strings=True)
        for match in INCLUDE.finditer(text):
            problem = check_include(folder, match.group(1), match.group(2))
            if problem:
                yield f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {problem}"
        reply = re.search(r"\bfuse_reply_\w+\s*\(", text)
        if reply and folder in source.PRODUCT:
            repliers[name] = text.count("\n", 0, reply.start()) + 1
    if len(repliers) > 1:
        for name, line in repliers.items():
            yield f"{name}:{line}: more than one file calls fuse_reply_*"


source.main(check)
