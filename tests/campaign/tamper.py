#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tampering campaign: whatever is done to a repository, a read through the mount
gives the signed bytes or EIO, nothing hangs, and the daemon lives.

Each case picks a victim file in the repository, a mutation, and a moment (before the
mount, while mounted, between two reads of one open file), then walks the whole mount and
compares every name, attribute, target, xattr and byte with the tree that was signed.
Runs as root in a mount namespace of its own (tamper.sh sees to that). Seeded: a failing
case is repeated with --seed and --only.
"""

import argparse
import errno
import os
import random
import shutil
import signal
import stat
import struct
import subprocess
import sys
import time
import traceback

BLOCK = 4096
CASE_SECONDS = 60


class Tree:
    """A signed tree: where its source is, and what a reader has to see."""

    def __init__(self, ref, source):
        self.ref = ref
        self.source = source
        self.want = None

    def snapshot(self):
        self.want = {}
        for path, status in walk_source(self.source):
            self.want[path] = expectation(os.path.join(self.source, path), status)


def walk_source(top):
    stack = [""]
    while stack:
        path = stack.pop()
        full = os.path.join(top, path) if path else top
        status = os.lstat(full)
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            stack.extend(os.path.join(path, name) for name in os.listdir(full))


def expectation(full, status):
    want = {"attributes": attributes(status), "xattrs": {}}
    if stat.S_ISDIR(status.st_mode):
        want["names"] = sorted(os.listdir(full))
    elif stat.S_ISLNK(status.st_mode):
        want["target"] = os.readlink(full)
    else:
        with open(full, "rb") as file:
            want["bytes"] = file.read()
    if not stat.S_ISLNK(status.st_mode):
        want["xattrs"] = {n: os.getxattr(full, n) for n in os.listxattr(full)}
    return want


def attributes(status):
    """What stat(2) has to say; sizes and links of directories differ by filesystem."""
    common = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns)
    if stat.S_ISDIR(status.st_mode):
        return common
    return common + (status.st_size, status.st_nlink)


# The trees ---------------------------------------------------------------------------


def fill(path, rng, size):
    with open(path, "wb") as file:
        file.write(rng.randbytes(size))


def make_small_tree(top, rng):
    sizes = [0, 1, 100, 4095, 4096, 4097, 20000, 65536, 128 * BLOCK - 1, 128 * BLOCK,
             128 * BLOCK + 1, 300 * BLOCK + 17, 700 * BLOCK]
    for directory in ["", "a", "a/b", "a/b/c", "empty", "z"]:
        os.makedirs(os.path.join(top, directory), exist_ok=True)
    for number, size in enumerate(sizes):
        where = ["", "a", "a/b", "a/b/c", "z"][number % 5]
        fill(os.path.join(top, where, f"file{number:02}"), rng, size)
    for number in range(24):
        fill(os.path.join(top, "z", f"small{number:02}"), rng, rng.randrange(1, 9000))
    os.link(os.path.join(top, "file00"), os.path.join(top, "a/hard"))
    os.symlink("a/b", os.path.join(top, "link"))
    os.symlink("x" * 3000, os.path.join(top, "a/long"))
    os.setxattr(os.path.join(top, "z/small00"), "user.note", b"signed too")
    os.chmod(os.path.join(top, "z/small01"), 0o4755)


def make_wide_tree(top, rng):
    """A manifest of more than 128 blocks, so that it has a Merkle file of its own."""
    os.makedirs(top)
    fill(os.path.join(top, "content"), rng, 5000)
    fill(os.path.join(top, "packed"), rng, 3000)
    for directory in range(30):
        os.makedirs(os.path.join(top, f"d{directory:02}"))
        for number in range(300):
            name = f"{number:03}-" + "n" * 40
            os.symlink("t", os.path.join(top, f"d{directory:02}", name))


# Mutations ---------------------------------------------------------------------------


def mutate_flip(path, other, rng):
    size = os.path.getsize(path)
    if size == 0:
        return mutate_extend(path, other, rng)
    offset = rng.randrange(size)
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ (1 << rng.randrange(8))]))
    return f"bit of byte {offset} of {size}"


def mutate_truncate(path, _other, rng):
    size = os.path.getsize(path)
    new = rng.choice([0, size // 2, max(size - 1, 0), size // BLOCK * BLOCK])
    os.truncate(path, new)
    return f"{size} to {new}"


def mutate_extend(path, _other, rng):
    with open(path, "ab") as file:
        file.write(rng.randbytes(rng.choice([1, 17, BLOCK, 3 * BLOCK])))
    return "extended"


def mutate_swap(path, other, _rng):
    os.rename(path, path + ".swap")
    os.rename(other, path)
    os.rename(path + ".swap", other)
    return f"with {os.path.basename(other)}"


def mutate_overwrite(path, other, _rng):
    with open(other, "rb") as file:
        data = file.read()
    with open(path, "r+b") as file:
        file.truncate(0)
        file.write(data)
    return f"with the bytes of {os.path.basename(other)}"


def mutate_symlink(path, other, _rng):
    os.rename(path, path + ".real")
    os.symlink(path + ".real", path)
    return "to the right bytes"


def mutate_symlink_away(path, other, _rng):
    os.unlink(path)
    os.symlink(other, path)
    return f"to {os.path.basename(other)}"


def mutate_fifo(path, _other, _rng):
    os.unlink(path)
    os.mkfifo(path, 0o644)
    return ""


def mutate_directory(path, _other, _rng):
    os.unlink(path)
    os.mkdir(path, 0o755)
    return ""


def mutate_device(path, _other, rng):
    minor = rng.choice([3, 5])
    os.unlink(path)
    os.mknod(path, stat.S_IFCHR | 0o644, os.makedev(1, minor))
    return f"1:{minor}"


def mutate_remove(path, _other, _rng):
    os.unlink(path)
    return ""


def mutate_zero_block(path, _other, rng):
    size = os.path.getsize(path)
    block = rng.randrange(size // BLOCK + 1)
    with open(path, "r+b") as file:
        file.seek(block * BLOCK)
        length = min(BLOCK, size - block * BLOCK)
        file.write(bytes(length))
    return f"block {block}"


MUTATIONS = {
    "flip": mutate_flip,
    "flip2": mutate_flip,
    "flip3": mutate_flip,
    "truncate": mutate_truncate,
    "extend": mutate_extend,
    "swap": mutate_swap,
    "overwrite": mutate_overwrite,
    "symlink": mutate_symlink,
    "symlink-away": mutate_symlink_away,
    "fifo": mutate_fifo,
    "directory": mutate_directory,
    "device": mutate_device,
    "remove": mutate_remove,
    "zero-block": mutate_zero_block,
}
MOMENTS = ["before", "mounted", "walked", "between"]


# Checking a mount --------------------------------------------------------------------


class Wrong(Exception):
    """Something that was not signed has been handed out."""


class Tally:
    def __init__(self):
        self.right = 0
        self.eio = 0
        self.eio_paths = []


def guarded(tally, path, action):
    """ACTION's answer, or None for EIO; any other error is wrong."""
    try:
        answer = action()
    except OSError as error:
        if error.errno != errno.EIO:
            raise Wrong(f"{path!r}: {error}") from error
        tally.eio += 1
        tally.eio_paths.append(path)
        return None
    tally.right += 1
    return answer


