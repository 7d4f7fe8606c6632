#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Where the kernel does not enforce fs-verity: a file system in user space that claims it
# all the same (mount/forge), and those that can't, or not as we need it. verity=auto
# works on each, the daemon verifying; verity=require says why not.
. "$(dirname "$0")/../../lib/guest.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
. "$VTREE_SOURCE_DIR/tests/guest/inside/disk.sh"

# Each puts a file system on $disk. Linux 6.12 wants Merkle blocks no larger than the
# file system's.
use_no_feature() { make_disk ext4 32M -O ^verity -b 4096 && mount_disk; }
use_small_blocks() { make_disk ext4 32M -O verity -b 1024 && mount_disk; }
use_tmpfs() { mkdir -p "$disk" && mount -t tmpfs tmpfs "$disk"; }
use_overlay() {
  mkdir -p "$disk" lower upper work
  modprobe -q overlay || true
  mount -t overlay overlay "$disk" -o lowerdir=lower,upperdir=upper,workdir=work
}
rows=(
  "no_feature   this ext4 file system has not the feature 'verity'"
  "small_blocks with blocks of 4096 bytes is not for this ext4 file system, which has blocks of 1024"
  "tmpfs        this file system \(tmpfs\) has no fs-verity"
  "overlay      this file system \(overlay\) has no fs-verity"
)

# check_refused NAME WHY
check_refused() {
  commit_app src
  check_equal "$1: nothing has verity" \
    "$(find "$repo/objects" -type f -exec fsverity measure {} \; 2>/dev/null)" ''
  expect_exit 1 as_isolated_root vtree --repo="$repo" commit app src --verity=require
  expect_stderr_line "verity=require, but .*$2"
  expect_exit 32 mount.fuse.vtree "$repo:app" "$m" -o verity=require
  expect_stderr_line 'does not enforce fs-verity on it \(.*\), and verity=require'
  mount.fuse.vtree "$repo:app" "$m"
  check "$1: auto" diff -r src "$m"
  check_equal "$1: objects that the kernel enforces" "$(counter objects_kernel)" 0
  check_equal "$1: and the daemon" "$(counter objects_daemon)" 2
  umount "$m"
  wait_until 60 nobody_serves
}

mkdir src "$m"
head -c 900000 /dev/urandom >src/large
echo small >src/small
for row in "${rows[@]}"; do
  read -r name why <<<"$row"
  "use_$name"
  check_refused "$name" "$why"
  umount "$disk"
done

check 'a forged measurement' env -u VTREE_TEST_WORLD \
  bash -c '"$@" >forge.log 2>&1 || { cat forge.log; false; }' - \
  bash "$VTREE_SOURCE_DIR/tests/mount/forge.sh"
check 'that was really forged' grep -q 'ok: the forged measurement' forge.log
