# SPDX-License-Identifier: LGPL-2.1-or-later
"""One pass over a tree, with no system call that is not needed: what other programs add
(find asks statfs, Python's open() and bash ask if it is a terminal) is no matter of ours.

pass.py walk|read|links|names DIR
"""
import os
import sys


def walk(path):
    """Every entry below path, with its attributes."""
    with os.scandir(path) as entries:
        found = [(entry.path, entry.stat(follow_symlinks=False)) for entry in entries]
    for name, st in found:
        yield name, st
        if os.path.stat.S_ISDIR(st.st_mode):
            yield from walk(name)


def read(path):
    fd = os.open(path, os.O_RDONLY)
    while os.read(fd, 1 << 20):
        pass
    os.close(fd)


def main():
    what, top = sys.argv[1:]
    if what == "names":
        for line in sys.stdin:
            read(os.path.join(top, line.rstrip("\n")))
        return
    for name, st in walk(top):
        if what == "read" and os.path.stat.S_ISREG(st.st_mode):
            read(name)
        if what == "links" and os.path.stat.S_ISLNK(st.st_mode):
            os.readlink(name)


main()
