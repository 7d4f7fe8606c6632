# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced by tests that need filesystems of their own, each an image on a loop device.

[ "$EUID" = 0 ] || skip "needs root"
[ -e /dev/loop-control ] || skip "needs loop devices"

# make_filesystem NAME MEGABYTES MKFS [OPTION...]: makes one and mounts it on
# $VTREE_TMP/NAME; `make_filesystem x 64 mkfs.ext4 -b 1024`. False where this kernel has
# no such filesystem.
make_filesystem() {
  local name=$1 size=$2 image=$VTREE_TMP/$1.img
  shift 2
  command -v "$1" >/dev/null || skip "needs $1"
  truncate -s "${size}M" "$image"
  "$@" "$image" >"$VTREE_TMP/mkfs.log" 2>&1 || {
    cat "$VTREE_TMP/mkfs.log"
    return 1
  }
  mkdir -p "$VTREE_TMP/$name"
  remount "$name"
}

# remount NAME [OPTIONS]: mounts it again, as after a power cut if cut_power was called.
remount() {
  is_mounted "$VTREE_TMP/$1" && umount "$VTREE_TMP/$1"
  mount -o "loop${2:+,$2}" "$VTREE_TMP/$1.img" "$VTREE_TMP/$1"
}

# cut_power NAME SECONDS COMMAND...: runs the command (no shell function); after that
# time nothing reaches the disk of an ext4 or xfs filesystem any more, not even its
# journal (the ioctl's flag NOLOGFLUSH). Somebody else syncs a file of his own all the
# time, so that names get to the disk early. The command's status, but 75 for a success
# that came after the cut: without power nobody would have heard of it (and xfs, once it
# is shut down, answers 0 to fsync(2) on a directory whose changes it has thrown away).
cut_power() {
  python3 - "$VTREE_TMP/$1" "${@:2}" <<'PYTHON'
import fcntl, os, struct, subprocess, sys, time
top = os.open(sys.argv[1], os.O_RDONLY)
busy = os.open(os.path.join(sys.argv[1], "busy"), os.O_WRONLY | os.O_CREAT)
process = subprocess.Popen(sys.argv[3:])
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    os.pwrite(busy, str(time.monotonic()).encode(), 0)
    os.fsync(busy)
ended = process.poll() is not None
fcntl.ioctl(top, 0x8004587D, struct.pack("I", 2))
sys.exit(process.wait() or (0 if ended else 75))
PYTHON
}
