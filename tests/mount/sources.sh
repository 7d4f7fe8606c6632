#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The sources that are no REPO:REF: a root statement, a manifest; where objects are.
pack_threshold=0 # what is done to an object is done to its file
prefetch=off
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"

mkdir src "$m" away
echo hello >src/hello
commit_app src
manifest=$(cat "$VTREE_TMP/manifest")
hex=${manifest#sha256:}
object=$repo/objects/${hex:0:2}/${hex:2}
cp "$repo/refs/app/1.root" away/x.root
cp "$repo/refs/app/1.sig" away/x.sig
cp "$object" away/tree.vtm
cp -a "$repo/objects" objects

shows_hello() {
  [ "$(cat "$m/hello")" = hello ]
}

check 'a statement' mount.fuse.vtree away/x.root "$m" -o ref=app
check 'objects from the own repository' shows_hello
check_equal 'its ref' "$(counter ref)" app
unmount_app
check 'a statement, objects=DIR' mount.fuse.vtree away/x.root "$m" \
  -o "ref=app,objects=$VTREE_TMP/objects"
check 'its contents' shows_hello
unmount_app
check 'a statement, objects=REPO' mount.fuse.vtree away/x.root "$m" \
  -o "ref=app,objects=$repo"
unmount_app
check 'a manifest' mount.fuse.vtree away/tree.vtm "$m" \
  -o "digest=$manifest,objects=$VTREE_TMP/objects"
check 'its contents' shows_hello
check_equal 'no version' "$(counter version)" None
unmount_app

expect_exit 32 mount.fuse.vtree away/x.root "$m" -o ref=other
expect_stderr_line 'other'
mv away/x.sig away/y.sig
expect_exit 32 mount.fuse.vtree away/x.root "$m" -o ref=app
expect_stderr_line 'x.sig: no such file'
mv away/y.sig away/x.sig
sed -i 's/^created: 2/created: 1/' away/x.root
expect_exit 32 mount.fuse.vtree away/x.root "$m" -o ref=app
flip_byte away/tree.vtm 4097
expect_exit 32 mount.fuse.vtree away/tree.vtm "$m" -o "digest=$manifest"
expect_stderr_line 'tree.vtm'
mkfifo away/fifo
expect_exit 32 timeout 20 mount.fuse.vtree away/fifo "$m" -o "digest=$manifest"
expect_stderr_line 'no regular file'
expect_exit 32 mount.fuse.vtree away/x.root "$m" -o ref=app,objects=/nonexistent

# trust, through `vtree mount`, which gets the real exit status
expect_exit 7 as_isolated_root vtree mount absent "$m"
expect_exit 3 as_isolated_root vtree mount -o key=/dev/null app "$m"
echo more >src/more
commit_app src
check 'version 2' mount.fuse.vtree "$repo:app" "$m"
unmount_app
printf '1\n' >"$repo/refs/app/head"
expect_exit 4 as_isolated_root vtree mount app "$m"
expect_exit 32 mount.fuse.vtree "$repo:app" "$m"
check 'forced' as_isolated_root vtree mount --force -o "log=$VTREE_TMP/log" app "$m"
check 'which is logged' grep -q 'version 1' "$VTREE_TMP/log"
check_equal 'the old one' "$(counter version)" 1
