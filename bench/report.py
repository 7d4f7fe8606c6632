#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What bench/run has measured, judged and shown: as text, Markdown and plots.

    bench/report.py FILE [--markdown]     FILE: what bench/run --json has written

Measures nothing. The targets and their bounds are here; who verified is in the names."""

import argparse
import json
import os
import shutil
import statistics
import subprocess

OURS = ("daemon-verified", "simulated-kernel", "daemon-verified-dev-fuse",
        "simulated-kernel-dev-fuse")
KERNELS = ("simulated-kernel", "simulated-kernel-dev-fuse")
USERS = ("daemon-verified-user", "simulated-kernel-user")
NO_PREFETCH = ("daemon-verified-no-prefetch", "simulated-kernel-no-prefetch")
VTREE = ("daemon-verified", "simulated-kernel")  # how names of vtree's begin
FUSE = ("squashfuse", "erofsfuse", "rofiles-fuse", "bindfs")
SHOWN = ("native", "daemon-verified", "simulated-kernel", "composefs-verifies-nothing",
         "erofs-kernel") + FUSE
EROFS = "erofs-kernel"
PLURALS = {"directory": "directories", "file": "files"}
LABELS = {
    "walk fresh": "walk, fresh", "walk second": "walk, second",
    "read fresh 1": "list and read everything, fresh",
    "read fresh 2": "list and read everything, fresh, 2 threads",
    "read second 1": "open, read, close everything, second",
    "read second 2": "open, read, close everything, second, 2 threads",
    "open 1": "open and close everything, second",
    "by name fresh 1": "read by a list of names, fresh",
    "in no order fresh 1": "read in no order after a walk, fresh",
    "big fresh": "1 GiB, fresh", "big second": "1 GiB, second"}


class Results:
    """What was measured: medians, and what they are judged by."""

    def __init__(self, data):
        self.data = data
        self.medians = {(s["pinned"], s["peer"], s["step"]):
                        statistics.median(s["seconds"]) for s in data["samples"]}
        self.steps = list(dict.fromkeys(s["step"] for s in data["samples"]))
        self.names = list(dict.fromkeys(s["peer"] for s in data["samples"]))
        # What the kernel has dropped for want of memory is asked for again, now and then.
        self.requests = {(r["peer"], r["step"]): statistics.median(r["counts"])
                         for r in data["requests"]}

    def median(self, pinned, peer, step):
        return self.medians.get((pinned, peer, step))

    def best(self, pinned, step):
        """The quickest other FUSE file system, and its seconds."""
        found = [(self.median(pinned, name, step), name) for name in FUSE
                 if self.median(pinned, name, step)]
        return min(found) if found else (None, None)

    def ratio(self, target, who, words, step, other, bound):
        """WHO: (pinned, peer). OTHER: what its seconds are divided by, and its name."""
        mine = self.median(who[0], who[1], step)
        if mine is None or not other[0]:
            return None
        value = mine / other[0]
        return {"target": target, "peer": who[1], "pinned": who[0], "step": step,
                "ratio": round(value, 3), "bound": bound, "to": words or other[1],
                "reached": value <= bound}


def absolute(target, peer, step, value, bound, words):
    return {"target": target, "peer": peer, "pinned": None, "step": step,
            "ratio": round(value, 3), "bound": bound, "to": words,
            "reached": value <= bound}


# Verdicts ----------------------------------------------------------------------------------


def judge_times(results):
    for peer in OURS:
        for step in ("walk second", "read second 1", "read second 2", "open 1"):
            native = (results.median(True, "native", step), "native")
            yield results.ratio("second pass", (True, peer), None, step, native, 1.1)
            yield results.ratio("second pass", (True, peer), None, step,
                                results.best(True, step), 0.5)
        yield results.ratio("fresh walk", (True, peer), None, "walk fresh",
                            results.best(True, "walk fresh"), 0.8)
        if results.data["by_io_uring"].get(peer):
            native = (results.median(True, "native", "walk fresh"), "native")
            yield results.ratio("fresh walk by io_uring", (True, peer), None, "walk fresh",
                                native, 3)
        for step in ("read fresh 1", "read fresh 2"):
            for pinned in (False, True):
                yield results.ratio("fresh read", (pinned, peer), None, step,
                                    results.best(pinned, step), 0.45)
                erofs = (results.median(pinned, EROFS, step), EROFS)
                yield results.ratio("fresh read", (pinned, peer), None, step, erofs, 1.0)


def judge_large(results):
    for pinned in (False, True):
        best = results.best(pinned, "big fresh")
        for peer in KERNELS:
            yield results.ratio("1 GiB fresh, root", (pinned, peer), None, "big fresh",
                                best, 1 / 1.4)
        yield results.ratio("1 GiB fresh, user", (pinned, USERS[1]), None, "big fresh",
                            best, 1 / 1.2)
        hashing = results.data["hash_seconds"]
        used = 1 if pinned else results.data["processors"]
        for peer in (OURS[0], USERS[0]):
            speed = (hashing and hashing / used, f"openssl speed, processors: {used}")
            yield results.ratio("1 GiB fresh, beside the hash", (pinned, peer), None, "big fresh",
                                speed, 1 / 0.8)


def judge_requests(results):
    for peers, steps in (
            (OURS, (("walk fresh", "directory", 2.5), ("walk second", "directory", 0),
                    ("read second 1", "file", 0))),
            (NO_PREFETCH, (("read fresh 1", "file", 2.3), ("by name fresh 1", "file", 2.3)))):
        for peer in peers:
            for step, what, bound in steps:
                count = results.requests.get((peer, step))
                if count is not None:
                    # Asking for the status costs a request or two of its own.
                    value = max(0, count - 3) / results.data[PLURALS[what]]
                    yield absolute("requests a " + what, peer, step, value, bound,
                                   "")


def judge_rest(results):
    data = results.data
    for peer in OURS:
        for what, values, bound in (
                ("mount, ms", [1000 * v for v in data["mounts"].get(peer, [])], 8),
                ("memory after a walk, MB", data["memory"].get(peer, []), 10)):
            if values:
                yield absolute(what, peer, "", statistics.median(values), bound, "")
    yield absolute("manifest, bytes an inode", "vtree", "", data["manifest"], 100, "")
    commits = data["commits"]
    for mine, other, bound in (("vtree", "ostree commit", 1.0),
                               ("vtree", "mksquashfs, no compression", 1.3),
                               ("vtree --trust-stat, unchanged", "stat walk", 1.5)):
        if mine in commits and other in commits:
            value = statistics.median(commits[mine]) / statistics.median(commits[other])
            yield absolute("commit", mine, "", value, bound, other)


def verdicts(results):
    return [row for judge in (judge_times, judge_large, judge_requests, judge_rest)
            for row in judge(results) if row is not None]


def said_of(row):
    """Words for a row's target, without who verified."""
    pinned = {True: ", pinned", False: ", unpinned", None: ""}[row["pinned"]]
    step = LABELS.get(row["step"], row["step"])
    said = step and not row["step"].startswith("big")
    return row["target"] + pinned + (f": {step}" if said else "")


