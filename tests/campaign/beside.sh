#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# gc beside a mount of an old version, beside commits and beside readers: nothing that
# they need goes, and what only the mount needed goes once it is unmounted.
. "$(dirname "$0")/repository.sh"

[ -e /dev/fuse ] || skip "no /dev/fuse"
rounds=5
[ "$VTREE_CAMPAIGN" != full ] || rounds=30

make_random_tree "$VTREE_TMP/old" old 300
make_random_tree "$VTREE_TMP/new" new 300
chmod -R a+rX "$VTREE_TMP/old" "$VTREE_TMP/new"
as_who vtree init --quiet >/dev/null 2>&1
check 'the version to mount' v commit app "$VTREE_TMP/old"
old=$(grep -o "sha256:[0-9a-f]*" "$VTREE_TMP/check.log")
as_who mkdir -p "$VTREE_TMP/work-$(id -u)" 2>/dev/null || true
mkdir "$VTREE_TMP/mnt"
[ "$(id -u)" != 0 ] || chmod 0755 "$VTREE_TMP/mnt"
check 'mount' v mount app "$VTREE_TMP/mnt"

# Commits, one after the other, each of a tree that changes.
commit_loop() {
  local i
  for ((i = 0; i < rounds; i++)); do
    date +%N >"$VTREE_TMP/new/changes"
    v commit app "$VTREE_TMP/new" --quiet --wait=100 >/dev/null || return 1
  done
}

# Reads everything through the mount, again and again, until told to stop.
read_loop() {
  until [ -e "$VTREE_TMP/stop" ]; do
    diff -r "$VTREE_TMP/old" "$VTREE_TMP/mnt" || return 1
    echo 2 >/proc/sys/vm/drop_caches 2>/dev/null || true
  done
}

commit_loop >"$VTREE_TMP/commits.log" 2>&1 &
commits=$!
read_loop >"$VTREE_TMP/reads.log" 2>&1 &
reads=$!
gcs=0
while kill -0 "$commits" 2>/dev/null; do
  expect_exit 0 v gc --keep=1 --wait=100
  gcs=$((gcs + 1))
done
check 'every commit succeeded' wait "$commits"
sed 's/^/    /' "$VTREE_TMP/commits.log"
: >"$VTREE_TMP/stop"
check 'every read gave the old bytes' wait "$reads"
sed 's/^/    /' "$VTREE_TMP/reads.log"
echo "$gcs times gc beside $rounds commits"

expect_exit 0 v gc --keep=1
expect_exit 0 v fsck
same_tree 'the mount has all its files' "$VTREE_TMP/old" "$VTREE_TMP/mnt"
check "the mounted version's manifest is there" test -e "$(object_file "$old")"
check 'umount' v umount "$VTREE_TMP/mnt"
# It holds what it holds a moment longer than its mount is there.
nobody_serves() {
  ! pgrep -x mount.fuse.vtre >/dev/null
}
check 'its daemon ends' wait_until 20 nobody_serves
expect_exit 0 v gc --keep=1
check 'it goes once it is unmounted' test ! -e "$(object_file "$old")"
expect_exit 0 v fsck
as_who rm -rf "$VTREE_TMP/out"
[ "$(id -u)" != 0 ] || chmod 1777 "$VTREE_TMP"
expect_exit 0 v checkout app "$VTREE_TMP/out"
same_tree 'the last commit is whole' "$VTREE_TMP/new" "$VTREE_TMP/out"
