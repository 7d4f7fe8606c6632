# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each gate lets a good file pass, and fails on each thing that it is there to find."""
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
TAG = "SPDX-License-Identifier: LGPL-2.1-or-later"
SPDX = f"/* {TAG} */\n"


def function(body, arguments="int a"):
    return f"{SPDX}int\nvtree_f ({arguments})\n{{\n{body}}}\n"


def header(text):
    return f"{SPDX}/*\n * What it is for.\n */\n#pragma once\n\n{text}"


GOOD = {
    "core/good.c": function('  return a; /* goto, strcpy (), "core/x.h" */\n'),
    "core/good.h": header("/* Does it. */\nint vtree_f (int a);\nint vtree_g (int a);\n"),
    "fuse/good.c": SPDX + '#include <fuse_lowlevel.h>\n\n#include "manifest/good.h"\n',
    "scripts/good": f"#!/bin/sh\n# {TAG}\necho good\n",
}
DEEP = "".join(f"{'  ' * n}if (a > {n}) {{\n" for n in range(1, 5)) + "  a++;\n" + "}\n" * 4
INITIALISER = "  int x[2][2] = { { 1, 2 }, { 3, a } };\n  return x[1][1];\n"

# gate: [(name of the case, file, its text, part of what the gate must say)]
BAD = {
    "layers": [
        ("upward", "core/x.c", '#include "manifest/view.h"\n', "core may not include"),
        ("sideways", "cli/x.c", '#include "fuse/ops.h"\n', "cli may not include"),
        ("sideways back", "fuse/x.c", '#include "cli/verb.h"\n', "fuse may not include"),
        ("tests", "manifest/x.c", '#include "tests/lib/test.h"\n', "may not include"),
        ("no folder", "core/x.c", '#include "fd.h"\n', "does not name its folder"),
        ("angles", "core/x.c", "#include <core/fd.h>\n", "is written"),
        ("libfuse", "manifest/x.c", "#include <fuse3/fuse.h>\n", "only fuse/"),
        ("two repliers", "fuse/x.c", "fuse_reply_err (r, 0);\n", "more than one file"),
    ],
    "sizes": [
        ("file", "core/x.c", "\n" * 601, "601 lines"),
        ("function", "core/x.c", function("  a++;\n" * 61), "61 lines"),
        ("nesting", "core/x.c", function(DEEP), "4 levels"),
        ("parameters", "core/x.c", function("", ", ".join(["int a"] * 7)), "7 parameters"),
        ("median", "core/x.c", function("  a++;\n" * 16) * 20, "the median"),
        ("percentile", "core/x.c", function("\n") * 18 + function("  a++;\n" * 50) * 3,
         "the 95th percentile"),
    ],
    "banned": [
        ("goto", "core/x.c", function("  goto out;\n"), "goto"),
        ("strcpy", "cli/x.c", function("  strcpy (b, c);\n"), "strcpy"),
        ("sprintf", "fuse/x.c", function("  sprintf (b, c);\n"), "sprintf"),
        ("atoi", "tests/x.c", function("  return atoi (b);\n"), "atoi"),
        ("alloca", "core/x.c", function("  g_newa (int, a);\n"), "g_newa"),
        ("printing", "core/x.c", function("  printf (b);\n"), "never print"),
        ("exiting", "manifest/x.c", function("  exit (a);\n"), "never exit"),
        ("conditional", "core/x.c", function("#ifdef A\n  a++;\n#endif\n"), "conditional"),
        ("name", "core/string-utils.c", SPDX, "'utils'"),
        ("folder", "core/common/x.c", SPDX, "'common'"),
    ],
    "headers": [
        ("comment", "core/x.h", header("int vtree_f (int a);\n"), "vtree_f has no comment"),
        ("pointer", "core/x.h", header("char *vtree_f (int a,\n int b);\n"), "no comment"),
        ("late", "core/x.h", header("int vtree_f (int a);\n/* That. */\nint vtree_g (void);\n"),
         "vtree_f has no comment"),
        ("purpose", "core/x.h", SPDX + "#pragma once\n", "what it is for"),
        ("guard", "core/x.h", SPDX + "/* That. */\n", "#pragma once"),
    ],
    "licence": [
        ("source", "core/x.c", "int a;\n", "first line"),
        ("script", "scripts/x", "#!/bin/sh\necho\n", "first two lines"),
        ("build", "core/CMakeLists.txt", "project(x)\n", "first two lines"),
    ],
    "places": [
        ("path", "doc/x.md", "see /wo" + "rk/x\n", "path of one machine"),
    ],
    "format": [
        ("layout", "core/x.c", "int a  =  1;\n", "clang-format"),
        ("columns", "core/x.c", f"/* {'x' * 90} */\n", "columns, at most"),
    ],
    "shell": [
        ("quotes", "scripts/x", "#!/bin/sh\necho $1\n", "SC2086"),
        ("suffix", "tests/x.sh", "#!/bin/bash\nls | grep $1\n", "SC2086"),
        ("pipe", "tests/x.sh", "#!/bin/bash\nls | grep -x -Eq a\n", "a pipe into grep -q"),
    ],
    "symbols": [
        ("name", "core/x.c", "int other (void);\nint other (void) { return 1; }\n", "other is"),
        ("state", "core/x.c", "int *vtree_f (void);\nint *vtree_f (void)\n"
         "{ static int count; return &count; }\n", "mutable state"),
        ("file state", "core/x.c", "int vtree_count = 3;\n", "mutable state"),
    ],
    "cppcheck": [
        ("bounds", "core/x.c", function("  int b[2];\n  b[2] = a;\n  return b[0];\n"),
         "arrayIndexOutOfBounds"),
    ],
    "tidy": [
        ("complexity", "core/x.c", function(
            "  for (int i = 0; i < a; i++)\n    for (int j = 0; j < i; j++)\n"
            "      for (int k = 0; k < j; k++)\n        if (k > 3 && j > 3)\n"
            "          for (int l = 0; l < k; l++)\n            if (l == i)\n"
            "              return l;\n  return 0;\n"), "cognitive-complexity"),
        ("suspicious", "core/x.c", function("  if (a)\n    ;\n  return a;\n"), "suspicious"),
    ],
    "gcc": [
        ("leak", "core/x.c", "#include <stdlib.h>\n" + function(
            "  char *p = malloc (8);\n  if (p == NULL)\n    return 0;\n  return a;\n"),
         "analyzer-malloc-leak"),
    ],
}
GOOD_EXTRA = {"sizes": {
    "core/more.c": function(INITIALISER),
    "core/error.c": function("", ", ".join(["int a"] * 6) + ", GError **error"),
}}


