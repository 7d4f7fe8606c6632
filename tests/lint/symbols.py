# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the layers' libraries define: names of ours, and no mutable state.

symbols.py ROOT LIBRARY...
"""
import re
import subprocess

import source

SYMBOL = re.compile(r"^[0-9a-f]+ (.{7}) (\S+)\t[0-9a-f]+ (?:\.hidden )?(\S+)$")
MEMBER = re.compile(r"^(\S+)\.o:\s+file format")
# G_DEFINE_QUARK keeps its quark in a static `q`.
QUARK = re.compile(r"^q\.\d+$")


def check_symbol(member, flags, section, name):
    if flags[0] in "gu!" and section != "*UND*" and not name.startswith("vtree_"):
        return f"{name} is visible and does not begin with vtree_"
    is_object = flags[6] == "O"
    if is_object and re.match(r"\.(data|bss)(?!\.rel\.ro)|\*COM\*", section) \
            and not QUARK.match(name):
        return f"{member}: {name} is mutable state ({section})"
    return None


def check(_root, *libraries):
    tool = source.require("objdump")
    for library in libraries:
        listing = subprocess.run([tool, "-t", library], capture_output=True, text=True,
                                 check=True).stdout
        member = ""
        for line in listing.split("\n"):
            header = MEMBER.match(line)
            member = header.group(1) if header else member
            match = SYMBOL.match(line)
            problem = match and check_symbol(member, *match.groups())
            if problem:
                yield f"{library}: {problem}"


source.main(check)
