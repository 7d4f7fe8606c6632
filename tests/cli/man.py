# SPDX-License-Identifier: LGPL-2.1-or-later
"""vtree.1 and --help agree: each verb has its section there, and each says the same
long options as the other (the shared ones may stand in their own section).

man.py
"""
import os
import re
import subprocess
import sys

VTREE = os.path.join(os.environ["VTREE_BINDIR"], "vtree")
PAGE = os.path.join(os.environ["VTREE_SOURCE_DIR"], "doc", "man", "vtree.1")
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")
SHARED = {"help", "quiet", "json", "repo", "wait"}


def run(*arguments):
    return subprocess.run([VTREE, *arguments], capture_output=True, text=True,
                          check=True, env={"LC_ALL": "C.UTF-8"}).stdout


def verbs():
    listing = run("--help").split("Verbs:\n")[1].split("\n\n")[0]
    return [re.match(r"  (\S+(?: \S+)?)  ", line + "  ").group(1)
            for line in listing.split("\n")]


def page_sections():
    """The text behind each .SH and .SS, roff taken away."""
    with open(PAGE, encoding="utf-8") as page:
        text = page.read()
    text = text.replace("\\-", "-").replace("\\(dq", '"')
    text = re.sub(r"\\f[A-Z]", "", text)
    sections = {}
    for part in re.split(r"(?m)^(?=\.S[HS] )", text):
        title, _, body = part.partition("\n")
        sections[title[4:].strip('"')] = title + "\n" + body
    return sections


def help_options(verb):
    text = run(*verb.split(), "--help").split("\nOptions:\n")[1].split("\n\n")[0]
    return {match.group(1) for line in text.split("\n")
            for match in re.finditer(r"^  (?:-\w, )?--([a-z-]+)", line)}


def check_verb(verb, sections):
    titles = [title for title in sections
              if re.match(rf"vtree {verb}(?= |$)", title)
              and not re.match(rf"vtree {verb} [a-z]+ ?", title)]
    if len(titles) != 1:
        yield f"{verb}: {len(titles)} sections in the page"
        return
    documented = set(OPTION.findall(sections[titles[0]]))
    known = help_options(verb)
    for option in sorted(known - documented - SHARED):
        yield f"{verb}: --{option} is not in the page"
    for option in sorted(documented - known):
        yield f"{verb}: the page has --{option}, the verb has not"
    for option in sorted((documented & SHARED) - known):
        yield f"{verb}: the page has --{option}, the verb has not"


def main():
    sections = page_sections()
    names = verbs()
    for title in sections:
        if title.startswith("vtree ") and not any(
                re.match(rf"vtree {verb}(?= |$)", title) for verb in names):
            print(f"the page has '{title}', there is no such verb")
            sys.exit(1)
    problems = [problem for verb in names for problem in check_verb(verb, sections)]
    for option in sorted(SHARED):
        if f"--{option}" not in sections["OPTIONS OF ALL VERBS"]:
            problems.append(f"--{option} is not explained")
    print("\n".join(problems) or f"{len(names)} verbs agree")
    sys.exit(1 if problems or len(names) < 20 else 0)


main()
