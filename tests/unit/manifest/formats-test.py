# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads a manifest with nothing but what doc/formats.md says, and compares with what it was
made of: the document and the code are two witnesses."""

import os
import stat
import struct
import subprocess
import sys
import tempfile

EXPECTED = """\
/ 040755 6 - 0
/acl 040750 2 - 0 system.posix_acl_access:44
/dir 040755 3 - 0
/dup-a 0120777 1 -> dir
/dup-b 040755 2 - 0
/fifo 010600 1 - 0
/link 0120777 1 -> dir
/null 020666 1 rdev 0x103
/setid 0104755 1 object 6
/xattr 0100600 1 - 0 user.a:1 user.b:1
/zdir 040755 2 - 0
/dir/file 0100644 1 object 6
/dir/p- 0100600 1 - 0
/dir/q 0100600 1 - 0
/dir/r-s 0100600 1 - 0
/dir/sub 040755 3 - 0
/dir/t-u 0100600 1 - 0
/dir/zz 0100600 1 - 0
/dir/sub/loop 040755 2 - 0
"""


class Manifest:
    def __init__(self, data):
        self.data = data
        assert data[:8] == b"VTREEMF\n"
        version, count = struct.unpack_from("<II", data, 8)
        assert (version, count) == (1, 7)
        self.flags, self.algorithm = struct.unpack_from("<QI", data, 32)
        (size,) = struct.unpack_from("<Q", data, 48)
        assert size == len(data)
        self.totals = struct.unpack_from("<6Q", data, 56)
        self.sections = {}
        end = 4096
        for line in range(7):
            number, record, offset, records, _ = struct.unpack_from(
                "<IIQQQ", data, 256 + 32 * line
            )
            assert number == line + 1 and offset == end
            self.sections[number] = (offset, record, records)
            end = (offset + record * records + 4095) // 4096 * 4096
        assert end == len(data)

    def record(self, section, index, layout):
        offset, size, count = self.sections[section]
        assert index < count
        return struct.unpack_from("<" + layout, self.data, offset + size * index)

    def heap(self, section, offset, size):
        start, _, count = self.sections[section]
        assert offset + size <= count
        return self.data[start + offset : start + offset + size]

    def inode(self, index):
        return self.record(1, index, "IIqII")

    def name(self, offset):
        return self.heap(4, offset + 1, self.heap(4, offset, 1)[0]).decode()

    def target(self, offset):
        (size,) = struct.unpack("<H", self.heap(4, offset, 2))
        return self.heap(4, offset + 2, size).decode()

    def xattrs(self, offset):
        if offset == 0:
            return
        offset -= 1
        (count,) = struct.unpack("<H", self.heap(7, offset, 2))
        offset += 2
        for _ in range(count):
            name_size, value_size = struct.unpack("<BI", self.heap(7, offset, 5))
            name = self.heap(7, offset + 5, name_size)
            yield f" {name.decode()}:{value_size}"
            offset += 5 + name_size + value_size

    def describe(self, index):
        attributes, _, _, nlink, content = self.inode(index)
        mode, _, _, xattrs = self.record(5, attributes, "IIII")
        what = "- 0"
        if stat.S_ISLNK(mode):
            what = "-> " + self.target(content)
        elif stat.S_ISCHR(mode):
            what = f"rdev {content:#x}"
        elif stat.S_ISREG(mode) and content > 0:
            what = f"object {self.record(6, content - 1, 'Q')[0]}"
        return f"0{mode:o} {nlink} {what}" + "".join(self.xattrs(xattrs))

    def listing(self):
        paths = {0: ""}
        for directory in range(self.sections[2][2]):
            inode, parent, first, count = self.record(2, directory, "IIII")
            assert self.inode(inode)[4] == directory
            assert parent in paths
            for entry in range(first, first + count):
                name, child = self.record(3, entry, "II")
                paths.setdefault(child, f"{paths[inode]}/{self.name(name)}")
        return "".join(
            f"{paths[i] or '/'} {self.describe(i)}\n" for i in range(self.sections[1][2])
        )


def main():
    program = os.path.join(
        os.environ["VTREE_BUILD_DIR"], "tests/programs/hostile-manifest"
    )
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "good.vtm")
        subprocess.run([program, "none", path], check=True)
        with open(path, "rb") as file:
            manifest = Manifest(file.read())
    assert manifest.algorithm == 1
    assert manifest.flags == 15
    assert manifest.totals == (7, 8, 2, 2, 12, 2), manifest.totals
    listing = manifest.listing()
    if listing != EXPECTED:
        sys.exit("the manifest reads as\n" + listing)


main()
