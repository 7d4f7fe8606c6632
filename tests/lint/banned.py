# SPDX-License-Identifier: LGPL-2.1-or-later
"""Words that may not stand in the code, and file names that say nothing."""
import re

import source

NAMES = {"common", "util", "utils", "misc", "helper", "helpers"}
EVERYWHERE = {
    "goto": "leave by a plain return; g_auto* cleans up",
    "alloca": "the stack is no place for sizes from outside",
    "g_alloca": "the stack is no place for sizes from outside",
    "g_newa": "the stack is no place for sizes from outside",
    "strcpy": "no bound", "strcat": "no bound", "stpcpy": "no bound",
    "strncpy": "may leave the text unterminated", "strncat": "its bound misleads",
    "sprintf": "no bound", "vsprintf": "no bound", "gets": "no bound",
    "atoi": "hides errors", "atol": "hides errors", "atoll": "hides errors",
    "atof": "hides errors", "strtok": "keeps state",
    "g_async_queue_new": "ThreadSanitizer can't see into it (tests/lib/tsan-glib.c)",
    "g_thread_pool_new": "ThreadSanitizer can't see into it (tests/lib/tsan-glib.c)",
}
IN_LIBRARIES = {
    word: "core and manifest never print and never exit"
    for word in ("printf", "fprintf", "vprintf", "vfprintf", "puts", "fputs", "putchar",
                 "perror", "g_print", "g_printerr", "exit", "_exit", "abort", "err", "errx")
}


def words_in(code, words):
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(words) + r")\b(?=\s*[\w(])")
    for number, line in enumerate(code.split("\n"), 1):
        for match in pattern.finditer(line):
            yield number, match.group(1)


def check_conditionals(name, text):
    """`#if` in a body: a library's version belongs in a file of its own."""
    for function in source.functions(text):
        for number, line in enumerate(function.body, function.body_line):
            if re.match(r"\s*#\s*(if|elif|else)", line):
                yield f"{name}:{number}: a conditional inside {function.name}"


def check(root):
    for name in source.files(root):
        parts = [part for piece in name.split("/") for part in re.split(r"[-_.]", piece)]
        for part in sorted(NAMES & set(parts)):
            yield f"{name}:1: '{part}' does not say what the file holds"
    for name in source.c_files(root):
        text = source.read(root, name)
        words = dict(EVERYWHERE)
        if name.split("/")[0] in ("core", "manifest"):
            words.update(IN_LIBRARIES)
        for number, word in words_in(source.code(text), words):
            yield f"{name}:{number}: {word}: {words[word]}"
        yield from check_conditionals(name, text)


source.main(check)
