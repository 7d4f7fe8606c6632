#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Other file systems than ext4 with verity. Behind btrfs, somebody makes its checksums fit
# what he changed: signed bytes or EIO. Where the kernel does not enforce fs-verity (a file
# system in user space that claims it all the same, those that can't, or not as we need
# it), auto works, the daemon verifying, and require says why not. And what a mount costs
# where the kernel enforces the manifest: the same for a thousand and a million inodes.
pack_threshold=0 # what is done to an object is done to its file
. "$(dirname "$0")/../../lib/guest.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
. "$VTREE_SOURCE_DIR/tests/guest/inside/disk.sh"

# --- behind btrfs ---------------------------------------------------------------------

# Merkle trees and descriptors are items in its trees, small contents too.
large=$((129 * 4096))
attacks=(
  # name             size   in         offset failing
  "data              $large src        12288  1   sum"
  "data-first        $large src        0      1   sum"
  "data-unfit        $large src        8192   1   -"
  "data-inline       900    src        500    1   -"
  "data-tiny         40     src        0      1   -"
  "tree-root         $large tree       0      129 -"
  "tree-leaf         $large tree       8192   1   -"
  "tree-small        5000   tree       0      2   -"
  "descriptor-root   5000   descriptor 16     2   -"
  "descriptor-salt   5000   descriptor 3      2   -"
)

btrfs_pages() {
  local attack name size failing
  for attack in "${attacks[@]}"; do
    read -r name size _ _ failing _ <<<"$attack"
    echo "$name good $(((size + 4095) / 4096 - failing)) failed $failing"
  done
  echo 'untouched good 129 failed 0'
}

make_sources() {
  local attack sizes=()
  mkdir src tree descriptor
  for attack in "${attacks[@]}" "untouched $large"; do
    read -ra attack <<<"$attack"
    sizes+=("${attack[0]}:${attack[1]}")
  done
  "$page_probe" make src "${sizes[@]}"
}

# Copies of what is looked for on the disk.
strike() {
  local attack name of offset sum
  for attack in "${attacks[@]}"; do
    read -r name _ of offset _ sum <<<"$attack"
    [ "$of" = src ] || fsverity digest --out-merkle-tree="tree/$name" \
      --out-descriptor="descriptor/$name" "src/$name" >/dev/null
    echo "$of/$name $offset $sum"
  done | raw btrfs
}

attack_btrfs() {
  local pid
  make_sources
  make_disk btrfs 256M -q --data single --metadata single
  mount_disk
  commit_app src --verity=require
  unmount_disk
  strike
  mount_disk
  serve "$m" "$VTREE_TMP/log" verity=auto
  pid=$(counters pid)
  check_pages btrfs "$m" src "$(btrfs_pages)"
  check_equal 'btrfs: the daemon is alive; the kernel alone enforces' \
    "$(counters pid objects_daemon)" "$pid"$'\n''objects_daemon 0'
  umount "$m"
  unmount_disk
  rm -r src
}

# --- where the kernel does not enforce ------------------------------------------------

# Each puts a file system on $disk. Linux 6.12 wants Merkle blocks no larger than the
# file system's.
use_small_blocks() { make_disk ext4 32M -q -O verity -b 1024 && mount_disk; }
use_vfat() { make_disk vfat 32M && mount_disk; }
use_overlay() {
  mkdir -p "$disk" lower upper work
  modprobe -q overlay || true
  mount -t overlay overlay "$disk" -o lowerdir=lower,upperdir=upper,workdir=work
}
rows=(
  "small_blocks with blocks of 4096 bytes is not for this ext4 file system, which has blocks of 1024"
  "vfat         this file system \((vfat|msdos)\) has no fs-verity"
  "overlay      this file system \(overlay\) has no fs-verity"
)

# check_refused NAME WHY
check_refused() {
  expect_exit 0 commit_app src
  check_equal "$1: nothing has verity" \
    "$(find "$repo/objects" -type f -exec fsverity measure {} + 2>/dev/null)" ''
  expect_exit 1 as_isolated_root vtree --repo="$repo" commit app src --verity=require
  expect_stderr_line "verity=require, but .*$2"
  expect_exit 32 mount.fuse.vtree "$repo:app" "$m" -o verity=require
  expect_stderr_line 'does not enforce fs-verity on it \(.*\), and verity=require'
  mount.fuse.vtree "$repo:app" "$m" -o prefetch=off
  check "$1: auto" diff -r src "$m"
  check_equal "$1: the daemon verifies" "$(counters objects_kernel objects_daemon)" \
    $'objects_kernel 0\nobjects_daemon 2'
  umount "$m"
}

