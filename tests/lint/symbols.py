# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the layers' libraries define: names of ours, and no mutable state.

symbols.py ROOT LIBRARY...
"""
import re
import subprocess

import source

SYMBOL = re.compile(r"^[0-9a-f]+ (.{7}) (\S+)\t[0-9a-f]+ (?:\.hidden )?(\S+)$")
# G_DEFINE_QUARK keeps its quark in a static `q`.
ALLOWED = re.compile(r"^q\.\d+$")


def check_symbol(flags, section, name):
    if flags[0] in "gu!" and section != "*UND*" and not name.startswith("vtree_"):
        return f"{name} is visible and does not begin with vtree_"
    is_object = flags[6] == "O"
    if is_object and re.match(r"\.(data|bss)(?!\.rel\.ro)|\*COM\*", section) \
            and not ALLOWED.match(name):
        return f"{name} is mutable state ({section})"
    return None


def check(_root, *libraries):
    tool = source.require("objdump")
    for library in libraries:
        listing = subprocess.run([tool, "-t", library], capture_output=True, text=True,
                                 check=True).stdout
        for line in listing.split("\n"):
            match = SYMBOL.match(line)
            problem = match and check_symbol(*match.groups())
            if problem:
                yield f"{library}: {problem}"


source.main(check)
