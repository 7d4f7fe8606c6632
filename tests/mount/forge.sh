#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The repository lies on a FUSE file system that answers FS_IOC_MEASURE_VERITY with
# whatever is hoped for, and gives other bytes: none of them is ever served.
pack_threshold=0 # what is done to an object is done to its file
prefetch=off
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper

mkdir src hostile
for size in 1 4096 5000 600000 3000000; do
  head -c "$size" /dev/urandom >"src/$size"
done
commit_app src
true_repo=$VTREE_TMP/repo
cp -a "$repo" "$true_repo"
manifest=$(sed 's/sha256://' "$VTREE_TMP/manifest")
forge() {
  "$VTREE_BUILD_DIR/tests/programs/forge-measure" "$true_repo" hostile "$1"
}

# that the forger does what it says; a kernel before 6.10 does not pass the question on
forge "${manifest:2}"
object=$(object_of src/5000)
object=hostile/objects/${object#"$repo/objects/"}
if fsverity measure "$object" >measured 2>/dev/null; then
  check_equal 'the forged measurement' "$(cut -d' ' -f1 measured)" \
    "sha256:$(fsverity digest --compact src/5000)"
fi
check 'honest bytes at first' cmp "$object" src/5000
touch "$true_repo.forging"
check 'forged bytes then' not cmp -s "$object" src/5000
rm "$true_repo.forging"

for options in open=lazy open=checked; do
  mkdir -p "$m"
  check "$options: honest" mount.fuse.vtree "$VTREE_TMP/hostile:app" "$m" -o "$options"
  check "$options: honest bytes" diff -r src "$m"
  check_equal "$options: the daemon verifies" "$(counter objects_kernel)" 0
  umount "$m"
  wait_until 10 nobody_serves

  # forged from the beginning
  touch "$true_repo.forging"
  check "$options: forged" mount.fuse.vtree "$VTREE_TMP/hostile:app" "$m" -o "$options"
  for size in 1 4096 5000 600000 3000000; do
    check "$options: $size forged bytes" read_fails "$m/$size" EIO
  done
  check_equal "$options: still the daemon" "$(counter objects_kernel)" 0
  umount "$m"
  wait_until 10 nobody_serves

  # forged while it is mounted and open
  rm "$true_repo.forging"
  mount.fuse.vtree "$VTREE_TMP/hostile:app" "$m" -o "$options"
  check "$options: honest again" cmp "$m/5000" src/5000
  touch "$true_repo.forging"
  echo 1 >/proc/sys/vm/drop_caches

  check "$options: forged meanwhile" read_fails "$m/3000000" EIO
  check_equal "$options: and no wrong byte" "$(head -c 1 "$m/600000" 2>/dev/null | wc -c)" 0
  rm "$true_repo.forging"
  umount "$m"
  wait_until 10 nobody_serves
done
check 'require believes no forger' \
  not mount.fuse.vtree "$VTREE_TMP/hostile:app" "$m" -o verity=require
umount hostile

# the manifest itself
forge none
touch "$true_repo.forging"
expect_exit 32 mount.fuse.vtree "$VTREE_TMP/hostile:app" "$m"
expect_stderr_line 'mount.fuse.vtree: '
umount hostile
