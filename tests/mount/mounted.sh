# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the tests of the daemon share: root's repository with the ref "app", mounted by
# mount(8). Source it behind lib.sh. $repo is the repository (a script may set another),
# $m the mount point.

repo=/var/lib/vtree/repo
m=$VTREE_TMP/m

# commit_app DIR [OPTION...]: makes the repository if need be, commits DIR as "app".
commit_app() {
  [ -d "$repo/objects" ] || as_isolated_root vtree --repo="$repo" init \
    --pack-threshold="${pack_threshold:-4096}" >/dev/null 2>&1
  as_isolated_root vtree --repo="$repo" commit app "$@" >"$VTREE_TMP/manifest" \
    2>"$VTREE_TMP/commit.log"
}

# use_simulated_kernel: from here on vtree and mount.fuse.vtree are those that take every
# file without a write bit for kernel-enforced, and verify nothing.
use_simulated_kernel() {
  bind_over "$VTREE_BUILD_DIR/tests/simulated" "$VTREE_TMP/bin"
}

# mount_app [OPTIONS]: mounts it on $m; the log is $VTREE_TMP/log. $prefetch, where it is
# set: the option of that name; off for who counts requests, or damages what has not been
# read.
# shellcheck disable=SC2120 # options are optional
mount_app() {
  mkdir -p "$m"
  mount -t fuse.vtree "$repo:app" "$m" \
    -o "log=$VTREE_TMP/log${prefetch:+,prefetch=$prefetch}${1:+,$1}"
}

unmount_app() {
  umount "$m"
  wait_until 10 nobody_serves
}

# not COMMAND...: it fails.
not() {
  ! "$@"
}

# read_only COMMAND...: it fails with EROFS.
read_only() {
  ! LC_ALL=C "$@" 2>"$VTREE_TMP/erofs" && grep -q 'Read-only file system' "$VTREE_TMP/erofs"
}

# says_not_connected: $m is the mount of a daemon that died.
says_not_connected() {
  ! LC_ALL=C stat -f "$m" >/dev/null 2>"$VTREE_TMP/enotconn" \
    && grep -q 'not connected' "$VTREE_TMP/enotconn"
}

# nobody_serves: no daemon is left.
nobody_serves() {
  ! pgrep -x mount.fuse.vtre >/dev/null && ! pgrep -x vtree-keeper >/dev/null
}

# has_options NAME...: the mount on $m has them all.
has_options() {
  local options name
  options=,$(findmnt -no OPTIONS --mountpoint "$m"),
  for name; do
    case $options in *",$name,"*) ;; *) return 1 ;; esac
  done
}

# counter NAME [DIR]: what the status ioctl says.
counter() {
  vtree status --json "${2:-$m}" \
    | python3 -c 'import json, sys
print(json.load(sys.stdin)["mounts"][0][sys.argv[1]])' "$1"
}

# object_of FILE: the path of the object with FILE's contents in $repo.
object_of() {
  local hex
  hex=$(fsverity digest --compact "$1")
  printf '%s/objects/%s/%s\n' "$repo" "${hex:0:2}" "${hex:2}"
}

# flip_byte FILE OFFSET: one bit of it.
flip_byte() {
  python3 -c 'import os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
offset = int(sys.argv[2])
byte = os.pread(fd, 1, offset)[0]
os.pwrite(fd, bytes([byte ^ 1]), offset)' "$1" "$2"
}

# read_fails FILE ERRNO: opening or reading it fails with that error (its name, EIO), soon.
read_fails() {
  timeout 20 python3 "$VTREE_SOURCE_DIR/tests/mount/read-fails.py" "$1" "$2"
}

# make_tree DIR: every kind of inode, hard links, odd names, times and modes; as root.
make_tree() {
  local long
  long=$(printf '%0255d' 0)
  mkdir -p "$1/dir/deep/deeper" "$1/sticky" "$1/none"
  echo hello >"$1/hello"
  : >"$1/empty"
  head -c 4096 /dev/urandom >"$1/block"
  head -c 4097 /dev/urandom >"$1/block+1"
  head -c 3000000 /dev/urandom >"$1/large"
  truncate -s 9000000 "$1/sparse"
  cp "$1/large" "$1/copy"
  ln "$1/hello" "$1/dir/hardlink"
  ln -s hello "$1/symlink"
  ln -s /nonexistent/target "$1/dangling"
  ln -s "$(printf '%04000d' 0)" "$1/long-target"
  echo x >"$1/$long"
  echo x >"$1/new
line"
  printf 'x' >"$1/"$'\xff\xfe'
  echo x >"$1/dir/deep/deeper/file"
  printf '#!/bin/sh\necho ran\n' >"$1/script"
  mknod "$1/chr" c 5 1
  mknod "$1/blk" b 259 300000
  mkfifo "$1/fifo"
  python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$1/sock"
  chmod 0755 "$1/script"
  chmod 1777 "$1/sticky"
  chmod 0000 "$1/none"
  chown 1234:5678 "$1/hello"
  cp /bin/true "$1/setuid"
  chmod 4755 "$1/setuid"
  touch -d '1901-01-01 00:00:00.123456789 UTC' "$1/block"
  touch -h -d '2200-02-03 04:05:06.999999999 UTC' "$1/symlink"
}

# make_root DIR: a tree with a shell and cat of this machine, and the libraries they need.
make_root() {
  local program library
  mkdir -p "$1/usr/bin" "$1/etc"
  ln -s usr/bin "$1/bin"
  ln -s usr/lib "$1/lib"
  ln -s usr/lib64 "$1/lib64"
  for program in dash cat; do
    cp "$(readlink -f "$(command -v $program)")" "$1/usr/bin/$program"
    ldd "$(command -v $program)" | grep -o '/[^ ]*' | while read -r library; do
      mkdir -p "$1/usr/$(dirname "${library#/usr}")"
      cp -L "$library" "$1/usr/${library#/usr}"
    done
  done
  ln -s dash "$1/usr/bin/sh"
  echo signed >"$1/etc/issue"
}

# flip FILE: changes its first byte.
flip() {
  local byte
  byte=$(od -An -tu1 -N1 "$1")
  chmod u+w "$1"
  # shellcheck disable=SC2059 # the octal escape is the format
  printf "\\$(printf %03o $((byte ^ 1)))" | dd of="$1" conv=notrunc status=none
}
