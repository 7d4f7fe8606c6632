#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A manifest that is replaced under a mount (its lock is then on a file without a name):
# by a commit that finds it bad, and by fsck --repair-from. gc keeps what the mount needs.
prefetch=off
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper

# A file that has a Merkle tree, one of one block, one deeper down.
make_source() {
  mkdir -p "$1/a/b"
  seq 1 200000 >"$1/numbers"
  echo "only in $1" >"$1/own"
  echo deep >"$1/a/b/deep"
}
manifest_file() {
  local hex
  hex=$(sed 's/^sha256://' "$VTREE_TMP/manifest")
  echo "$repo/objects/${hex:0:2}/${hex:2}"
}
v() {
  as_isolated_root vtree "$@"
}
held_files() {
  find "$repo/tmp" -name 'held-*' | wc -l
}
# look_around: the mount has read the manifest, and no file yet.
look_around() {
  find "$m" -printf '%p %s %m\n' >/dev/null
}
# gc_under_mount HOW TREE: whatever happened to the manifest, all of TREE can be read.
gc_under_mount() {
  check_equal "$1: the file that the mount holds is kept" "$(held_files)" 1
  v commit app other --quiet >/dev/null 2>&1
  expect_exit 0 v gc --keep=1
  check "$1: gc knows" grep -q "^vtree gc: kept $digest: a mount holds it" "$VTREE_TMP/stderr"
  check "$1: every file is there and right" diff -r "$2" "$m"
  check_equal "$1: and still held" "$(held_files)" 1
  unmount_app
  expect_exit 0 v gc --keep=1 --quiet
  check_equal "$1: then it goes" "$(held_files)" 0
  check "$1: and so does the manifest" test ! -e "$manifest"
  expect_exit 0 v fsck --quiet
}

make_source other

make_source one
commit_app one
digest=$(cat "$VTREE_TMP/manifest") manifest=$(manifest_file)
mount_app
look_around
flip_byte "$manifest" 0
commit_app one
check 'the commit replaced it' grep -q "replaced $digest" "$VTREE_TMP/commit.log"
gc_under_mount commit one

make_source two
commit_app two
digest=$(cat "$VTREE_TMP/manifest") manifest=$(manifest_file)
mkdir good
cp "$manifest" good/
mount_app
look_around
rm "$manifest"
echo 'something else' >"$manifest"
expect_exit 0 v fsck --repair-from=good --quiet
check_equal 'what no mount holds is not kept' "$(held_files)" 0
umount "$m"
wait_until 10 nobody_serves
mount_app
look_around
flip_byte "$manifest" 0
expect_exit 0 v fsck --repair-from=good --quiet
gc_under_mount repair two
