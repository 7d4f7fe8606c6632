#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Commits where the kernel has fs-verity: what is sealed, when, by whom, and what is read
# and hashed for it; all policies, also where it can't be; objects that were there
# without verity; a commit that is killed.
# shellcheck source=tests/lib/lib.sh
. "$(dirname "$0")/../../lib/lib.sh"
# shellcheck source=tests/guest/inside/places.sh
. "$(dirname "$0")/places.sh"

# --- what a commit does ---------------------------------------------------------------

# calls PATTERN: how many lines of the last trace match.
calls() {
  grep -Ec -- "$1" "$VTREE_TMP/trace.repo" || true
}

# traced ARGUMENT...: a commit under strace, which says the path of each descriptor.
traced() {
  : >"$VTREE_TMP/trace"
  chmod 0666 "$VTREE_TMP/trace"
  expect_exit 0 as_who strace -f -y -o "$VTREE_TMP/trace" \
    -e trace=read,pread64,openat,openat2,ioctl,syncfs,fsync,rename,renameat,renameat2 \
    vtree --repo="$repo" commit "$@"
  grep -F "$repo" "$VTREE_TMP/trace" >"$VTREE_TMP/trace.repo"
}

# order: the kinds of the calls for objects, each run of one kind once.
order() {
  sed -En -e '/\/refs\//d' -e 's/.*syncfs\(.*/syncfs/p' \
    -e 's/.*FS_IOC_ENABLE_VERITY.*/enable/p' -e 's/.*rename[a-z0-9]*\(.*/rename/p' \
    "$VTREE_TMP/trace.repo" | uniq | tr '\n' ' '
}

