# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service manager's socket: notified.py NAME FILE LOG. Listens at NAME (as in
NOTIFY_SOCKET) and appends each datagram to LOG as one line, a newline in it as " ". At
READY=1 it opens FILE, and adds what is in there, or the error."""
import os
import socket
import sys

name, file, log = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind("\0" + name[1:] if name.startswith("@") else name)
if not name.startswith("@"):
    os.chmod(name, 0o777)
with open(log, "a", encoding="utf-8", buffering=1) as out:
    print("listening", file=out)
    while True:
        text = listener.recv(4096).decode().replace("\n", " ")
        if "READY=1" in text:
            try:
                with open(file, encoding="utf-8") as contents:
                    text += f" [{contents.read().strip()}]"
            except OSError as error:
                text += f" [{error}]"
        print(text, file=out)
