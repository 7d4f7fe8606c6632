#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Commits that are killed (-9), or whose machine loses its power, while the kernel builds
# Merkle trees. What is in the store afterwards is sealed, right and whole, the old version
# mounts, the file system is clean, and the next commit takes away what was left.
. "$(dirname "$0")/../../lib/guest.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"

m=$VTREE_TMP/m
ref=app
parts='4 7'
[ "$VTREE_CAMPAIGN" != full ] || parts='2 3 4 5 6 7 8'
mkdir -p "$m"

vtree_here() {
  as_isolated_root vtree --repo="$repo" "$@"
}

# unsealed: the objects whose measurement is not their name.
unsealed() {
  local objects
  mapfile -t objects < <(find "$repo/objects" -type f)
  fsverity measure "${objects[@]}" 2>&1 | awk '{
    name = $2
    sub(".*/objects/", "", name)
    sub("/", "", name)
    if ($1 != "sha256:" name) print
  }'
}

# check_interrupted NAME: nothing is half sealed.
check_interrupted() {
  check_equal "$1: all objects are sealed, and are what they are named" "$(unsealed)" ''
  check_equal "$1: and read-only" "$(find "$repo/objects" -type f ! -perm 0444)" ''
}

# is_whole: fsck finds nothing wrong; a version that was cut off before it was signed is
# nobody's, and said to be unsigned.
is_whole() {
  local status=0
  vtree_here fsck || status=$?
  [ "$status" = 0 ] || [ "$status" = 3 ]
}

# check_recovered NAME SOURCE
check_recovered() {
  check "$1: the next commit" vtree_here commit "$ref" "$2" --verity=require
  check_equal "$1: it leaves nothing in tmp" "$(ls "$repo/tmp")" ''
  check "$1: the store is whole" is_whole
  check_version "$1: the new version" "$ref" "$2"
}

# check_version NAME REF SOURCE
check_version() {
  check "$1 is mounted" mount.fuse.vtree "$repo:$2" "$m" -o verity=require
  check "$1 is right" diff -r "$3" "$m"
  umount "$m"
  wait_until 60 nobody_serves
}

# enabling: the kernel has begun a Merkle tree behind the end of a file in tmp.
enabling() {
  find "$repo/tmp" -type f -size +4M -printf '%s %b\n' 2>/dev/null \
    | awk '$2 * 512 > $1 + 4096 { found = 1 } END { exit !found }'
}

# placing: some of the objects of MANY are there.
placing() {
  [ "$(find "$repo/objects" -type f -newer "$VTREE_TMP/before" | wc -l)" -gt 20 ]
}

# commit_beside SOURCE: in the background; $job.
commit_beside() {
  vtree_here commit "$ref" "$1" --verity=require >"$VTREE_TMP/beside" 2>&1 &
  job=$!
}

# --- kill -9 --------------------------------------------------------------------------

# killed_at MILLISECONDS: how the commit of src/large ended.
killed_at() {
  local status=0
  as_isolated_root timeout --signal=KILL "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))" \
    vtree --repo="$repo" commit "$ref" src/large --verity=require >/dev/null 2>&1 || status=$?
  echo "$status"
}

# kill_commits NAME DIR
kill_commits() {
  local part started took status killed=0 staged=0
  repo=$2/repo
  ref=$1
  vtree_here init >/dev/null
  vtree_here commit "$ref" src/old --verity=require >/dev/null
  started=$(date +%s%N)
  vtree_here commit other src/large --verity=require >/dev/null
  took=$((($(date +%s%N) - started) / 1000000))
  for part in $parts; do
    cp -r src/large "src/large.$part"
    rm -rf src/large
    head -c 100 /dev/urandom >>"src/large.$part/large"
    mv "src/large.$part" src/large
    status=$(killed_at $((took * part / 10)))
    [ "$status" != 137 ] || killed=$((killed + 1))
    [ -z "$(ls "$repo/tmp")" ] || staged=$((staged + 1))
    check_interrupted "$1, killed at $part/10"
  done
  check "$1: $killed of $parts tenths were killed, $staged while something was staged" \
    [ "$staged" -gt 0 ]
  check_version "$1: the old version" "$ref@1" src/old
  check_recovered "$1" src/large
}

make_sources() {
  mkdir -p src/old src/large src/many
  head -c 20000 /dev/urandom >src/old/small
  head -c 3000000 /dev/urandom >src/old/file
  cp src/old/small src/large/
  head -c "$1" /dev/urandom >src/large/large
}

# --- power cuts -----------------------------------------------------------------------

# What outlives a cut is on the spare disk.
use_spare() {
  mkdir -p "$VTREE_TMP/spare"
  mount "$GUEST_SPARE_DEV" "$VTREE_TMP/spare"
  repo=$VTREE_TMP/spare/repo
}

# check_disk NAME: after a cut.
check_disk() {
  use_spare
  umount "$VTREE_TMP/spare"
  expect_exit 0 e2fsck -fn "$GUEST_SPARE_DEV"
  use_spare
  cp -a "$VTREE_TMP/spare/etc" "$VTREE_TMP/host/"
  cp -a "$VTREE_TMP/spare/src" .
}

case $GUEST_PHASE in
  1)
    make_sources 4000000
    use_btrfs
    kill_commits ext4 "$GUEST_EXT4"
    kill_commits btrfs "$GUEST_BTRFS"

    mke2fs -q -t ext4 -O verity -b 4096 "$GUEST_SPARE_DEV"
    use_spare
    ref=app
    vtree_here init >/dev/null
    vtree_here commit app src/old --verity=require
    head -c 16000000 /dev/urandom >src/large/large
    cp -a src "$VTREE_TMP/spare/"
    cp -a "$VTREE_TMP/host/etc" "$VTREE_TMP/spare/"
    sync
    commit_beside "$VTREE_TMP/spare/src/large"
    check 'the kernel is building a tree' wait_until 60 enabling
    power_cut ''
    ;;
  2)
    check_disk
    check 'something was staged' [ -n "$(ls "$repo/tmp")" ]
    check_interrupted 'power cut while enabling'
    check_version 'the old version' app@1 src/old
    check_recovered 'power cut while enabling' src/large
    python3 -c 'import os
for i in range(400):
    with open(f"src/many/{i}", "wb") as f:
        f.write(os.urandom(5000))'
    cp -a src/many "$VTREE_TMP/spare/src/"
    touch "$VTREE_TMP/before"
    sync
    commit_beside src/many
    check 'objects are being placed' wait_until 60 placing
    power_cut ''
    ;;
  3)
    check_disk
    check_interrupted 'power cut while placing'
    check_version 'the old version' app@2 src/large
    check_recovered 'power cut while placing' src/many
    ;;
esac