def same(path, what, got, want):
    if got is not None and got != want:
        shown = (repr(got)[:80], repr(want)[:80])
        raise Wrong(f"{path!r}: {what} is {shown[0]}, signed was {shown[1]}")


def read_file(full):
    fd = os.open(full, os.O_RDONLY)
    try:
        chunks = []
        while True:
            chunk = os.read(fd, 1 << 17)
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
    finally:
        os.close(fd)


def check_path(mount, path, want, tally):
    full = os.path.join(mount, path)
    same(path, "stat", guarded(tally, path, lambda: attributes(os.lstat(full))),
         want["attributes"])
    if "names" in want:
        names = guarded(tally, path, lambda: sorted(os.listdir(full)))
        same(path, "list of names", names, want["names"])
    if "target" in want:
        same(path, "target", guarded(tally, path, lambda: os.readlink(full)),
             want["target"])
    if "bytes" in want:
        same(path, "contents", guarded(tally, path, lambda: read_file(full)),
             want["bytes"])
    for name, value in want["xattrs"].items():
        got = guarded(tally, path, lambda n=name: os.getxattr(full, n))
        same(path, f"xattr {name}", got, value)


def check_mount(mount, tree, tally, sample=None):
    paths = list(tree.want)
    if sample is not None and len(paths) > sample[1]:
        paths = sample[0].sample(paths, sample[1])
    for path in paths:
        check_path(mount, path, tree.want[path], tally)


