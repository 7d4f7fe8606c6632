# SPDX-License-Identifier: LGPL-2.1-or-later
"""read-fails.py FILE ERRNO: succeeds if opening or reading FILE fails with ERRNO (EIO)."""
import errno
import os
import sys


def main():
    path, expected = sys.argv[1:]
    try:
        fd = os.open(path, os.O_RDONLY)
        while os.read(fd, 1 << 20):
            pass
    except OSError as e:
        name = errno.errorcode[e.errno]
        sys.exit(0 if name == expected else name)
    sys.exit("it was read")


main()
