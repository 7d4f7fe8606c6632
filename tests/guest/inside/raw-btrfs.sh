#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# As raw-ext4.sh, behind btrfs, by somebody who makes the checksums of btrfs fit: Merkle
# trees and descriptors are items in its trees, small contents too.
. "$(dirname "$0")/../../lib/guest.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
. "$VTREE_SOURCE_DIR/tests/guest/inside/disk.sh"
install_helper

large=$((129 * 4096))
attacks=(
  # name             size   in             offset  failing
  "data              $large data           12288   1   sum"
  "data-first        $large data           0       1   sum"
  "data-unfit        $large data           8192    1"
  "data-inline       900    data           500     1"
  "data-tiny         40     data           0       1"
  "tree-root         $large tree           0       129"
  "tree-leaf         $large tree           8192    1"
  "tree-small        5000   tree           0       2"
  "descriptor-root   5000   descriptor     16      2"
  "descriptor-salt   5000   descriptor     3       2"
)
attack_names() {
  printf '%s\n' "${attacks[@]}" | cut -d' ' -f1
}

expected_pages() {
  local attack name size failing
  for attack in "${attacks[@]}"; do
    read -r name size _ _ failing _ <<<"$attack"
    echo "$name good $(((size + 4095) / 4096 - failing)) failed $failing"
  done
  echo "untouched good 129 failed 0"
}

make_sources() {
  local attack name size
  mkdir src tree descriptor
  for attack in "${attacks[@]}"; do
    read -r name size _ <<<"$attack"
    head -c "$size" /dev/urandom >"src/$name"
    fsverity digest --out-merkle-tree="tree/$name" --out-descriptor="descriptor/$name" \
      "src/$name" >/dev/null
  done
  head -c "$large" /dev/urandom >src/untouched
}

strike() {
  local attack name of offset sum
  for attack in "${attacks[@]}"; do
    read -r name _ of offset _ sum <<<"$attack"
    [ "$of" != data ] || of=src
    echo "$of/$name $offset ${sum:--}"
  done | raw btrfs
}

make_disk btrfs 256M --data single --metadata single
mount_disk
make_sources
commit_app src --verity=require
umount "$disk"
strike
mount_disk
mount_app verity=auto
pid=$(counter pid)
check_pages daemon "$m" src "$(expected_pages)"
check_equal 'the daemon is alive' "$(counter pid)" "$pid"
check_equal 'the kernel alone enforces' "$(counter objects_daemon)" 0
