#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Where the kernel enforces (simulated: the test binary says what it is): who verifies
# what, verity=require, the counters, an object that the kernel does not enforce.
prefetch=off
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper
use_simulated_kernel

mkdir src
for f in one two plain; do
  head -c 9000 /dev/urandom >"src/$f"
done
head -c 3000000 /dev/urandom >src/large
head -c 3000000 /dev/urandom >src/large-plain
: >src/empty
commit_app src
manifest=$(sed 's/sha256://' "$VTREE_TMP/manifest")
manifest=$repo/objects/${manifest:0:2}/${manifest:2}
# Without its verity: so it is after a copy.
plain() {
  chmod u+w "$1"
}
sealed() {
  chmod a-w "$1"
}
state() {
  vtree status --json "$1" | python3 -c 'import json, sys
o = json.load(sys.stdin)["mounts"][0]["object"]
print(o["state"], o["enforcer"])'
}
says() {
  grep -qx -- "$1" <<<"$(vtree status "$m")"
}
logged() {
  grep -q -- "$1" "$VTREE_TMP/log"
}

# who verifies
plain "$(object_of src/plain)"
plain "$(object_of src/large-plain)"
mount_app 2>err
check 'it says what it is, to who mounts' grep -q simulated-kernel err
check 'in the log' logged simulated-kernel
check 'in the status' says 'simulated-kernel: a test binary, nothing is verified'
check 'of the manifest too' says 'manifest verified by: simulated-kernel'
check_equal 'and as JSON' "$(counter simulated_kernel)" True
check_equal 'not opened yet' "$(state "$m/one")" 'not opened yet None'
check 'all of it is right' diff -r src "$m"
check_equal 'by the kernel' "$(state "$m/one")" 'verified kernel'
check_equal 'by the daemon' "$(state "$m/plain")" 'verified daemon'
check_equal 'the larger one too' "$(state "$m/large-plain")" 'verified daemon'
check_equal 'three by the kernel' "$(counter objects_kernel)" 3
check_equal 'two by the daemon' "$(counter objects_daemon)" 2
check_equal 'none by nobody' "$(counter objects_unverified)" 0
check_equal 'each was measured once' "$(counter measures)" 5
check_equal 'all are held' "$(counter cached)" 5
hits=$(counter hits)
check 'the large ones took several reads' test "$hits" -ge 2
check_equal 'no failure' "$(counter failures)" 0
check_equal 'the policy' "$(counter verity)" auto
check_equal 'the manifest' "$(counter manifest_kernel)" True
check_equal 'all bytes' "$(counter bytes_read)" "$(cat src/* | wc -c)"
check_equal 'no passthrough' "$(counter passthrough) $(counter passthrough_opens)" 'False 0'

# What the daemon verifies does not depend on what a file was before.
flip_byte "$(object_of src/plain)" 0
flip_byte "$(object_of src/large-plain)" 0
unmount_app
mount_app 2>err
check 'a changed one: EIO' read_fails "$m/plain" EIO
check 'a large one: EIO' read_fails "$m/large-plain" EIO
check 'two failures' test "$(counter failures)" -ge 2
check_equal 'and it is told of the file' "$(state "$m/plain" | cut -d' ' -f1)" failed
check 'the others go on' cmp "$m/one" src/one
unmount_app
flip_byte "$(object_of src/plain)" 0
flip_byte "$(object_of src/large-plain)" 0

# Spliced replies: all of it or an error, also where a file changes as no file with
# verity can.
mount_app readahead=off 2>err
check 'a large one is right' cmp "$m/large" src/large
check 'it went by splice' test "$(counter reads_spliced)" -ge 20
spliced=$(counter reads_spliced)
check 'what the daemon verifies is right' cmp "$m/large-plain" src/large-plain
check_equal 'and does not' "$(counter reads_spliced)" "$spliced"
unmount_app
for size in 0 4096 1048575 1048576 1050000 2999999; do
  : >log
  mount_app readahead=off 2>err
  head -c 4096 "$m/large" | cmp - <(head -c 4096 src/large) || fail "the beginning: $size"
  cp --reflink=never "$(object_of src/large)" kept
  truncate -s "$size" "$(object_of src/large)"
  check "cut to $size bytes: EIO" read_fails "$m/large" EIO
  check "cut to $size bytes: the log says so" logged 'expected 3000000 bytes'
  cat kept >"$(object_of src/large)"
  check "cut to $size bytes, and repaired" cmp "$m/large" src/large
  unmount_app
done

# verity=require
: >log
for open in lazy checked; do
  mount_app "verity=require,open=$open" 2>err
  check_equal "require, $open: the policy" "$(counter verity)" require
  check "require, $open: an enforced object" cmp "$m/one" src/one
  check "require, $open: an empty one" cmp "$m/empty" src/empty
  check "require, $open: a plain one is EIO" read_fails "$m/plain" EIO
  check "require, $open: a large one" read_fails "$m/large-plain" EIO
  check "require, $open: the log says why" \
    logged '/plain: expected object sha256:.*: the kernel does not enforce fs-verity on it'
  sealed "$(object_of src/plain)"
  check "require, $open: sealed, it is read at once" cmp "$m/plain" src/plain
  plain "$(object_of src/plain)"
  unmount_app
done
plain "$manifest"
expect_exit 32 mount.fuse.vtree "$repo:app" "$m" -o verity=require
check 'a plain manifest does not mount: why' \
  grep -q 'mount.fuse.vtree: .*the kernel does not enforce fs-verity on it' "$VTREE_TMP/stderr"
expect_exit 1 vtree mount "$repo:app" "$m" -o verity=require
check 'auto mounts it' mount_app verity=auto 2>err
check_equal 'and verifies it' "$(counter manifest_kernel)" False
check 'it says so' says 'manifest verified by: daemon'
unmount_app
mount_app verity=off 2>err
check_equal 'off: nobody' "$(cmp "$m/one" src/one && counter objects_unverified)" 1
check 'off: it says so' says 'manifest verified by: nobody'
unmount_app