check_calls() {
  local new
  traced "$ref" "$place/tree" --quiet
  new=$(objects "$repo" | wc -l)
  # One more is the probe's.
  check_equal "$1: synced, sealed, renamed, synced" "$(order)" \
    'enable syncfs enable rename syncfs '
  check_equal "$1: each object is sealed once" \
    "$(calls 'ioctl\([^/]*[^ ]*/tmp/.*FS_IOC_ENABLE_VERITY')" "$((new + 1))"
  check "$1: in parallel" \
    test "$(grep FS_IOC_ENABLE_VERITY "$VTREE_TMP/trace.repo" | cut -d' ' -f1 \
      | sort -u | wc -l)" -ge 3
  check_equal "$1: nothing that was sealed is read again" \
    "$(awk '/FS_IOC_ENABLE_VERITY/ && ++n > 1 { on = 1 }
      on && /p?read(64)?\(/ && /\/(tmp|objects)\//' "$VTREE_TMP/trace.repo")" ''
  echo changed >"$place/tree/many/1"
  traced "$ref" "$place/tree" --quiet
  check_equal "$1: of the second commit two objects are new" \
    "$(objects "$repo" | wc -l)" "$((new + 2))"
  check_equal "$1: the others are measured" \
    "$(calls 'objects/.*FS_IOC_MEASURE_VERITY')" \
    "$((new - 2))"
  check_equal "$1: and not read" "$(calls 'p?read(64)?\([^,]*/objects/')" 0
}

check_commit() {
  as_who mkdir "$place/tree"
  make_tree "$place/tree"
  expect_exit 0 v init --pack-threshold=0 --quiet
  check "$1: the configuration is sealed" has_verity "$repo/config"
  check_calls "$1"
  check_sealed "$1" "$repo"
  check "$1: the head is not" test -e "$repo/refs/$ref/head"
  check "$1: nor can it be" bash -c "! fsverity measure '$repo/refs/$ref/head' 2>/dev/null"
  check "$1: the objects are what fsverity says" \
    cmp "$place/tree/numbers" "$(object_of "$place/tree/numbers")"
  expect_exit 0 v sign "$ref@2" --manifest="$(v verify "$ref" --quiet)" --quiet
  expect_exit 0 v config keep 3
  check_sealed "$1, signed again, configured" "$repo"
  expect_exit 0 v commit "$ref" "$place/tree" --verity=require --quiet
}

# --- objects that were there ----------------------------------------------------------

check_upgrade() {
  local small large merkle before
  as_who mkdir "$place/tree" "$place/mnt"
  make_tree "$place/tree"
  expect_exit 0 v init --pack-threshold=0 --verity=off --quiet
  expect_exit 0 v commit "$ref" "$place/tree" --quiet
  check_equal "$1: off enables nothing" \
    "$(find "$repo" -type f -exec fsverity measure {} + 2>/dev/null)" ''
  small=$(object_of "$place/tree/many/7")
  large=$(object_of "$place/tree/numbers")
  merkle=${large/objects/merkle}
  check "$1: a Merkle file" test -e "$merkle"
  before=$(inode "$small") && before+=" $(inode "$large")"
  v mount "$ref" "$place/mnt" --quiet
  as_who head -c 1000 "$place/mnt/numbers" >/dev/null
  expect_exit 0 v commit "$ref" "$place/tree" --verity=require --quiet
  check_equal "$1: sealed as the files that they are" \
    "$(inode "$small") $(inode "$large")" "$before"
  check "$1: no Merkle file" test ! -e "$merkle"
  check "$1: what is mounted is read" as_who cmp "$place/mnt/numbers" "$place/tree/numbers"
  expect_exit 0 v umount "$place/mnt" --quiet
  expect_exit 0 v config verity auto
  expect_exit 0 v commit "$ref" "$place/tree" --quiet
  rm -f "$repo"/refs/$ref/[12].*
  check_sealed "$1, after off" "$repo"
}

# Somebody has an object open for writing: another file takes its place.
check_busy() {
  local object before
  as_who mkdir "$place/tree"
  echo busy >"$place/tree/file"
  chmod a+r "$place/tree/file"
  expect_exit 0 v init --pack-threshold=0 --verity=off --quiet
  expect_exit 0 v commit "$ref" "$place/tree" --quiet
  object=$(object_of "$place/tree/file")
  before=$(inode "$object")
  exec 9<>"$object"
  expect_exit 0 v commit "$ref" "$place/tree" --verity=require --quiet
  check "$1: another file" test "$(inode "$object")" != "$before"
  exec 9>&-
  check "$1: with verity" has_verity "$object"
}

# A verity file that is another, under an object's name.
check_other() {
  local object
  as_who mkdir "$place/tree"
  echo other >"$place/tree/file"
  chmod a+r "$place/tree/file"
  expect_exit 0 v init --pack-threshold=0 --quiet
  expect_exit 0 v commit "$ref" "$place/tree" --quiet
  object=$(object_of "$place/tree/file")
  for option in --hash-alg=sha512 --salt=abcd --block-size=1024; do
    rm -f "$object"
    as_who cp "$place/tree/file" "$object"
    as_who fsverity enable "$object" "$option"
    expect_exit 6 v fsck --quiet
    expect_exit 0 v commit "$ref" "$place/tree"
    check "$1: $option is replaced, and said so" grep -q 'replaced sha256:' "$VTREE_TMP/stderr"
  done
  check_sealed "$1" "$repo"
}

# --- killed ---------------------------------------------------------------------------

# Within an ioctl: of the probe, of an object, of another that is sealed at the same
# time, of the statement.
check_killed() {
  local when
  as_who mkdir "$place/tree"
  make_tree "$place/tree"
  expect_exit 0 v init --pack-threshold=0 --quiet
  for when in 1 3 9 14 15; do
    expect_exit 137 as_who strace -f -qq -o /dev/null -e trace=ioctl \
      -e "inject=ioctl:signal=KILL:when=$when" \
      vtree --repo="$repo" commit "$ref" "$place/tree" --quiet
    head -c 600000 /dev/urandom >"$place/tree/random"
    chmod a+r "$place/tree/random"
  done
  expect_exit 0 v commit "$ref" "$place/tree" --verity=require --quiet
  expect_exit 0 v fsck --quiet
  check_sealed "$1, killed five times" "$repo"
}

# --- where it can't be ----------------------------------------------------------------

# at_place NAME DIR REGEX: what a filesystem without says; the daemon verifies there.
check_unable() {
  who=root
  repo=$2/repo
  ref=app
  mkdir "$2/tree" "$2/mnt"
  echo hello >"$2/tree/file"
  expect_exit 0 v init --pack-threshold=0 --quiet
  expect_exit 1 v commit "$ref" "$2/tree" --verity=require
  expect_stderr_line "^vtree commit: .*verity=require, but $3"
  expect_exit 0 v commit "$ref" "$2/tree" --quiet
  v mount "$ref" "$2/mnt" --quiet
  check "$1: the daemon verifies" cmp "$2/mnt/file" "$2/tree/file"
  expect_exit 0 v umount "$2/mnt" --quiet
  expect_exit 1 v fsck --seal
  expect_stderr_line "^vtree fsck: .*nothing can be sealed: $3"
}

check_others() {
  local dir
  dir=$(mktemp -d /dev/shm/place.XXXXXX)
  check_unable tmpfs "$dir" 'this file system \(tmpfs\) has no fs-verity$'
  rm -r "$dir"
  mkdir "$VTREE_TMP/spare"
  mke2fs -q -t ext4 -O ^verity -b 4096 "$GUEST_SPARE_DEV"
  mount "$GUEST_SPARE_DEV" "$VTREE_TMP/spare"
  check_unable 'ext4 without the feature' "$VTREE_TMP/spare" \
    "this ext4 file system has not the feature 'verity' \(tune2fs -O verity\)"
  umount "$VTREE_TMP/spare"
  mke2fs -q -F -t ext4 -O verity -b 1024 "$GUEST_SPARE_DEV"
  mount "$GUEST_SPARE_DEV" "$VTREE_TMP/spare"
  check_unable 'ext4 with small blocks' "$VTREE_TMP/spare" \
    'fs-verity with blocks of 4096 bytes is not for this ext4 .* blocks of 1024$'
  umount "$VTREE_TMP/spare"
}

at_two_places check_commit
for part in check_upgrade check_busy check_other check_killed; do
  at_two_places "$part"
done
check_others
