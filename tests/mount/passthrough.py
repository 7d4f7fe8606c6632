# SPDX-License-Identifier: LGPL-2.1-or-later
"""Opening files in ways that a shell has not.

passthrough.py all FILE SOURCE       read, pread, mmap, splice, sendfile, readv give SOURCE
passthrough.py mapped FILE SOURCE    a mapping outlives its descriptor
passthrough.py hold COMMAND FILE...  all are open (at once) while the shell COMMAND runs
passthrough.py again N FILE...       each is opened, read and closed N times
passthrough.py race N FILE...        the same by 8 processes at once, in any order
"""
import mmap
import os
import random
import resource
import subprocess
import sys


def read_all(fd):
    parts = []
    while part := os.read(fd, 100000):
        parts.append(part)
    return b"".join(parts)


def by_pread(fd, size):
    return b"".join(os.pread(fd, 4097, at) for at in range(0, size, 4097))


def by_readv(fd, size):
    first, second = bytearray(size // 3), bytearray(size - size // 3)
    os.preadv(fd, [first, second], 0)
    return bytes(first + second)


def by_mmap(fd, size):
    with mmap.mmap(fd, size, prot=mmap.PROT_READ) as m:
        return m[:]


def by_sendfile(fd, size):
    out = os.memfd_create("out")
    at = 0
    while at < size:
        at += os.sendfile(out, fd, at, size - at)
    data = os.pread(out, size, 0)
    os.close(out)
    return data


def by_splice(fd, size):
    reader, writer = os.pipe()
    data = b""
    while len(data) < size:
        count = os.splice(fd, writer, 65536, offset_src=len(data))
        data += os.read(reader, count)
    os.close(reader)
    os.close(writer)
    return data


def check_all(name, source):
    with open(source, "rb") as f:
        expected = f.read()
    fd = os.open(name, os.O_RDONLY)
    if read_all(fd) != expected:
        sys.exit("read(2) differs")
    for way in (by_pread, by_readv, by_mmap, by_sendfile, by_splice):
        if way(fd, len(expected)) != expected:
            sys.exit(f"{way.__name__} differs")
    os.close(fd)


def check_mapped(name, source):
    fd = os.open(name, os.O_RDONLY)
    mapping = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
    os.close(fd)
    with open(source, "rb") as f:
        if mapping[:] != f.read():
            sys.exit("the mapping differs")


def hold(command, *names):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    fds = [os.open(name, os.O_RDONLY) for name in names]
    for fd in fds:
        if not os.pread(fd, 1, 0):
            sys.exit("nothing was read")
    status = subprocess.call(["bash", "-c", command])
    for fd in fds:
        os.close(fd)
    sys.exit(status)


def again(times, *names):
    for _ in range(int(times)):
        for name in names:
            fd = os.open(name, os.O_RDONLY)
            if not os.read(fd, 10):
                sys.exit(f"{name}: nothing was read")
            os.close(fd)


def race(times, *names):
    pids = []
    for seed in range(8):
        pid = os.fork()
        if pid == 0:
            choose = random.Random(seed)
            again(1, *(choose.choice(names) for _ in range(int(times))))
            os._exit(0)
        pids.append(pid)
    if any([os.waitpid(pid, 0)[1] for pid in pids]):
        sys.exit("one of them failed")


def main():
    verbs = {"all": check_all, "mapped": check_mapped, "hold": hold, "again": again,
             "race": race}
    verbs[sys.argv[1]](*sys.argv[2:])


main()
