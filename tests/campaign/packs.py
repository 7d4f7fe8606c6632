#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Packs over the life of a repository: a tree is edited and committed again and again;
what is mounted is the tree, the store grows by what has changed, one tree has one digest
however it is packed, and a repack that is killed, or has readers, harms nobody."""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

EDITS = 20
FILES = 1500
READERS = 4


class Wrong(Exception):
    """A promise that was not kept."""


def fill(path, rng, size):
    with open(path, "wb") as file:
        file.write(rng.randbytes(size))


def size_of(rng):
    return rng.choice([rng.randrange(1, 4097)] * 8 + [rng.randrange(4097, 60000)])


def disk(path):
    """Bytes of all files below."""
    return sum(os.lstat(os.path.join(d, n)).st_size
               for d, _ds, ns in os.walk(path) for n in ns)


class Campaign:
    def __init__(self, options):
        self.options = options
        self.top = options.directory
        self.repo = os.path.join(self.top, "repo")
        self.tree = os.path.join(self.top, "tree")
        self.mount = os.path.join(self.top, "mnt")

    def start(self, *words, repo=None):
        command = [os.path.join(self.options.bindir, "vtree"), "--repo",
                   repo or self.repo, *words]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def must(self, *words, repo=None):
        process = self.start(*words, repo=repo)
        out, errors = process.communicate()
        if process.returncode != 0:
            raise Wrong(f"vtree {' '.join(words)}: {errors.decode()}")
        return out.decode().strip()

    def commit(self, repo=None, ref="r"):
        return self.must("commit", "--quiet", ref, self.tree, repo=repo)

    def usage(self):
        return json.loads(self.must("status", "--store", "--json"))

    # Trees -----------------------------------------------------------------------------

    def grow(self, rng):
        os.makedirs(self.mount)
        for number in range(FILES):
            where = os.path.join(self.tree, f"d{number % 40:02}")
            os.makedirs(where, exist_ok=True)
            fill(os.path.join(where, f"f{number}"), rng, size_of(rng))

    def edit(self, rng, number):
        """Changes, adds, removes and renames; the bytes that are new."""
        files = sorted(os.path.join(d, n) for d, _ds, ns in os.walk(self.tree) for n in ns)
        changed = 0
        for step in range(rng.randrange(5, 60)):
            path = rng.choice(files)
            kind = rng.random()
            if kind < 0.4 or not os.path.exists(path):
                path = os.path.join(self.tree, f"d{rng.randrange(40):02}",
                                    f"n{number}-{step}")
                kind = 0
            if kind < 0.7:
                fill(path, rng, size_of(rng))
                changed += os.path.getsize(path)
            elif kind < 0.85:
                os.unlink(path)
            else:
                os.rename(path, path + f".{number}")
        return changed

    def compare(self):
        """The mount is the tree."""
        self.must("mount", "r", self.mount)
        try:
            run = subprocess.run(["rsync", "-naHAXS", "--checksum", "--delete", "-i",
                                  self.tree + "/", self.mount + "/"],
                                 capture_output=True, check=True)
        finally:
            self.must("umount", self.mount)
        lines = [line for line in run.stdout.decode().splitlines()
                 if not line.startswith(".d..t")]
        if lines:
            raise Wrong(f"the mount is another: {lines[:5]}")

    # Edits -----------------------------------------------------------------------------

    def manifest_size(self):
        versions = sorted(int(n.split(".")[0]) for n in
                          os.listdir(os.path.join(self.repo, "refs/r")) if ".root" in n)
        with open(os.path.join(self.repo, f"refs/r/{versions[-1]}.root"),
                  encoding="utf-8") as file:
            return int(dict(line.split(": ", 1) for line in file.read().splitlines()[1:])
                       ["size"])

    def edits(self, rng):
        first = os.path.join(self.top, "first")
        shutil.copytree(self.tree, first, symlinks=True)
        digests = [self.commit()]
        allowed = disk(self.repo)
        for number in range(EDITS):
            changed = self.edit(rng, number)
            digests.append(self.commit())
            self.compare()
            # An entry in a pack's index is 44 bytes, its header 64.
            allowed += changed + self.manifest_size() + 60 * 44 + 64 + 4096
            if disk(self.repo) > allowed:
                raise Wrong(f"{disk(self.repo)} bytes after edit {number}, not {allowed}")
        return first, digests

    def fresh(self, name, *words):
        repo = os.path.join(self.top, name)
        self.must("init", *words, repo=repo)
        return repo, self.commit(repo=repo, ref=name)

    def one_digest(self, first, digests):
        """Fresh, after edits and back, before and after repack, with packs and without."""
        last, tree = digests[-1], self.tree
        for name, words in (("fresh", ()), ("loose", ("--pack-threshold=0",)),
                            ("large", ("--pack-threshold=65536",))):
            if self.fresh(name, *words)[1] != last:
                raise Wrong(f"{name}: another digest")
        self.tree = first
        if self.commit() != digests[0]:
            raise Wrong("back where it was: another digest")
        self.must("repack", "--all")
        if self.commit() != digests[0]:
            raise Wrong("after a repack: another digest")
        self.tree = tree
        if self.commit() != last:
            raise Wrong("forth again: another digest")
        for number, digest in enumerate(digests):
            with open(os.path.join(self.repo, f"refs/r/{number + 1}.root"),
                      encoding="utf-8") as file:
                if f"manifest: {digest}\n" not in file.read():
                    raise Wrong(f"version {number + 1} has another digest")

    def shrink(self):
        """gc and repack leave about what a fresh commit makes."""
        self.must("repack")
        self.must("gc", "--keep=1")
        self.must("repack", "--all")
        self.must("fsck")
        self.compare()
        fresh = disk(os.path.join(self.top, "fresh"))
        if disk(self.repo) > fresh * 1.05:
            raise Wrong(f"{disk(self.repo)} bytes, a fresh commit has {fresh}")
        if self.usage()["dead_bytes"] != 0:
            raise Wrong("dead bytes are left")

    # Repacks that end early ------------------------------------------------------------

    WAYS = (["repack", "--all"], ["repack", "--all", "--threshold=0"], ["repack"],
            ["repack", "--all", "--threshold=1000"])

    def kills(self, rng):
        killed = 0
        for number in range(self.options.kills):
            words = self.WAYS[number % len(self.WAYS)]
            self.edit(rng, 1000 + number)
            self.commit()
            process = self.start(*words)
            time.sleep(rng.random() * 0.25)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += process.returncode == -signal.SIGKILL
            self.must("fsck")
            if number % 5 == 0:
                self.compare()
        self.must("repack", "--all")
        self.must("gc", "--keep=1")
        self.must("fsck")
        self.compare()
        if os.listdir(os.path.join(self.repo, "tmp")):
            raise Wrong("something is left in tmp")
        if killed < self.options.kills // 4:
            raise Wrong(f"only {killed} were killed")
        return killed

    # Readers ---------------------------------------------------------------------------

    def reader(self, seed, want):
        """Reads until it is told to end; 0 if all of it was right."""
        rng = random.Random(seed)
        stop = []
        signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
        paths = sorted(want)
        count = 0
        while not stop:
            path = rng.choice(paths)
            fd = os.open(os.path.join(self.mount, path), os.O_RDONLY)
            data = os.read(fd, 1 << 20)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)
            if data != want[path]:
                print(f"reader: {path}: {len(data)} bytes, not {len(want[path])}",
                      flush=True)
                return 1
            count += 1
        return 0 if count > 0 else 2

    def readers(self):
        want = {}
        for top, _directories, names in os.walk(self.tree):
            for name in names:
                path = os.path.join(top, name)
                with open(path, "rb") as file:
                    want[os.path.relpath(path, self.tree)] = file.read()
        self.must("mount", "r", self.mount)
        children = []
        for number in range(READERS):
            pid = os.fork()
            if pid == 0:
                status = 3
                try:
                    status = self.reader(number, want)
                except OSError as error:
                    print(f"reader: {error}", flush=True)
                os._exit(status)
            children.append(pid)
        try:
            for number in range(self.options.rounds):
                self.must(*self.WAYS[number % len(self.WAYS)])
        finally:
            for pid in children:
                os.kill(pid, signal.SIGTERM)
            answers = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                       for pid in children]
            self.must("umount", self.mount)
        if any(answers):
            raise Wrong(f"readers say {answers}")

    def all(self):
        rng = random.Random(self.options.seed)
        self.must("init")
        self.grow(rng)
        first, digests = self.edits(rng)
        print(f"{EDITS} edits: {disk(self.repo)} bytes")
        self.one_digest(first, digests)
        print("one digest")
        self.shrink()
        print(f"shrunk: {disk(self.repo)} bytes")
        self.readers()
        print(f"{self.options.rounds} repacks under {READERS} readers")
        print(f"{self.kills(rng)} of {self.options.kills} repacks killed")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bindir", required=True)
    parser.add_argument("--directory", required=True)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args()
    print(f"seed {options.seed}")
    try:
        Campaign(options).all()
    except Wrong as wrong:
        sys.exit(f"packs: {wrong}")


main()
