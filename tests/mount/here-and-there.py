# SPDX-License-Identifier: LGPL-2.1-or-later
"""here-and-there.py FILE SAME: pieces of FILE, in no order, are those of SAME."""
import os
import random
import sys


def main():
    fds = [os.open(path, os.O_RDONLY) for path in sys.argv[1:]]
    end = os.fstat(fds[0]).st_size
    order = random.Random(1)
    for _ in range(300):
        offset, size = order.randrange(end), order.randrange(1, 300000)
        if os.pread(fds[0], size, offset) != os.pread(fds[1], size, offset):
            sys.exit(f"{size} bytes at {offset} differ")


main()
