# SPDX-License-Identifier: LGPL-2.1-or-later
"""cppcheck has nothing to say. It keeps what it saw in BUILD_DIR/lint/cppcheck.

cppcheck.py ROOT BUILD_DIR
"""
import os
import pathlib
import subprocess

import source

SUPPRESSED = (
    "missingIncludeSystem",
    # Macros of GLib that its model of the library does not know.
    "unknownMacro",
    # glibc's readdir() is safe as long as each thread has its own stream.
    "readdirCalled",
    # It does not believe g_assert(); clang-tidy and gcc look for the same.
    "uninitvar",
    # It thinks that mmap() of anonymous memory needs a descriptor.
    "invalidFunctionArg",
    # It loses what `return fd >= 0 ? fd : -errno` returns. gcc's analyzer looks for leaks,
    # and the tests do: LeakSanitizer, and the check of open descriptors.
    "memleak",
    "resourceLeak",
    # Nor does it see that a function takes what stands in an array among its arguments.
    "leakNoVarFunctionCall",
    # Newer versions say when they have left out something.
    "normalCheckLevelMaxBranches",
)


def check(root, build):
    tool = source.require("cppcheck")
    cache = pathlib.Path(build) / "lint" / "cppcheck"
    cache.mkdir(parents=True, exist_ok=True)
    names = source.c_files(root, source.PRODUCT, (".c",))
    if not names:
        return
    result = subprocess.run(
        [tool, "--quiet", "--std=c11", "--library=gtk,posix", "--inline-suppr",
         "--enable=warning,performance,portability", "--error-exitcode=1",
         "-D_GNU_SOURCE", "-I", ".", f"--cppcheck-build-dir={cache}",
         f"-j{len(os.sched_getaffinity(0))}",
         *(f"--suppress={word}" for word in SUPPRESSED), *names],
        cwd=root, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        yield result.stdout + result.stderr


source.main(check)
