#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Packs where the kernel has fs-verity: sealed when they are made and when they are
# folded, measured once, enforced to the block; those that were there without verity.
. "$(dirname "$0")/../../lib/guest.sh"
# shellcheck source=tests/mount/mounted.sh
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper

repo=$GUEST_EXT4/repo
v() {
  as_isolated_root vtree --repo="$repo" "$@"
}
pack() {
  find "$repo/packs" -type f
}
# sealed WHAT: every pack is measured by the kernel as its name says.
sealed() {
  local file name
  for file in $(pack); do
    name=${file#"$repo/packs/"}
    check_equal "$1: the kernel measures the pack's name" \
      "$(fsverity measure "$file" | cut -d' ' -f1)" "sha256:${name%%/*}${name#*/}"
  done
}
# reads: names of the files in $m that can be read, and are right.
reads() {
  local name
  for name in $(cd src && ls); do
    if cmp -s "src/$name" "$m/$name"; then echo "$name"; fi
  done | tr '\n' ' '
}

mkdir src "$m"
for i in 1 2 3 4 5 6 7 8; do
  head -c 3000 /dev/urandom >"src/f$i"
done
v init --quiet >/dev/null 2>&1
expect_exit 0 v commit --quiet --verity=require app src
sealed 'after a commit'
expect_exit 0 v fsck
check 'mounted with verity=require' mount -t fuse.vtree "$repo:app" "$m" \
  -o "verity=require,log=$VTREE_TMP/log"
check_equal 'all can be read' "$(reads)" 'f1 f2 f3 f4 f5 f6 f7 f8 '
check 'the kernel verifies them' grep -q '^this file: .* verified by: kernel' \
  <(vtree status "$m/f1")
umount "$m"

# --- folded ---------------------------------------------------------------------------------
echo more >src/f9
v commit --quiet app src >/dev/null 2>&1
expect_exit 0 v repack --all --quiet
sealed 'after a repack'
expect_exit 0 v fsck

# --- a bad block ----------------------------------------------------------------------------
# Contents lie in the order of the tree behind a header of 64 bytes: the block from 8192 to
# 12288 has the end of f3, all of f4 and the beginning of f5.
corrupt "$(pack)" $((2 * 4096 + 10))
mount -t fuse.vtree "$repo:app" "$m" -o "log=$VTREE_TMP/log"
check_equal 'exactly the files of that block are lost' "$(reads)" 'f1 f2 f6 f7 f8 f9 '
expect_exit 1 cat "$m/f3"
expect_stderr_line 'Input/output error'
umount "$m"
# A file of its own with the same contents serves in its place.
hex=$(fsverity digest --compact src/f4)
mkdir -p "$repo/objects/${hex:0:2}"
install -m 0444 src/f4 "$repo/objects/${hex:0:2}/${hex:2}"
mount -t fuse.vtree "$repo:app" "$m" -o "log=$VTREE_TMP/log"
check 'another copy than the one in the bad block' cmp src/f4 "$m/f4"
umount "$m"
rm -f "$repo/objects/${hex:0:2}/${hex:2}"
expect_exit 6 v fsck
check_equal 'three files of two versions are harmed' "$(grep -c ' /f' "$VTREE_TMP/stdout")" 6
expect_exit 0 v fsck --repair-from=src
expect_exit 0 v fsck
sealed 'after a repair'
mount -t fuse.vtree "$repo:app" "$m" -o "verity=require,log=$VTREE_TMP/log"
check_equal 'all can be read again' "$(reads)" 'f1 f2 f3 f4 f5 f6 f7 f8 f9 '
umount "$m"

# --- packs without verity -------------------------------------------------------------------
repo=$GUEST_EXT4/plain
v init --quiet --verity=off >/dev/null 2>&1
v commit --quiet app src >/dev/null 2>&1
check 'off seals nothing' bash -c "! fsverity measure '$(pack)' 2>/dev/null"
before=$(stat -c %i "$(pack)")
expect_exit 32 mount -t fuse.vtree "$repo:app" "$m" -o verity=require
expect_exit 0 v fsck --seal
sealed 'fsck --seal'
check_equal 'where it was' "$(stat -c %i "$(pack)")" "$before"
mount -t fuse.vtree "$repo:app" "$m" -o "verity=require,log=$VTREE_TMP/log"
check_equal 'all can be read with verity=require' "$(reads)" \
  'f1 f2 f3 f4 f5 f6 f7 f8 f9 '
umount "$m"
repo=$GUEST_EXT4/later
v init --quiet --verity=off >/dev/null 2>&1
v commit --quiet app src >/dev/null 2>&1
echo later >src/later
expect_exit 0 v commit --quiet --verity=require app src
check_equal 'a commit seals the pack that was there, and needs no other for it' \
  "$(pack | wc -l)" 2
sealed 'a commit with verity=require'
