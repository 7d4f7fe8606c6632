#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A commit to a disk that gets full, at every stage: a clear error, the old version
# intact, nothing left over; and gc, which has to work when nothing else does. On tmpfs
# and on ext4.
. "$(dirname "$0")/repository.sh"

[ "$(id -u)" = 0 ] || skip "needs root to make a small filesystem"
command -v mkfs.ext4 >/dev/null || skip "no mkfs.ext4"

make_random_tree "$VTREE_TMP/old" old 100
make_random_tree "$VTREE_TMP/new" new 1000

mount_tmpfs() {
  mount -t tmpfs -o size=48M tmpfs "$1"
}

mount_ext4() {
  truncate -s 64M "$VTREE_TMP/image"
  mkfs.ext4 -q -F "$VTREE_TMP/image"
  mount -o loop "$VTREE_TMP/image" "$1" || skip "no loop device"
}

# leave_room DIR KIB: fills the disk up to so much free space.
leave_room() {
  local free
  rm -f "$1/ballast"
  free=$(df --output=avail -k "$1" | tail -n 1)
  [ "$free" -gt "$2" ] || return 0
  fallocate -l "$((free - $2))K" "$1/ballast"
}

# on_full_disk FILESYSTEM
on_full_disk() {
  local disk=$VTREE_TMP/$1 room
  mkdir "$disk"
  "mount_$1" "$disk"
  repo=$disk/repo
  export VTREE_REPO=$repo
  w() { as_isolated_root env VTREE_REPO="$repo" vtree "$@"; }
  check "$1: init" w init
  check "$1: the old version" w commit "$1" "$VTREE_TMP/old"
  for room in 0 8 64 300 1000 3000 6000 9000; do
    leave_room "$disk" "$room"
    expect_exit 1 w commit "$1" "$VTREE_TMP/new" --quiet
    expect_stderr_line '^vtree commit: .*store an object in .*No space left on device'
    no_temporary_files "$1, $room KiB: nothing is left over"
    check "$1, $room KiB: the old version is the head" w verify "$1"
    check "$1, $room KiB: fsck finds nothing" w fsck
    check_equal "$1, $room KiB: head" "$(cat "$repo/refs/$1/head")" 1
  done
  rm -rf "$VTREE_TMP/out"
  check "$1: checkout of the old version" w checkout "$1" "$VTREE_TMP/out"
  same_tree "$1: the old version's files" "$VTREE_TMP/old" "$VTREE_TMP/out"
  gc_when_full "$1" "$disk"
  umount "$disk"
}

# gc_when_full FILESYSTEM DISK: two versions, of which one goes while there is no room.
gc_when_full() {
  local before
  rm -f "$2/ballast"
  make_random_tree "$VTREE_TMP/third" third 50
  check "$1: another version" w commit "$1" "$VTREE_TMP/third"
  leave_room "$2" 0
  before=$(find "$repo/objects" -type f | wc -l)
  expect_exit 0 w gc --keep=1
  check "$1: gc on the full disk deleted objects" \
    [ "$(find "$repo/objects" -type f | wc -l)" -lt "$before" ]
  check "$1: fsck finds nothing after it" w fsck
  rm -rf "$VTREE_TMP/third"
}

on_full_disk tmpfs
on_full_disk ext4
