#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# fsck --seal on repositories that lost the kernel's verity: copied by cp, rsync and tar,
# while mounted, corrupt, interrupted, of somebody else.
# shellcheck source=tests/lib/lib.sh
. "$(dirname "$0")/../../lib/lib.sh"
# shellcheck source=tests/guest/inside/places.sh
. "$(dirname "$0")/places.sh"

# figure NAME: that member of the last JSON answer.
figure() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' \
    "$VTREE_TMP/stdout" "$1"
}

make_original() {
  as_who mkdir "$place/tree"
  make_tree "$place/tree"
  repo=$place/original
  expect_exit 0 v init --pack-threshold=0 --quiet
  expect_exit 0 v commit "$ref" "$place/tree" --quiet
}

# copy HOW: the original as $repo, without verity.
copy() {
  repo=$place/$1
  case $1 in
    cp) as_who cp -a "$place/original" "$repo" ;;
    rsync) as_who rsync -a "$place/original/" "$repo" ;;
    tar)
      as_who mkdir "$repo"
      as_who tar -C "$place/original" -c . | as_who tar -C "$repo" -xp
      ;;
  esac
  check_equal "$1 loses verity" \
    "$(find "$repo" -type f -exec fsverity measure {} + 2>/dev/null)" ''
}

# --- copies ---------------------------------------------------------------------------

check_copy() {
  local count before
  copy "$2"
  count=$(objects "$repo" | wc -l)
  before=$(objects "$repo" | xargs stat -c %i)
  expect_exit 0 v fsck --quiet
  expect_exit 0 v fsck --seal --json
  check_equal "$1, $2: objects sealed" "$(figure sealed)" "$count"
  check_equal "$1, $2: own files sealed" "$(figure sealed_files)" \
    "$(own_files "$repo" | wc -l)"
  check_equal "$1, $2: the same files" "$(objects "$repo" | xargs stat -c %i)" "$before"
  check_sealed "$1, $2" "$repo"
  expect_exit 0 v fsck --seal
  check "$1, $2: says that all was" \
    grep -q " 0 objects and 0 of .* sealed, $count objects were already" "$VTREE_TMP/stderr"
}

check_cp() {
  make_original
  check_copy "$1" cp
}

check_rsync() {
  make_original
  check_copy "$1" rsync
}

check_tar() {
  make_original
  check_copy "$1" tar
}

# --- a mount goes on ------------------------------------------------------------------

# status NAME: a line of vtree status.
status() {
  as_who vtree status "$place/mnt" | sed -n "s/^$1: //p"
}

check_mounted() {
  local reader
  make_original
  copy cp
  as_who mkdir "$place/mnt"
  expect_exit 0 v commit "$ref" "$place/tree" --verity=off --quiet
  check "$1: a Merkle file" test -e "$(object_of "$place/tree/numbers" \
    | sed s,/objects/,/merkle/,)"
  v mount "$ref" "$place/mnt" --quiet
  as_who head -c 1000 "$place/mnt/numbers" >/dev/null
  check_equal "$1: the daemon verifies" "$(status 'manifest verified by')" daemon
  # shellcheck disable=SC2016 # the inner shell expands it
  as_who bash -c 'until [ -e "$1/stop" ]
    do cat "$1/mnt/numbers" "$1/mnt/many/7" >"$1/read.new" && mv "$1/read.new" "$1/read"
    done' sh "$place" &
  reader=$!
  wait_until 20 test -e "$place/read"
  expect_exit 0 v fsck --seal --quiet
  check_sealed "$1, mounted" "$repo"
  check "$1: the mount is read" as_who cmp "$place/mnt/numbers" "$place/tree/numbers"
  check "$1: what was not open before too" as_who cmp "$place/mnt/many/3" "$place/tree/many/3"
  as_who touch "$place/stop"
  check "$1: as it was all the time" wait "$reader"
  check "$1: and rightly" bash -c "cat '$place/tree/numbers' '$place/tree/many/7' \
    | cmp - '$place/read'"
  check_equal "$1: nothing failed" "$(status 'integrity failures')" 0
  expect_exit 0 v gc --quiet
  expect_exit 0 v umount "$place/mnt" --quiet
  v mount "$ref" "$place/mnt" -o verity=require --quiet
  check_equal "$1: the kernel enforces" "$(status 'manifest verified by')" kernel
  check "$1: all of it" as_who diff -r "$place/mnt" "$place/tree"
  expect_exit 0 v umount "$place/mnt" --quiet
}

# --- corrupt --------------------------------------------------------------------------

check_corrupt() {
  local object
  make_original
  copy cp
  object=$(object_of "$place/tree/numbers")
  chmod u+w "$object"
  printf X | dd of="$object" bs=1 seek=700000 conv=notrunc status=none
  expect_exit 6 v fsck --seal --quiet
  expect_stdout "^corrupt $ref@1 sha256:[0-9a-f]* /numbers: the kernel measured sha256:"
  expect_exit 6 v fsck --seal --quiet
  expect_exit 0 v fsck --seal --quiet --repair-from="$place/original"
  expect_stdout '^repaired '
  check_sealed "$1, repaired" "$repo"
}

# --- interrupted ----------------------------------------------------------------------

# Within the probe, when an object is sealed, when its mode is set before and after.
check_interrupted() {
  local call
  make_original
  copy cp
  for call in ioctl:1 fchmod:1 fchmod:2 ioctl:3 ioctl:5; do
    expect_exit 137 as_who strace -f -qq -o /dev/null -e trace="${call%:*}" \
      -e "inject=${call%:*}:signal=KILL:when=${call#*:}" vtree --repo="$repo" fsck --seal
  done
  expect_exit 0 v fsck --seal --quiet
  check_sealed "$1, killed five times" "$repo"
}

# Two at the same time, and a commit.
check_beside() {
  local one other
  make_original
  copy cp
  v fsck --seal --quiet &
  one=$!
  v fsck --seal --quiet &
  other=$!
  expect_exit 0 v commit "$ref" "$place/tree" --quiet
  check "$1: one of two" wait "$one"
  check "$1: the other" wait "$other"
  check_sealed "$1, two at once" "$repo"
}

# --- not ours -------------------------------------------------------------------------

check_foreign() {
  make_original
  copy cp
  chown 0:0 "$(object_of "$place/tree/numbers")"
  expect_exit 1 v fsck --seal
  expect_stdout '^unsealed - sha256:[0-9a-f]* -: set the mode: Operation not permitted'
  check "$1: the rest is" has_verity "$(object_of "$place/tree/many/3")"
  chown 65534:65534 "$(object_of "$place/tree/numbers")"
  expect_exit 0 v fsck --seal --quiet
  check_sealed "$1, ours again" "$repo"
}

at_place "$GUEST_EXT4" root check_cp
at_place "$GUEST_EXT4" user check_tar
at_place "$GUEST_BTRFS" root check_rsync
at_place "$GUEST_BTRFS" user check_cp
for part in check_mounted check_interrupted; do
  at_two_places "$part"
done
at_place "$GUEST_BTRFS" user check_corrupt
at_place "$GUEST_EXT4" root check_beside
at_place "$GUEST_EXT4" user check_foreign
