# SPDX-License-Identifier: LGPL-2.1-or-later
"""File handles: handle.py encode DIR PATH | check DIR FILE | stale DIR FILE.

encode prints path, inode number, type and bytes of a handle; check opens every one of
FILE and compares; stale damages the node id in each and wants ESTALE.
"""
import ctypes
import errno
import os
import sys

SIZE = 128
libc = ctypes.CDLL(None, use_errno=True)


class Handle(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int),
                ("data", ctypes.c_ubyte * SIZE)]


def encode(top, path):
    handle, mount_id = Handle(SIZE), ctypes.c_int()
    name = os.path.join(top, path).encode()
    if libc.name_to_handle_at(-100, name, ctypes.byref(handle), ctypes.byref(mount_id), 0):
        sys.exit(f"{path}: {os.strerror(ctypes.get_errno())}")
    print(path, os.stat(name).st_ino, handle.type, bytes(handle.data[:handle.bytes]).hex())


def open_handle(top_fd, kind, data):
    handle = Handle(len(data), kind, (ctypes.c_ubyte * SIZE)(*data))
    return libc.open_by_handle_at(top_fd, ctypes.byref(handle), os.O_RDONLY)


def check(top_fd, path, inode, kind, data):
    fd = open_handle(top_fd, kind, data)
    if fd < 0:
        sys.exit(f"{path}: {os.strerror(ctypes.get_errno())}")
    if os.fstat(fd).st_ino != inode:
        sys.exit(f"{path}: inode {os.fstat(fd).st_ino}, expected {inode}")
    os.close(fd)


def stale(top_fd, path, inode, kind, data):
    """FUSE's handle begins with the node id: high half, low half."""
    for damaged in (b"\x01" + data[1:], data[:4] + b"\xff\xff\xff\x7f" + data[8:]):
        if open_handle(top_fd, kind, damaged) >= 0:
            sys.exit(f"{path}: a damaged handle was opened")
        if ctypes.get_errno() != errno.ESTALE:
            sys.exit(f"{path}: {os.strerror(ctypes.get_errno())}")


def main():
    what, top, name = sys.argv[1:]
    if what == "encode":
        encode(top, name)
        return
    top_fd = os.open(top, os.O_RDONLY)
    with open(name, encoding="ascii") as lines:
        for line in lines:
            path, inode, kind, data = line.split()
            {"check": check, "stale": stale}[what](top_fd, path, int(inode), int(kind),
                                                   bytes.fromhex(data))


main()