def write(root, files):
    for name, text in files.items():
        path = pathlib.Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def arguments(gate, root):
    """What the gate needs beside the root."""
    if gate == "symbols":
        objects = []
        for source in sorted(root.glob("core/*.c")):
            objects.append(str(source.with_suffix(".o")))
            subprocess.run(["gcc", "-c", "-o", objects[-1], source], check=True)
        return objects
    if gate not in ("tidy", "gcc", "cppcheck"):
        return []
    build = root / "build"
    build.mkdir(exist_ok=True)
    commands = [{"directory": str(root), "file": str(path),
                 "command": f"gcc -O2 -c {path} -o {path}.o"}
                for path in sorted(root.glob("core/*.c"))]
    (build / "compile_commands.json").write_text(json.dumps(commands))
    return [str(build)] + ([gate] if gate in ("tidy", "gcc") else [])


def run(gate, files):
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        write(root, files)
        for config in (".clang-format", ".clang-tidy", ".shellcheckrc"):
            (root / config).write_bytes((ROOT / config).read_bytes())
        script = "analysis.py" if gate in ("tidy", "gcc") else f"{gate}.py"
        result = subprocess.run([sys.executable, HERE / script, root, *arguments(gate, root)],
                                capture_output=True, text=True, check=False)
        return result.returncode, result.stdout + result.stderr


def failures():
    for gate, cases in BAD.items():
        status, said = run(gate, GOOD | GOOD_EXTRA.get(gate, {}))
        if status == 77:
            print(f"{gate}: skipped, {said.strip()}")
            continue
        if status != 0:
            yield f"{gate}: fails on good files:\n{said}"
        for case, name, text, expected in cases:
            extra = {"fuse/y.c": text} if case == "two repliers" else {}
            status, said = run(gate, GOOD | {name: text} | extra)
            if status != 1 or expected not in said:
                yield f"{gate}: {case}: exit {status}, and does not say '{expected}':\n{said}"


problems = list(failures())
print("\n".join(problems) or f"{sum(map(len, BAD.values()))} cases in {len(BAD)} gates")
sys.exit(1 if problems else 0)