# Where contents are forged: the first block of each object. The small one is hashed when
# it is opened, the large one has a Merkle file.
check_forged() {
  local true_repo=$VTREE_TMP/true manifest options
  repo=$true_repo
  commit_app src --verity=off
  learn .
  locate ./large
  manifest=$(<"$VTREE_TMP/manifest")
  mkdir hostile
  "$VTREE_BUILD_DIR/tests/programs/forge-measure" "$true_repo" hostile "${manifest#sha256:??}"
  repo=$VTREE_TMP/hostile
  check_equal 'the measurement is forged' \
    "$(fsverity measure "hostile/${object#"$true_repo/"}" | cut -d' ' -f1)" \
    "${digests[./large]}"
  for options in open=lazy open=checked; do
    rm -f "$true_repo.forging"
    serve "$m" "$VTREE_TMP/log" "$options"
    check "$options: honest" diff -r src "$m"
    touch "$true_repo.forging"
    check_pages "$options: forged meanwhile" "$m" src $'large good 219 failed 1\nsmall good 0 failed 1'
    umount "$m"
    serve "$m" "$VTREE_TMP/log" "$options"
    check_pages "$options: forged" "$m" src $'large good 219 failed 1\nsmall good 0 failed 1'
    check_equal "$options: the daemon verifies" "$(counters objects_kernel)" \
      'objects_kernel 0'
    umount "$m"
  done
  rm "$true_repo.forging"
  expect_exit 32 mount.fuse.vtree "$repo:app" "$m" -o verity=require
  expect_stderr_line 'does not enforce fs-verity on it \(.*\), and verity=require'
  umount hostile
}

# --- what a mount costs ---------------------------------------------------------------

# As mount/constant, but that the manifests are sealed where they are written.
check_cost() {
  local inodes value loaded looked
  declare -A loaded looked
  make_disk ext4 256M -q -O verity -b 4096
  mount_disk
  repo=$disk/repo
  commit_app src
  for inodes in 1000 10000 1000000; do
    "$VTREE_BUILD_DIR/tests/programs/large-manifest" "$inodes" "$disk/made"
    fsverity enable "$disk/made"
    read -r value _ < <(fsverity measure "$disk/made")
    digests[$inodes]=$value
    locate "$inodes"
    mkdir -p "${object%/*}"
    mv "$disk/made" "$object"
    drop_caches
    serve_manifest "$value"
    loaded[$inodes]=$(counters manifest_loaded)
    loaded[$inodes]=${loaded[$inodes]#* }
    check_equal "$inodes: as many as there are; the kernel enforces" \
      "$(counters inodes manifest_kernel)" "inodes $inodes"$'\n''manifest_kernel true'
    check_equal "$inodes: a file of it" "$(stat -c '%s %Y' "$m/d7/f8")" '4096 8'
    looked[$inodes]=$(counters manifest_loaded)
    looked[$inodes]=${looked[$inodes]#* }
    umount "$m"
    echo "$inodes inodes: ${loaded[$inodes]} bytes for the mount; ${looked[$inodes]} after a file"
  done
  compare_cost
}

serve_manifest() {
  mount.fuse.vtree "$repo:$1" "$m" -o "digest=$1,verity=require"
}

# A place that has to be seen brings a run of 16 blocks; 1,000 inodes are less than one.
compare_cost() {
  local block=4096
  check 'something is read' [ "${loaded[1000]}" -gt 0 ]
  check '10,000 and 1,000,000: the same, within 4 blocks' \
    [ "${loaded[1000000]}" -le $((loaded[10000] + 4 * block)) ]
  check '1,000 and 1,000,000: the same, within one run' \
    [ "${loaded[1000000]}" -le $((loaded[1000] + 16 * block)) ]
  check 'a look-up is a few places' \
    [ $((looked[1000000] - loaded[1000000])) -le $((8 * 16 * block)) ]
}

attack_btrfs
mkdir src
"$page_probe" make src large:900000 small:6
for row in "${rows[@]}"; do
  read -r name why <<<"$row"
  "use_$name"
  check_refused "$name" "$why"
  unmount_disk
done
check_forged
check_cost
