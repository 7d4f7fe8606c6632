#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What all guest tests rely on: the kernel enforces fs-verity on both file systems, and
# what `corrupt` does reaches the disk.
. "$(dirname "$0")/../../lib/guest.sh"

# enforces NAME DIR: enable, measure, corrupt, read.
enforces() {
  head -c 1000000 /dev/urandom >"$2/file"
  cp "$2/file" "$2/copy"
  fsverity enable "$2/file"
  check_equal "$1: measured as computed" "$(fsverity measure "$2/file" | cut -d' ' -f1)" \
    "$(fsverity digest "$2/copy" | cut -d' ' -f1)"
  expect_exit 1 dd if="$2/copy" of="$2/file" conv=notrunc status=none
  expect_stdout_or_stderr 'Operation not permitted'
  drop_caches
  check "$1: it reads" cmp "$2/file" "$2/copy"
  corrupt "$2/file" 500000
  expect_exit 1 cat "$2/file"
  expect_stderr_line 'Input/output error'
  check "$1: other blocks read" cmp -n 400000 "$2/file" "$2/copy"
}

expect_stdout_or_stderr() {
  check "said: $1" grep -q -- "$1" "$VTREE_TMP/stdout" "$VTREE_TMP/stderr"
}

case $GUEST_PHASE in
  1)
    enforces ext4 "$GUEST_EXT4"
    use_btrfs
    enforces btrfs "$GUEST_BTRFS"
    for where in merkle descriptor; do
      head -c 1000000 /dev/urandom >"$GUEST_EXT4/$where"
      fsverity enable "$GUEST_EXT4/$where"
      corrupt "$GUEST_EXT4/$where" "$where"
      expect_exit 1 cat "$GUEST_EXT4/$where"
    done
    echo kept >"$GUEST_EXT4/kept"
    sync
    echo lost >"$GUEST_EXT4/lost"
    power_cut vtree.answer=42
    ;;
  2)
    check 'what was synced is there' grep -q kept "$GUEST_EXT4/kept"
    check 'what was not, is not' test ! -s "$GUEST_EXT4/lost"
    check 'the argument' grep -q vtree.answer=42 /proc/cmdline
    ;;
esac
