# SPDX-License-Identifier: LGPL-2.1-or-later
"""Listens on each of PATHS, and says its last component to who connects; once each.

sockets.py PATH...
"""
import os
import select
import socket
import sys

ends = {}
for path in sys.argv[1:]:
    end = socket.socket(socket.AF_UNIX)
    end.bind(path)
    end.listen()
    ends[end] = os.path.basename(path)
while ends:
    for end in select.select(list(ends), [], [])[0]:
        with end.accept()[0] as peer:
            peer.sendall(ends.pop(end).encode())
