#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Commits and `fsck --seal` that are killed (-9), or whose machine loses its power, in the
# midst of staging, while the kernel builds a Merkle tree, and of placing. What is in the
# store afterwards is sealed, right and whole, the old version mounts, the file system is
# clean, and the next commit takes away what was left.
. "$(dirname "$0")/../../lib/guest.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"

m=$VTREE_TMP/m
ref=app
page_probe=$VTREE_BUILD_DIR/tests/programs/page-probe
mkdir -p "$m"

vtree_here() {
  as_isolated_root vtree --repo="$repo" "$@"
}

# --- what must hold -------------------------------------------------------------------

# mismeasured: the objects that have verity with another digest than their name, and after
# `all`, those that have none.
mismeasured() {
  local objects
  mapfile -t objects < <(find "$repo/objects" -type f)
  fsverity measure "${objects[@]}" 2>&1 | awk -v all="${1:-}" '{
    name = $2
    sub(".*/objects/", "", name)
    sub("/", "", name)
    if ($1 ~ /^sha/ ? $1 != "sha256:" name : all) print
  }'
}

# check_whole NAME: nothing is half sealed.
check_whole() {
  check_equal "$1: all objects are sealed, and are what they are named" \
    "$(mismeasured all)" ''
  check_equal "$1: and read-only" "$(find "$repo/objects" -type f ! -perm 0444)" ''
}

# check_version NAME REF SOURCE
check_version() {
  check "$1 is mounted" mount.fuse.vtree "$repo:$2" "$m" -o verity=require
  check "$1 is right" diff -r "$3" "$m"
  umount "$m"
}

# check_recovered NAME SOURCE
check_recovered() {
  check "$1: the next commit" vtree_here commit "$ref" "$2" --verity=require
  check_equal "$1: it leaves nothing in tmp" "$(ls "$repo/tmp")" ''
  check "$1: the store is whole" vtree_here fsck
  check_version "$1: the new version" "$ref" "$2"
}

# check_sealing NAME: `fsck --seal` was interrupted.
check_sealing() {
  check_equal "$1: no seal is a wrong one" "$(mismeasured)" ''
  check "$1: something was not sealed yet" [ -n "$(mismeasured all)" ]
  check "$1: it is sealed the next time" vtree_here fsck --seal
  check_whole "$1"
  check_equal "$1: nothing is left in tmp" "$(ls "$repo/tmp")" ''
}

# --- moments --------------------------------------------------------------------------

# staging: a large file has begun in tmp.
staging() {
  [ -n "$(find "$repo/tmp" -type f -size +0)" ]
}

# staged: it is there as a whole, so that it is synced, or sealed.
staged() {
  [ -n "$(find "$repo/tmp" -type f -size "${large}c")" ]
}

# enabling [DIR]: the kernel has begun a Merkle tree behind the end of a file there.
enabling() {
  local size blocks
  while read -r size blocks; do
    [ $((blocks * 512)) -le $((size + 4096)) ] || return 0
  done < <(find "$repo/${1:-tmp}" -type f -size "${large}c" -printf '%s %b\n' 2>/dev/null)
  return 1
}

# placing: some of the objects of MANY are there.
placing() {
  [ "$(find "$repo/objects" -type f -newer "$VTREE_TMP/before" | wc -l)" -gt 20 ]
}

# left: what the killed commit left: in tmp, or, where the blow came that late, or the one
# before it, placed.
left() {
  ls "$repo/tmp"
  find "$repo/objects" -type f -newer "$VTREE_TMP/before"
  find "$repo/objects" -type f -size "${large}c"
}

# beside VTREE-ARGUMENT...: in the background; $job.
beside() {
  vtree_here "$@" >"$VTREE_TMP/beside" 2>&1 &
  job=$!
}

# killed NAME MOMENT...: kills what is beside, then.
killed() {
  local name=$1 status=0
  shift
  check "$name: $1" wait_until 60 "$@"
  kill -KILL "$(pgrep -x vtree)"
  wait "$job" || status=$?
  check_equal "$name: killed" "$status" 137
}

# --- kill -9 --------------------------------------------------------------------------

# kill_commits NAME DIR MOMENT...
kill_commits() {
  local name=$1 moment
  repo=$2/repo
  ref=$name
  shift 2
  vtree_here init --pack-threshold=0 >/dev/null
  vtree_here commit "$ref" src/old --verity=require >/dev/null
  for moment; do
    touch "$VTREE_TMP/before"
    beside commit "$ref" src/large --verity=require
    killed "$name, $moment" "$moment"
    check "$name, $moment: something is left" [ -n "$(left)" ]
    check_whole "$name, $moment"
  done
  check_version "$name: the old version" "$ref@1" src/old
  check_recovered "$name" src/large
}

# The copy has no verity.
kill_seal() {
  cp -a "$repo" "$repo.copy"
  repo=$repo.copy
  beside fsck --seal
  killed 'fsck --seal' enabling objects
  check_sealing 'fsck --seal, killed'
}

# --- power cuts -----------------------------------------------------------------------

# What outlives a cut is on the spare disk.
use_spare() {
  mkdir -p "$VTREE_TMP/spare"
  mount "$GUEST_SPARE_DEV" "$VTREE_TMP/spare"
  repo=$VTREE_TMP/spare/repo
}

# check_disk: after a cut.
check_disk() {
  use_spare
  umount "$VTREE_TMP/spare"
  expect_exit 0 e2fsck -fn "$GUEST_SPARE_DEV"
  use_spare
  cp -a "$VTREE_TMP/spare/etc" "$VTREE_TMP/host/"
  cp -a "$VTREE_TMP/spare/src" .
}

large=16000000
case $GUEST_PHASE in
  1)
    mkdir -p src/old src/large src/many
    "$page_probe" make src/old small:20000 file:300000
    "$page_probe" make src/large "large:$large"
    use_btrfs
    kill_commits btrfs "$GUEST_BTRFS" staging staged
    kill_commits ext4 "$GUEST_EXT4" staging enabling
    kill_seal

    mke2fs -q -t ext4 -O verity -b 4096 "$GUEST_SPARE_DEV"
    use_spare
    ref=app
    vtree_here init --pack-threshold=0 >/dev/null
    vtree_here commit app src/old --verity=require
    cp -a src "$VTREE_TMP/host/etc" "$VTREE_TMP/spare/"
    sync
    beside commit app src/large --verity=require
    check 'the kernel is building a tree' wait_until 60 enabling
    power_cut ''
    ;;
  2)
    check_disk
    check 'something was staged' [ -n "$(ls "$repo/tmp")" ]
    check_whole 'power cut while enabling'
    check_version 'the old version' app@1 src/old
    check_recovered 'power cut while enabling' src/large
    cp -a "$repo" "$repo.copy"
    sync
    repo=$repo.copy
    beside fsck --seal
    check 'the kernel is building a tree' wait_until 60 enabling objects
    power_cut ''
    ;;
  3)
    check_disk
    repo=$repo.copy
    check_sealing 'power cut while sealing'
    repo=${repo%.copy}
    # shellcheck disable=SC2046 # words
    "$page_probe" make src/many $(printf '%d:5000 ' {1..300})
    cp -a src/many "$VTREE_TMP/spare/src/"
    touch "$VTREE_TMP/before"
    sync
    beside commit app src/many --verity=require
    check 'objects are being placed' wait_until 60 placing
    power_cut ''
    ;;
  4)
    check_disk
    check_whole 'power cut while placing'
    check_version 'the old version' app@2 src/large
    check_recovered 'power cut while placing' src/many
    ;;
esac
