#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A mount costs the same for a thousand and for a million inodes, counted in bytes that
# are read: here of a manifest that the daemon verifies, in guest/elsewhere the kernel.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"

# The manifests are files of a commit: so they are objects with Merkle files.
mkdir src "$m"
for inodes in 1000 10000 1000000; do
  "$VTREE_BUILD_DIR/tests/programs/large-manifest" "$inodes" "src/$inodes"
done
commit_app src

declare -A loaded looked
for inodes in 1000 10000 1000000; do
  digest=sha256:$(fsverity digest --compact "src/$inodes")
  check "$inodes inodes" mount.fuse.vtree "$repo:$digest" "$m" -o "digest=$digest"
  loaded[$inodes]=$(counter manifest_loaded)
  check_equal "$inodes: as many as there are" "$(counter inodes)" "$inodes"
  check_equal "$inodes: who enforces" "$(counter manifest_kernel)" False
  check_equal "$inodes: a file of it" "$(stat -c '%s %Y' "$m/d7/f8")" '4096 8'
  looked[$inodes]=$(counter manifest_loaded)
  umount "$m"
  wait_until 10 nobody_serves
done
echo "inodes: bytes of the manifest for the mount; then a file"
for inodes in 1000 10000 1000000; do
  echo "$inodes: ${loaded[$inodes]}; ${looked[$inodes]}"
done

# A place that has to be seen brings a run of 16 blocks; 1,000 inodes are less than one.
block=4096
check 'something is read' [ "${loaded[1000]}" -gt 0 ]
check '10,000 and 1,000,000: the same, within 4 blocks' \
  [ "${loaded[1000000]}" -le $((loaded[10000] + 4 * block)) ]
check '1,000 and 1,000,000: the same, within one run' \
  [ "${loaded[1000000]}" -le $((loaded[1000] + 16 * block)) ]
check 'a look-up is a few places' \
  [ $((looked[1000000] - loaded[1000000])) -le $((8 * 16 * block)) ]
