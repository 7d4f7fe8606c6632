# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes to a block device behind the back of the file system that is on it.

raw.py extents IMAGE: for each line "FILE OFFSET VALUE" on standard input, puts VALUE (0 to
255; "flip" changes a bit) at that offset of the file, also beyond its end, in the image of
the ext4 that the file is on.

raw.py btrfs IMAGE: for each line "COPY OFFSET [sum]" on standard input, COPY having the
same bytes as something in the image of a btrfs that is not mounted (contents, a Merkle
tree, a descriptor), flips a bit where the image has those 32 bytes. Checksums of tree
blocks are made to fit; with "sum" the one of the block of data, too.
"""
import array
import fcntl
import mmap
import os
import struct
import sys

FS_IOC_FIEMAP = 0xC020660B
EXTENTS = 256
NOT_ON_DISK = 0x2 | 0x4  # FIEMAP_EXTENT_UNKNOWN, _DELALLOC

BLOCK = 4096
PATTERN = 32
NODE = 16384  # mkfs.btrfs's default
NODE_FSID = slice(32, 48)
NODE_SUMMED = 32  # what the checksum is of begins here
SUPER = 65536

# --- ext4 ---------------------------------------------------------------------------


def extents(path):
    """(logical, physical, length) of the file's extents, those beyond its end too."""
    head = struct.pack("=QQLLLL", 0, 2**63 - 1, 1, 0, EXTENTS, 0)
    buffer = array.array("B", head + bytes(56 * EXTENTS))
    fd = os.open(path, os.O_RDONLY)
    fcntl.ioctl(fd, FS_IOC_FIEMAP, buffer)
    os.close(fd)
    count = struct.unpack_from("=L", buffer, 20)[0]
    for i in range(count):
        logical, physical, length, flags = struct.unpack_from("=QQQ16xL", buffer, 32 + 56 * i)
        if flags & NOT_ON_DISK:
            sys.exit(f"{path}: not on the disk yet")
        yield logical, physical, length


def place(path, offset):
    for logical, physical, length in extents(path):
        if logical <= offset < logical + length:
            return physical + offset - logical
    sys.exit(f"{path}: nothing at {offset}")


def strike_extents(image):
    for line in sys.stdin:
        path, offset, value = line.split()
        at = place(path, int(offset))
        old = os.pread(image, 1, at)[0]
        os.pwrite(image, bytes([old ^ 1 if value == "flip" else int(value)]), at)


# --- btrfs --------------------------------------------------------------------------


def crc_table():
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        yield byte


TABLE = list(crc_table())


def crc32c(data):
    crc = 0xFFFFFFFF
    table = TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return struct.pack("<L", crc ^ 0xFFFFFFFF)


def written(fd):
    """The parts of a sparse file that are no holes."""
    end = os.fstat(fd).st_size
    at = 0
    while at < end:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            return
        at = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, at


class Btrfs:
    def __init__(self, fd):
        self.parts = list(written(fd))
        self.map = mmap.mmap(fd, 0)
        self.fsid = self.map[SUPER + 32:SUPER + 48]
        self.nodes = set()

    def find(self, pattern):
        for start, end in self.parts:
            at = self.map.find(pattern, start, end)
            while at >= 0:
                yield at
                at = self.map.find(pattern, at + 1, end)

    def put(self, at, data):
        """Writes; a tree block there will need another checksum."""
        node = at - at % NODE
        if self.map[node:node + NODE][NODE_FSID] == self.fsid:
            self.nodes.add(node)
        self.map[at:at + len(data)] = data

    def strike(self, copy, offset, fit):
        pattern = copy[offset:offset + PATTERN]
        places = list(self.find(pattern))
        if not places:
            sys.exit(f"nothing like the bytes at {offset}")
        for at in places:
            self.put(at, bytes([pattern[0] ^ 1]))
        if fit:
            self.fit_data(copy, offset)

    def fit_data(self, copy, offset):
        """The sums of neighbouring blocks are neighbours in the checksum tree."""
        start = offset - offset % BLOCK
        bad = bytearray(copy[start:start + BLOCK])
        bad[offset - start] ^= 1
        following = crc32c(copy[start + BLOCK:start + 2 * BLOCK])
        places = list(self.find(crc32c(copy[start:start + BLOCK]) + following))
        if not places:
            sys.exit(f"no checksum of the block at {start}")
        for at in places:
            self.put(at, crc32c(bad))

    def fit_nodes(self):
        for node in self.nodes:
            self.map[node:node + 4] = crc32c(self.map[node + NODE_SUMMED:node + NODE])


def strike_btrfs(image):
    btrfs = Btrfs(image)
    for line in sys.stdin:
        path, offset, *fit = line.split()
        with open(path, "rb") as copy:
            btrfs.strike(copy.read(), int(offset), bool(fit))
    btrfs.fit_nodes()
    btrfs.map.flush()


def main():
    command, image = sys.argv[1:]
    fd = os.open(image, os.O_RDWR)
    {"extents": strike_extents, "btrfs": strike_btrfs}[command](fd)
    os.fsync(fd)


main()
