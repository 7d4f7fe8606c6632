# SPDX-License-Identifier: LGPL-2.1-or-later
"""Flips a bit of a file on the block device behind its mounted file system.

corrupt.py TYPE DEVICE FILE WHERE, where TYPE is stat -f's word and WHERE an offset,
`merkle` or `descriptor`. On ext4 the place is asked of FIEMAP; elsewhere the device is
searched for the block's bytes, and each copy of it is changed.
"""
import fcntl
import mmap
import os
import struct
import sys

FS_IOC_FIEMAP = 0xC020660B
BLOCK = 4096
CHUNK = 16 << 20


def extents(fd):
    """(logical, physical, length), what lies behind the end of the file included."""
    head, record, most = struct.Struct("=QQIIII"), struct.Struct("=QQQQQIIII"), 512
    buffer = bytearray(head.pack(0, 1 << 40, 0, 0, most, 0) + bytes(record.size * most))
    fcntl.ioctl(fd, FS_IOC_FIEMAP, buffer)
    count = head.unpack_from(buffer)[3]
    for number in range(count):
        yield record.unpack_from(buffer, head.size + record.size * number)[:3]


def place_on_ext4(device, fd, where):
    """The byte's place; ext4 keeps the tree 64 KiB-aligned behind the data."""
    mapping = list(extents(fd))

    def physical(offset):
        for logical, start, length in mapping:
            if logical <= offset < logical + length:
                return start + offset - logical
        sys.exit(f"no block at {offset}")

    end = max(logical + length for logical, _, length in mapping)
    if where == "merkle":
        return physical((os.fstat(fd).st_size + 0xFFFF) & ~0xFFFF)
    if where == "descriptor":
        last = os.pread(device, 4, physical(end - BLOCK) + BLOCK - 4)
        size = struct.unpack("<I", last)[0]
        # Behind version, hash algorithm and block size: a byte of the root hash.
        return physical((end - 4 - size) & ~(BLOCK - 1)) + 20
    return physical(int(where))


def places_by_search(device, fd, where):
    offset = int(where)
    wanted = os.pread(fd, BLOCK, offset & ~(BLOCK - 1))
    size = os.lseek(device, 0, os.SEEK_END)
    found = []
    for start in range(0, size, CHUNK):
        chunk = os.pread(device, CHUNK, start)
        at = chunk.find(wanted)
        while at >= 0:
            found.append(start + at + offset % BLOCK)
            at = chunk.find(wanted, at + 1)
    return found or sys.exit(f"{offset}: not found on the device")


def flip(path, place):
    """Past the page cache, of which the file system has one of its own."""
    fd = os.open(path, os.O_RDWR | os.O_DIRECT | os.O_SYNC)
    buffer = mmap.mmap(-1, BLOCK)
    os.preadv(fd, [buffer], place & ~(BLOCK - 1))
    buffer[place % BLOCK] ^= 1
    os.pwritev(fd, [buffer], place & ~(BLOCK - 1))
    os.close(fd)


def main():
    kind, path, name, where = sys.argv[1:]
    device, fd = os.open(path, os.O_RDONLY), os.open(name, os.O_RDONLY)
    if kind == "ext2/ext3":
        places = [place_on_ext4(device, fd, where)]
    else:
        places = places_by_search(device, fd, where)
    os.close(device)
    for place in places:
        flip(path, place)


main()