# Text --------------------------------------------------------------------------------------


def rows_of(results, pinned, names, cell):
    """Steps down, NAMES across, of what CELL makes of a peer and a step."""
    width = max(len(step) for step in results.steps)
    size = max(len(name) for name in names)
    lines = [" " * width + "".join(f" {name:>{size}}" for name in names)]
    for step in results.steps:
        cells = (cell(pinned, name, step) for name in names)
        lines.append(f"{step:<{width}}" + "".join(f" {c:>{size}}" for c in cells))
    return lines + [""]


def text(results, rows):
    def seconds(pinned, name, step):
        value = results.median(pinned, name, step)
        return f"{value:.4f}" if value is not None else "-"

    def cell_to(other):
        def cell(pinned, name, step):
            value, base = results.median(pinned, name, step), other(pinned, step)
            return f"{value / base:.2f}" if value and base else "-"
        return cell

    data = results.data
    lines = [f"{data['files']} files, {data['directories']} directories; commit: "
             + ", ".join(f"{name} {statistics.median(values):.2f} s"
                         for name, values in data["commits"].items())]
    ours = [name for name in results.names if name.startswith(VTREE)]
    fuse = [name for name in FUSE if name in results.names]
    for pinned in (True, False):
        name = "pinned" if pinned else "unpinned"
        lines += [f"{name}: medians of {data['rounds']}, seconds",
                  *rows_of(results, pinned, results.names, seconds),
                  f"{name}: times native",
                  *rows_of(results, pinned, results.names,
                           cell_to(lambda p, step: results.median(p, "native", step)))]
        if fuse:
            lines += [f"{name}: times the best FUSE peer ({', '.join(fuse)})",
                      *rows_of(results, pinned, ours,
                               cell_to(lambda p, step: results.best(p, step)[0]))]
    for row in rows:
        lines.append(f"{'reached' if row['reached'] else 'SHORT  '} {said_of(row)}, "
                     f"{row['peer']}: {row['ratio']} "
                     + (f"to {row['to']} " if row["to"] else "")
                     + f"(at most {row['bound']:.3g})")
    if data["absent"]:
        lines.append("could not be had: " + ", ".join(data["absent"]))
    return "\n".join(lines)


