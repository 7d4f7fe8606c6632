#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Deltas over random trees, each edited from the one before: applied elsewhere they give
the same manifest and the same contents, byte for byte. Damaged ones change nothing."""

import argparse
import os
import random
import shutil
import subprocess
import sys

MEMORY = 64 << 20
REFUSALS = (1, 3, 6, 7)


class Wrong(Exception):
    """A promise that was not kept."""


# Trees ---------------------------------------------------------------------------------


def fill(path, rng, size):
    """Half of it compressible; a word of the path makes it the file's own."""
    with open(path, "wb") as file:
        data = rng.randbytes(size // 2)
        file.write((data + b"x" * size)[:size])


def random_size(rng):
    return rng.choice([0, 1, 10, 300, 4095, 4096, 4097, 20000, 70000,
                       rng.randrange(1, 200000)])


def grow(top, rng, number):
    directories = [top] + [os.path.join(d, n) for d, ns, _fs in os.walk(top) for n in ns
                           if not os.path.islink(os.path.join(d, n))]
    where = rng.choice(directories)
    name = rng.choice(["f%d", "lib%d.so.1", "mod-6.%d.ko", "x%d"]) % number
    kind = rng.random()
    path = os.path.join(where, name)
    if os.path.lexists(path):
        return
    if kind < 0.2:
        os.mkdir(path)
    elif kind < 0.3:
        os.symlink(rng.choice(["a", "b" * 200, "../c"]), path)
    else:
        fill(path, rng, random_size(rng))


def change(path, rng):
    """What people do to a file: insert, remove, overwrite, append."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    at = rng.randrange(len(data) + 1)
    what = rng.randrange(4)
    if what == 0:
        data[at:at] = rng.randbytes(rng.randrange(1, 2000))
    elif what == 1:
        del data[at:at + rng.randrange(1, 2000)]
    elif what == 2:
        data[at:at + 100] = rng.randbytes(min(100, len(data) - at))
    else:
        data += rng.randbytes(rng.randrange(1, 5000))
    os.unlink(path)
    with open(path, "wb") as file:
        file.write(data)


def edit(top, rng, number):
    files = [os.path.join(d, n) for d, _ds, ns in os.walk(top) for n in ns]
    for step in range(rng.randrange(1, 25)):
        kind = rng.random()
        path = rng.choice(files) if files else None
        if path is None or not os.path.lexists(path) or kind < 0.3:
            grow(top, rng, number * 100 + step)
        elif kind < 0.4:
            os.unlink(path)
        elif kind < 0.5:
            os.rename(path, path + ".%d" % step)
        elif os.path.islink(path):
            os.chown(path, number, 0, follow_symlinks=False)
        elif kind < 0.6:
            os.chmod(path, rng.choice([0o600, 0o755, 0o444]))
        else:
            change(path, rng)


# The campaign ----------------------------------------------------------------------------


class Campaign:
    def __init__(self, options):
        self.options = options
        self.top = options.directory
        self.source = os.path.join(self.top, "source")
        self.tree = os.path.join(self.top, "tree")
        self.largest = 0

    def run(self, repo, *words, **more):
        command = [os.path.join(self.options.bindir, "vtree"), "--repo", repo, *words]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                              check=False, **more)

    def must(self, repo, *words):
        run = self.run(repo, *words)
        if run.returncode != 0:
            raise Wrong(f"vtree {' '.join(words)}: {run.stderr.decode()}")
        return run.stdout

    def delta(self, old, new):
        words = ["--from-empty"] if old is None else [f"r@{old}"]
        path = os.path.join(self.top, f"{old}-{new}.delta")
        with open(path, "wb") as file:
            file.write(self.must(self.source, "delta", "create", "--level=3", *words,
                                 f"r@{new}"))
        return path

    def compare(self, repo, version):
        """Statement, manifest, and all that the manifest names."""
        for name in (f"refs/r/{version}.root", f"refs/r/{version}.sig"):
            with open(os.path.join(self.source, name), "rb") as one, \
                    open(os.path.join(repo, name), "rb") as two:
                text = one.read()
                if text != two.read():
                    raise Wrong(f"{name} is another")
                if name.endswith(".root"):
                    digest = text.split(b"manifest: sha256:")[1][:64].decode()
        path = f"objects/{digest[:2]}/{digest[2:]}"
        with open(os.path.join(self.source, path), "rb") as one, \
                open(os.path.join(repo, path), "rb") as two:
            if one.read() != two.read():
                raise Wrong("the manifest is another")
        out = os.path.join(self.top, "out")
        self.must(repo, "checkout", f"r@{version}", out)
        diff = subprocess.run(["rsync", "-naHAXS", "--checksum", "--delete", "-i",
                               self.tree + "/", out + "/"], capture_output=True, check=True)
        lines = [line for line in diff.stdout.decode().splitlines()
                 if not line.startswith(".d..t")]
        if lines:
            raise Wrong(f"the tree is another: {lines[:5]}")
        shutil.rmtree(out)

    def pairs(self, rng):
        """A chain of edits; each delta goes into one repository of the chain."""
        target = os.path.join(self.top, "target")
        for repo in (self.source, target):
            self.must(repo, "init")
        os.mkdir(self.tree)
        for number in range(60):
            grow(self.tree, rng, number)
        self.must(self.source, "commit", "r", self.tree)
        self.must(target, "delta", "apply", self.delta(None, 1))
        self.compare(target, 1)
        for version in range(2, self.options.pairs + 2):
            edit(self.tree, rng, version)
            self.must(self.source, "commit", "r", self.tree)
            path = self.delta(version - 1, version)
            self.must(target, "delta", "apply", path)
            self.compare(target, version)
            os.unlink(path)
        self.must(target, "fsck")
        return self.options.pairs + 1

    # Damage ------------------------------------------------------------------------------

    def snapshot(self, repo):
        """Every name with what it is; contents of what is small."""
        seen = {}
        for top, directories, names in os.walk(repo):
            for name in directories + names:
                path = os.path.join(top, name)
                status = os.lstat(path)
                seen[os.path.relpath(path, repo)] = \
                    (status.st_mode, status.st_ino, status.st_size) \
                    if name in names else status.st_mode
        return seen

    def mutate(self, good, rng):
        data = bytearray(good)
        what = rng.randrange(6)
        at = rng.choice([rng.randrange(len(data)), rng.randrange(min(1200, len(data)))])
        if what == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            del data[at:]
        elif what == 2:
            del data[at:at + rng.randrange(1, 64)]
        elif what == 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 64))
        elif what == 4:
            data[at:at + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\0\0\0\x80",
                                          rng.randbytes(4)])
        else:
            other = rng.randrange(len(data))
            data[at:at + 32], data[other:other + 32] = \
                data[other:other + 32], data[at:at + 32]
        return bytes(data)

    def apply(self, repo, path):
        """Its exit status, with its memory looked at."""
        pid = os.fork()
        if pid == 0:
            null = os.open(os.devnull, os.O_RDWR)
            errors = os.open(os.path.join(self.top, "stderr"),
                             os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            for number, fd in enumerate((null, null, errors)):
                os.dup2(fd, number)
            os.execv(os.path.join(self.options.bindir, "vtree"),
                     ["vtree", "--repo", repo, "delta", "apply", path])
        _pid, status, usage = os.wait4(pid, 0)
        if not self.options.no_memory and usage.ru_maxrss * 1024 > MEMORY + self.largest:
            raise Wrong(f"it has used {usage.ru_maxrss} KiB")
        if os.WIFSIGNALED(status):
            raise Wrong(f"it died of signal {os.WTERMSIG(status)}")
        return os.WEXITSTATUS(status)

    def case(self, number, good, repo, before):
        rng = random.Random(f"{self.options.seed}/{number}")
        bad = good
        while bad == good:
            bad = self.mutate(good, rng)
        path = os.path.join(self.top, "bad.delta")
        with open(path, "wb") as file:
            file.write(bad)
        status = self.apply(repo, path)
        with open(os.path.join(self.top, "stderr"), encoding="utf-8") as file:
            lines = file.read().splitlines()
        if status not in REFUSALS or len(lines) != 1:
            raise Wrong(f"case {number}: exit {status}, {lines}")
        after = self.snapshot(repo)
        if after != before:
            changed = {p for p in set(after) | set(before) if after.get(p) != before.get(p)}
            raise Wrong(f"case {number}: exit {status}, {lines}, and "
                        f"{sorted(changed)[:5]} changed")
        return status

    def damaged(self, versions):
        repo = os.path.join(self.top, "half")
        self.must(repo, "init")
        whole, last = self.delta(None, versions), self.delta(versions - 1, versions)
        empty = os.path.join(self.top, "empty")
        self.must(empty, "init")
        self.must(repo, "delta", "apply", "--force", self.delta(None, versions - 1))
        self.largest = max(os.path.getsize(os.path.join(d, n))
                           for d, _ds, ns in os.walk(self.tree) for n in ns
                           if not os.path.islink(os.path.join(d, n)))
        counts = {}
        goods = []
        for target, path in ((repo, last), (empty, whole)):
            with open(path, "rb") as file:
                goods.append((target, file.read(), self.snapshot(target)))
        for number in range(self.options.cases):
            target, good, before = goods[number % 2]
            status = self.case(number, good, target, before)
            counts[status] = counts.get(status, 0) + 1
        for target, path in ((repo, last), (empty, whole)):
            self.must(target, "delta", "apply", path)
            self.must(target, "fsck")
        print("damaged deltas by exit status:", counts)

    def all(self):
        rng = random.Random(self.options.seed)
        versions = self.pairs(rng)
        print(f"{versions} trees, the same elsewhere")
        self.damaged(versions)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bindir", required=True)
    parser.add_argument("--directory", required=True)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--no-memory", action="store_true",
                        help="a sanitizer needs more than that")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    try:
        Campaign(options).all()
    except Wrong as wrong:
        sys.exit(f"delta: {wrong}")


main()
