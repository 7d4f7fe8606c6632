# SPDX-License-Identifier: LGPL-2.1-or-later
"""No path and no package host of the machine that somebody happened to work on."""
import re
import shutil
import subprocess

import source

# In two pieces, so that this file does not name what it looks for.
PATH = re.compile(r"(?<![\w./-])/wo" + "rk/")


def package_hosts():
    if not shutil.which("apt-get"):
        return set()
    sites = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)"],
                           capture_output=True, text=True, check=False).stdout
    return set(re.findall(r"^\w+://(?:[^/@]*@)?([^/:\s]+)", sites, re.M))


def check(root):
    hosts = package_hosts()
    for name in source.files(root):
        try:
            text = source.read(root, name)
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if PATH.search(line):
                yield f"{name}:{number}: names a path of one machine"
            if any(host in line for host in hosts):
                yield f"{name}:{number}: names a package host (ask apt when running)"


source.main(check)
