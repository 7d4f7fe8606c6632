#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a directory holds, as Python sees it: the oracle of capture-test.c.

One line a name, sorted, with every byte of a name or target that is not a plain visible
one as \\xNN: path|type and mode|uid|gid|links|time in ns|size or device|target|xattrs
"""
import os
import stat
import sys

TAKEN = ("security.capability", "system.posix_acl_access", "system.posix_acl_default")


def escape(name):
    return "".join(chr(b) if 0x20 < b < 0x7F and b != 0x5C else "\\x%02x" % b
                   for b in name)


def xattrs(path, kind):
    if kind == stat.S_IFLNK:
        return ""
    found = sorted(os.fsencode(n) for n in os.listxattr(path, follow_symlinks=False)
                   if n.startswith("user.") or n in TAKEN)
    return ",".join(
        n.decode() + "=" + os.getxattr(path, n, follow_symlinks=False).hex()
        for n in found)


def describe(top, path):
    full = os.path.join(top, path) if path else top
    st = os.lstat(full)
    kind = stat.S_IFMT(st.st_mode)
    size = st.st_size
    if kind in (stat.S_IFBLK, stat.S_IFCHR):
        size = (os.major(st.st_rdev) << 20) + os.minor(st.st_rdev)
    if kind == stat.S_IFDIR:
        size = 0
    target = os.readlink(full) if kind == stat.S_IFLNK else b""
    head = "|%o|%d|%d|%d|%d|%d|" % (st.st_mode, st.st_uid, st.st_gid, st.st_nlink,
                                    st.st_mtime_ns, size)
    return escape(path) + head + escape(target) + "|" + xattrs(full, kind)


def main():
    top = os.fsencode(sys.argv[1])
    lines = [describe(top, b"")]
    for at, directories, files in os.walk(top):
        for name in directories + files:
            lines.append(describe(top, os.path.relpath(os.path.join(at, name), top)))
    print("\n".join(sorted(lines)))


main()