# Markdown ----------------------------------------------------------------------------------


def markdown(results, rows):
    names = [name for name in SHOWN if name in results.names]
    lines = []
    for pinned in (True, False):
        lines += [("pinned" if pinned else "unpinned") + ", seconds | "
                  + " | ".join(names), "-|" * len(names) + "-"]
        for step in results.steps:
            values = [results.median(pinned, name, step) for name in names]
            lines.append(f"{LABELS.get(step, step)} | "
                         + " | ".join("-" if v is None else f"{v:.3f}" for v in values))
        lines.append("")
    lines += ["what | who | measured | to | at most |", "-|-|-|-|-|-"]
    for row in rows:
        lines.append(f"{said_of(row)} | {row['peer']} | {row['ratio']:.2f} | {row['to'] or '-'} | "
                     f"{row['bound']:.3g} | "
                     + ("reached" if row["reached"] else "**short**"))
    lines += ["", "commit, seconds | median | each", "-|-|-"]
    for name, values in results.data["commits"].items():
        lines.append(f"{name} | {statistics.median(values):.2f} | "
                     + ", ".join(f"{v:.2f}" for v in values))
    return "\n".join(lines)


# Plots -------------------------------------------------------------------------------------


def plot(results, directory, pinned):
    name = "pinned" if pinned else "unpinned"
    data = os.path.join(directory, name + ".dat")
    with open(data, "w", encoding="utf-8") as file:
        file.write("step " + " ".join(results.names) + "\n")
        for step in results.steps:
            native = results.median(pinned, "native", step) or 1
            file.write(f'"{step}" ' + " ".join(
                f"{(results.median(pinned, n, step) or 0) / native:.4f}"
                for n in results.names) + "\n")
    script = (f"set terminal svg size 1400,600\nset output '{directory}/{name}.svg'\n"
              "set style data histograms\nset style fill solid\nset logscale y\n"
              f"set ylabel 'times native, {name}'\nset key outside noenhanced\n"
              "set xtics rotate by -30\n"
              f"plot for [i=2:{len(results.names) + 1}] '{data}' using i:xtic(1) "
              "title columnheader(i)\n")
    commands = os.path.join(directory, name + ".gnuplot")
    with open(commands, "w", encoding="utf-8") as file:
        file.write(script)
    if shutil.which("gnuplot") is not None:
        subprocess.run(["gnuplot", commands], check=True, stdin=subprocess.DEVNULL)


def write(results, rows, directory):
    """report.md and the plots, in DIRECTORY."""
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "report.md"), "w", encoding="utf-8") as file:
        file.write(markdown(results, rows) + "\n")
    for pinned in (True, False):
        plot(results, directory, pinned)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("file")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    with open(options.file, encoding="utf-8") as file:
        results = Results(json.load(file))
    rows = verdicts(results)
    print(markdown(results, rows) if options.markdown else text(results, rows))


if __name__ == "__main__":
    main()
