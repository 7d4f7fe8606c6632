# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long files and functions are, how deep they nest, how much they are handed.

Lines of a function are those between its braces; its parameters are what it is handed,
so `GError **error`, by which it answers, is none. The quantiles are of the product
alone; cognitive complexity is clang-tidy's to count (.clang-tidy).
"""
import re
import statistics

import source

FILE_LINES, LINES, P95, MEDIAN, NESTING, PARAMETERS = 600, 60, 45, 15, 3, 6
TOKEN = re.compile(r"\w+|[^\w\s]")
BLOCK_BEFORE = {"else", "do", ";", "{", "}", ":"}
STATEMENTS = {"if", "for", "while", "switch"}
# Their parameters are another library's choice (libfuse's callbacks).
FOREIGN = {"op_ioctl"}


def nesting(body):
    """The deepest block inside the body; initialisers are no blocks."""
    tokens = TOKEN.findall("\n".join(body))
    deepest, braces, parens, closed = 0, [], [], ""
    for previous, token in zip([";"] + tokens, tokens):
        if token == "(":
            parens.append(previous)
        elif token == ")":
            closed = parens.pop() if parens else ""
        elif token == "{":
            is_block = closed in STATEMENTS if previous == ")" else previous in BLOCK_BEFORE
            braces.append(is_block)
            deepest = max(deepest, sum(braces))
        elif token == "}" and braces:
            braces.pop()
    return deepest


def check_function(where, function):
    for what, value, limit in (("lines", len(function.body), LINES),
                               ("levels of nesting", nesting(function.body), NESTING),
                               ("parameters", function.parameters, PARAMETERS)):
        if what == "parameters" and function.name in FOREIGN:
            continue
        if value > limit:
            yield f"{where}: {function.name} has {value} {what}, at most {limit}"


def check(root):
    product = []
    for name in source.c_files(root):
        text = source.read(root, name)
        lines = text.count("\n")
        if lines > FILE_LINES:
            yield f"{name}:{lines}: {lines} lines, at most {FILE_LINES}"
        for function in source.functions(text):
            yield from check_function(f"{name}:{function.line}", function)
            if name.split("/")[0] in source.PRODUCT:
                product.append(len(function.body))
    if len(product) < 20:
        return
    p95 = statistics.quantiles(product, n=20)[-1]
    median = statistics.median(product)
    print(f"{len(product)} functions: median {median:g} lines, 95th percentile {p95:g}")
    if p95 > P95:
        yield f".: the 95th percentile of functions is {p95:g} lines, at most {P95}"
    if median > MEDIAN:
        yield f".: the median of functions is {median:g} lines, at most {MEDIAN}"


source.main(check)