def check_range(path, fd, span, want, tally):
    """Reads SPAN of WANT as read(2) hands it out, which may be less at a time: what comes
    before a bad block is right, and the next read says EIO."""
    at, end = span
    while at < end:
        got = guarded(tally, path, lambda: os.pread(fd, end - at, at))
        if got is None:
            return
        same(path, f"bytes at {at}", got, want[at:at + max(len(got), 1)])
        at += len(got)


def check_between(mount, tree, path, tamper, tally):
    """Reads half of an open file, tampers, reads it all again through the same
    descriptor with the kernel's pages dropped."""
    want = tree.want[path]["bytes"]
    fd = os.open(os.path.join(mount, path), os.O_RDONLY)
    try:
        check_range(path, fd, (0, len(want) // 2), want, tally)
        tamper()
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        for start in range(0, len(want), 1 << 16):
            check_range(path, fd, (start, min(start + (1 << 16), len(want))), want, tally)
    finally:
        os.close(fd)


# One case ----------------------------------------------------------------------------


class Campaign:
    def __init__(self, options):
        self.options = options
        self.top = options.directory
        self.repo = os.path.join(self.top, "repo")
        self.pristine = os.path.join(self.top, "pristine")
        self.mount = os.path.join(self.top, "mnt")
        self.log = os.path.join(self.top, "daemon.log")
        self.trees = {}
        self.outcomes = {}

    def vtree(self, *words):
        command = [os.path.join(self.options.bindir, "vtree"), "--repo", self.repo]
        run = subprocess.run(command + list(words), stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, check=False)
        if run.returncode != 0:
            sys.exit(f"tamper: vtree {' '.join(words)}: {run.stderr}")
        return run.stdout

    def prepare(self):
        rng = random.Random(self.options.seed)
        os.makedirs(self.mount)
        small = Tree("app/small", os.path.join(self.top, "small"))
        wide = Tree("wide", os.path.join(self.top, "wide"))
        make_small_tree(small.source, rng)
        make_wide_tree(wide.source, rng)
        self.vtree("init")
        old = os.path.join(self.top, "old")
        os.makedirs(old)
        fill(os.path.join(old, "file00"), rng, 5000)
        self.vtree("commit", "app/small", old)
        self.vtree("commit", "other", old)
        for tree in (small, wide):
            self.vtree("commit", tree.ref, tree.source)
            tree.snapshot()
            self.trees[tree.ref] = tree
        subprocess.run(["cp", "-a", self.repo, self.pristine], check=True)
        self.victims = sorted(self.list_victims())

    def list_victims(self):
        for top, _dirs, names in os.walk(self.repo):
            for name in names:
                path = os.path.relpath(os.path.join(top, name), self.repo)
                if path.split("/")[0] in ("objects", "merkle", "packs", "refs"):
                    yield path

    def victim_classes(self):
        manifests = self.manifest_paths()
        classes = {"object": [], "merkle": [], "pack": [], "manifest": [], "refs": []}
        for path in self.victims:
            kind = path.split("/")[0]
            below = path.split("/", 1)[1]
            if kind in ("refs", "packs"):
                classes["pack" if kind == "packs" else "refs"].append(path)
            elif below in manifests:
                classes["manifest"].append(path)
            else:
                classes["merkle" if kind == "merkle" else "object"].append(path)
        return classes

    def manifest_paths(self):
        answer = set()
        for path in self.victims:
            full = os.path.join(self.repo, path)
            if path.startswith("objects/"):
                with open(full, "rb") as file:
                    if file.read(8) == b"VTREEMF\n":
                        answer.add(path.split("/", 1)[1])
        return answer

    def restore(self, path):
        full = os.path.join(self.repo, path)
        for leftover in (full, full + ".swap", full + ".real"):
            if os.path.islink(leftover) or not os.path.isdir(leftover):
                if os.path.lexists(leftover):
                    os.unlink(leftover)
            else:
                shutil.rmtree(leftover)
        shutil.copy2(os.path.join(self.pristine, path), full)

    def plan(self, number, classes):
        rng = random.Random(f"{self.options.seed}/{number}")
        kind = rng.choice(["object"] * 4 + ["merkle"] * 2 + ["pack"] * 4
                          + ["manifest"] * 2 + ["refs"] * 2)
        victim = rng.choice(classes[kind])
        other = rng.choice([p for p in classes[kind] if p != victim])
        return rng, kind, victim, other, rng.choice(list(MUTATIONS)), rng.choice(MOMENTS)

    def run_mount(self, ref):
        helper = os.path.join(self.options.bindir, "mount.fuse.vtree")
        words = [helper, f"{self.repo}:{ref}", self.mount, "-o", f"log={self.log}"]
        try:
            run = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True,
                                 text=True, timeout=CASE_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise Wrong("the mount helper hangs") from error
        if run.returncode == 0:
            return True
        lines = run.stderr.splitlines()
        if run.returncode != 32 or len(lines) != 1 or not lines[0].startswith("mount"):
            raise Wrong(f"mount exits {run.returncode} and says {run.stderr!r}")
        return False

    def unmount(self):
        run = subprocess.run(["umount", self.mount], capture_output=True, text=True,
                             check=False)
        if run.returncode != 0:
            subprocess.run(["umount", "-l", self.mount], check=False)
            raise Wrong(f"umount: {run.stderr}")

    def case(self, number, classes):
        rng, kind, victim, other, mutation, moment = self.plan(number, classes)
        said = f"case {number}: {kind} {victim[-24:]} {mutation} {moment}"
        tree = self.trees["app/small"]
        if kind in ("manifest", "merkle") and rng.random() < 0.4:
            tree = self.trees["wide"]

        def tamper():
            MUTATIONS[mutation](os.path.join(self.repo, victim),
                                os.path.join(self.repo, other), rng)

        try:
            if moment == "before":
                tamper()
            if not self.run_mount(tree.ref):
                if moment != "before":
                    raise Wrong("an untouched repository does not mount")
                return "refused"
            try:
                tally = self.in_child(rng, tree, (kind, mutation, moment), tamper)
                os.stat(self.mount)
            finally:
                self.unmount()
            return "eio" if tally[1] else "right"
        except Wrong as wrong:
            print(f"WRONG {said}: {wrong}", flush=True)
            return "wrong"
        except OSError:
            print(f"WRONG {said}: {traceback.format_exc()}", flush=True)
            return "wrong"
        finally:
            self.restore(victim)
            self.restore(other)

    def in_child(self, rng, tree, plan, tamper):
        """Reads the mount in a process of its own, so that a hang can be ended."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            os._exit(self.child(rng, tree, plan, tamper, writer))
        os.close(writer)
        text, status = wait_for(pid, reader)
        if status is None:
            raise Wrong("a reader hangs")
        if status != 0:
            raise Wrong(text)
        return tuple(int(word) for word in text.split())

    def child(self, rng, tree, plan, tamper, writer):
        tally = Tally()
        kind, mutation, moment = plan
        try:
            self.child_reads(rng, tree, moment, tamper, tally)
            if kind == "object" and moment == "before" and tally.eio_paths:
                self.check_harm(tree, tally, 2 if mutation == "swap" else 1)
            if kind == "pack" and mutation == "flip" and moment == "before":
                self.check_pack_harm(tree, tally)
            os.write(writer, f"{tally.right} {tally.eio}".encode())
            return 0
        except Exception as error:  # pylint: disable=broad-except
            os.write(writer, f"{type(error).__name__}: {error}".encode()[:4000])
            return 1

    def child_reads(self, rng, tree, moment, tamper, tally):
        sample = (rng, 400)
        if moment == "mounted":
            tamper()
        if moment == "walked":
            check_mount(self.mount, tree, tally, sample)
            tamper()
            drop_caches(self.mount, tree)
        if moment == "between":
            files = sorted(p for p, w in tree.want.items() if len(w.get("bytes", "")) > 1)
            check_between(self.mount, tree, rng.choice(files), tamper, tally)
        check_mount(self.mount, tree, tally, sample)

    def check_harm(self, tree, tally, bad):
        """A bad object harms the files that have its contents and nothing else; a swap
        makes two."""
        contents = {tree.want[path].get("bytes") for path in tally.eio_paths}
        if len(contents) > bad or None in contents:
            raise Wrong(f"{bad} bad objects harm {sorted(set(tally.eio_paths))}")

    def check_pack_harm(self, tree, tally):
        """A flipped bit harms exactly the files whose bytes it is in."""
        harmed = {tree.want[path].get("bytes") for path in tally.eio_paths}
        for path in self.victim_classes()["pack"]:
            good, bad = (read_file(os.path.join(top, path))
                         for top in (self.pristine, self.repo))
            if good != bad:
                expected = pack_harm(good, bad)
        present = {want["bytes"] for want in tree.want.values() if "bytes" in want}
        if expected is not None and harmed != expected & present:
            raise Wrong(f"{len(harmed)} contents are harmed, not {len(expected)}")

    def run(self):
        self.prepare()
        classes = self.victim_classes()
        for kind, members in classes.items():
            print(f"{len(members):5} victims: {kind}")
            if len(members) < 2:
                sys.exit(f"tamper: too few victims of kind {kind}")
        numbers = [self.options.only] if self.options.only is not None else \
            range(self.options.cases)
        for number in numbers:
            outcome = self.case(number, classes)
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        if not self.run_mount("app/small"):
            sys.exit("tamper: the restored repository does not mount")
        tally = Tally()
        check_mount(self.mount, self.trees["app/small"], tally)
        self.unmount()
        return self.verdict(tally)

    def verdict(self, tally):
        print(", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items())))
        if tally.eio:
            print("WRONG: the restored repository gives EIO")
            return 1
        # Of 200 cases some four are refused, and of one campaign in a hundred none is.
        wanted = ["eio", "refused"] if self.options.cases >= 1000 else ["eio"]
        if self.options.only is None and not all(map(self.outcomes.get, wanted)):
            print(f"WRONG: no case ended as {' or as '.join(wanted)}: this tests nothing")
            return 1
        return 1 if self.outcomes.get("wrong") else 0


def pack_harm(good, bad):
    """The contents whose bytes differ; None where header or index do."""
    count, index = struct.unpack_from("<QQ", good, 24)
    if good[:64] != bad[:64] or good[index:] != bad[index:]:
        return None
    slices = (struct.unpack_from("<QI", good, index + 44 * i + 32) for i in range(count))
    return {good[start:start + size] for start, size in slices
            if good[start:start + size] != bad[start:start + size]}


def drop_caches(mount, tree):
    for path, want in tree.want.items():
        if want.get("bytes"):
            try:
                fd = os.open(os.path.join(mount, path), os.O_RDONLY)
            except OSError:
                continue
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def wait_for(pid, reader):
    """What the child wrote, and its exit code; None for one that hangs."""
    deadline = time.monotonic() + CASE_SECONDS
    signal.signal(signal.SIGALRM, lambda *_: None)
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            text = os.read(reader, 65536).decode(errors="replace")
            os.close(reader)
            return text, os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.close(reader)
    return "", None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bindir", required=True)
    parser.add_argument("--directory", required=True, help="an empty scratch directory")
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", type=int, default=None, help="one case by its number")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {options.seed}, {options.cases} cases")
    return Campaign(options).run()


if __name__ == "__main__":
    sys.exit(main())
