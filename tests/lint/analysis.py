# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs clang-tidy or gcc's analyzer over every C file of ours, several at a time.

analysis.py ROOT BUILD_DIR tidy|gcc

A file that passed is not looked at again while what the compiler sees of it, the
command and the tool's configuration are the same (stamps in BUILD_DIR/lint).
"""
import concurrent.futures
import hashlib
import itertools
import json
import os
import pathlib
import shlex
import subprocess

import source


class Tidy:
    folders = source.PRODUCT + ("tests", "bench")

    def __init__(self, root, _build):
        self.path = source.require("clang-tidy-14")
        self.key = (pathlib.Path(root) / ".clang-tidy").read_bytes()

    def command(self, words, file):
        # With -p it would look at a file once for each target that has it.
        flags = itertools.dropwhile(lambda word: not word.startswith("-"), words)
        return [self.path, "--quiet", file, "--", *(word for word in flags if word != file)]


class Gcc:
    # Not the tests: g_assert_*() may return, as far as the analyzer knows.
    folders = source.PRODUCT
    key = b""

    def __init__(self, _root, _build):
        self.path = source.require("gcc")

    def command(self, words, file):
        del file
        return [*words, "-fanalyzer", "-Werror", "-c", "-o", "/dev/null"]


def compiler_words(entry):
    """The compile command without -c, -o and what writes dependency files."""
    words = iter(shlex.split(entry["command"]))
    kept = []
    for word in words:
        if word in ("-o", "-MF", "-MT", "-MQ"):
            next(words)
        elif word not in ("-c", "-MD", "-MMD"):
            kept.append(word)
    return kept


def examine(tool, entry, stamps):
    """Empty if the file passes, or passed before; else the tool's words."""
    words, file = compiler_words(entry), entry["file"]
    seen = subprocess.run([*words, "-E"], cwd=entry["directory"], capture_output=True,
                          check=False)
    command = tool.command(words, file)
    state = hashlib.sha256(b"\0".join(
        [tool.key, " ".join(command).encode(), seen.stdout, pathlib.Path(file).read_bytes()]))
    stamp = stamps / state.hexdigest()
    if seen.returncode == 0 and stamp.exists():
        return ""
    result = subprocess.run(command, cwd=entry["directory"], capture_output=True, text=True,
                            check=False)
    if result.returncode == 0:
        stamp.touch()
        return ""
    return f"{file}:\n{result.stdout}{result.stderr}"


def check(root, build, name):
    build = pathlib.Path(build)
    stamps = build / "lint" / name
    stamps.mkdir(parents=True, exist_ok=True)
    tool = {"tidy": Tidy, "gcc": Gcc}[name](root, build)
    entries = json.loads((build / "compile_commands.json").read_text())
    # One file can be in several targets: once is enough.
    unique = {}
    for entry in entries:
        folder = pathlib.Path(entry["file"]).relative_to(root).parts[0]
        if folder in tool.folders:
            unique.setdefault(entry["file"], entry)
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        jobs = [pool.submit(examine, tool, entry, stamps) for entry in unique.values()]
        for job in jobs:
            if job.result():
                yield job.result()


source.main(check)
