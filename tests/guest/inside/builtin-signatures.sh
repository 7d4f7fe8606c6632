#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Built-in signatures, and a kernel that demands them: made as the fsverity tool makes
# them; what has one is committed, checked and mounted; what has none can't be opened.
# shellcheck source=tests/lib/lib.sh
. "$(dirname "$0")/../../lib/lib.sh"
# shellcheck source=tests/guest/inside/places.sh
. "$(dirname "$0")/places.sh"

sysctl=/proc/sys/fs/verity/require_signatures
test -e "$sysctl" || skip 'a kernel without built-in signatures'
keyring=$(awk '/\.fs-verity/ { print $1 }' /proc/keys)

# require 0|1: and nothing is known any more of files that were opened before.
require() {
  echo "$1" >"$sysctl"
  sync
  echo 3 >/proc/sys/vm/drop_caches
}

# make_key NAME: NAME.pem and NAME.crt in $VTREE_TMP.
make_key() {
  openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=$1" -days 9 \
    -keyout "$VTREE_TMP/$1.pem" -out "$VTREE_TMP/$1.crt" 2>/dev/null
}

# has_signature FILE KEY: it has exactly the one that fsverity makes.
has_signature() {
  fsverity dump_metadata signature "$1" >"$VTREE_TMP/ours" \
    && fsverity sign "$1" "$VTREE_TMP/theirs" --key="$VTREE_TMP/$2.pem" \
      --cert="$VTREE_TMP/$2.crt" >/dev/null \
    && cmp "$VTREE_TMP/ours" "$VTREE_TMP/theirs"
}

# check_all_signed NAME: a kernel that demands it opens objects and own files; where the
# filesystem tells signatures, those looked at are as fsverity makes them.
check_all_signed() {
  local file bad=''
  require 1
  check_equal "$1: all can be opened" \
    "$( (objects "$repo" && own_files "$repo") | xargs cat 2>&1 >/dev/null)" ''
  case $place in "$GUEST_BTRFS"*) return ;; esac
  for file in $(objects "$repo" | sed -n '1p;$p') $(own_files "$repo" | head -n 3); do
    has_signature "$file" good >/dev/null 2>&1 || bad+=" $file"
  done
  check_equal "$1: signatures as fsverity makes them" "$bad" ''
}

signed_commit() {
  v commit "$ref" "$place/tree" --object-key="$VTREE_TMP/good.pem" \
    --object-cert="$VTREE_TMP/good.crt" "$@"
}

make_repository() {
  chown "$(as_who id -u)" "$VTREE_TMP/good.pem" "$VTREE_TMP/other.pem"
  as_who mkdir "$place/tree" "$place/mnt"
  make_tree "$place/tree"
  expect_exit 0 v init --pack-threshold=0 --quiet
}

# --- signed, and required -------------------------------------------------------------

check_signed() {
  local before
  make_repository
  expect_exit 0 v commit "$ref" "$place/tree" --quiet
  before=$(inode "$(object_of "$place/tree/many/3")")
  expect_exit 0 v mount "$ref" "$place/mnt" --quiet
  expect_exit 0 signed_commit --quiet
  check "$1: the manifest that the mount holds is kept for gc to see" \
    compgen -G "$repo/tmp/held-*"
  expect_exit 0 v umount "$place/mnt" --quiet
  expect_exit 0 v gc --quiet
  check "$1: another file, for the signature is the inode's" \
    test "$(inode "$(object_of "$place/tree/many/3")")" != "$before"
  before=$(inode "$(object_of "$place/tree/many/3")")
  require 1
  expect_exit 0 signed_commit --quiet
  check_equal "$1: once" "$(inode "$(object_of "$place/tree/many/3")")" "$before"
  require 0
  expect_exit 0 v fsck --seal --quiet --object-key="$VTREE_TMP/good.pem" \
    --object-cert="$VTREE_TMP/good.crt"
  check_all_signed "$1"
  check_sealed "$1" "$repo"
  expect_exit 0 v fsck --quiet
  expect_exit 0 v mount "$ref" "$place/mnt" -o verity=require --quiet
  check "$1: mounted and read" as_who diff -r "$place/mnt" "$place/tree"
  expect_exit 0 v umount "$place/mnt" --quiet
  echo more >"$place/tree/more"
  chmod a+r "$place/tree/more"
  expect_exit 1 v commit "$ref" "$place/tree" --verity=require
  expect_stderr_line 'this kernel takes only signed files \(fs.verity.require_signatures=1\); --object-key'
  expect_exit 0 signed_commit --quiet
  check_all_signed "$1, demanded"
  expect_exit 0 v commit "$ref" "$place/tree" --quiet
  check "$1: without a key the new statement is not sealed" \
    bash -c "! fsverity measure '$repo/refs/$ref/5.root' 2>/dev/null"
  expect_exit 0 v fsck --quiet
  require 0
}

# --- unsigned, and required -----------------------------------------------------------

check_unsigned() {
  local object
  make_repository
  expect_exit 0 signed_commit --quiet
  object=$(object_of "$place/tree/many/3")
  rm -f "$object"
  as_who cp "$place/tree/many/3" "$object"
  as_who fsverity enable "$object"
  chmod 0444 "$object"
  require 1
  check "$1: nobody can open it" bash -c "! cat '$object' 2>/dev/null"
  expect_exit 0 v mount "$ref" "$place/mnt" --quiet
  expect_exit 1 as_who cat "$place/mnt/many/3"
  expect_stderr_line 'Input/output error'
  check "$1: the rest is read" as_who cmp "$place/mnt/numbers" "$place/tree/numbers"
  expect_exit 0 v umount "$place/mnt" --quiet
  expect_exit 1 v cat "$ref:many/3"
  expect_stderr_line 'it has no fs-verity signature, and fs.verity.require_signatures=1'
  expect_exit 6 v fsck --quiet
  expect_stdout "^corrupt $ref@1 sha256:[0-9a-f]* /many/3: .*no fs-verity signature"
  expect_exit 0 signed_commit
  check "$1: a signed commit replaces it" as_who cmp "$object" "$place/tree/many/3"
  check_all_signed "$1, replaced"
  require 0
}

# The configuration is the first that can't be opened; sealing with signatures before is
# what helps.
check_config() {
  make_repository
  expect_exit 0 v commit "$ref" "$place/tree" --quiet
  require 1
  expect_exit 1 v refs
  expect_stderr_line 'open config: .*it has no fs-verity signature, and fs.verity.require'
  require 0
  expect_exit 0 v fsck --seal --quiet --object-key="$VTREE_TMP/good.pem" \
    --object-cert="$VTREE_TMP/good.crt"
  check_all_signed "$1, sealed again"
  expect_exit 0 v fsck --quiet
  require 0
}

# --- what can't be --------------------------------------------------------------------

check_refused() {
  local dir
  make_repository
  expect_exit 1 v commit "$ref" "$place/tree" --object-key="$VTREE_TMP/other.pem" \
    --object-cert="$VTREE_TMP/other.crt"
  expect_stderr_line "not in the kernel's keyring .fs-verity"
  expect_exit 2 v commit "$ref" "$place/tree" --object-key="$VTREE_TMP/other.pem" \
    --object-cert="$VTREE_TMP/good.crt"
  expect_stderr_line 'no private key with its certificate'
  expect_exit 2 signed_commit --verity=off
  expect_exit 2 v fsck --object-key="$VTREE_TMP/good.pem" \
    --object-cert="$VTREE_TMP/good.crt"
  expect_exit 2 v commit "$ref" "$place/tree" --object-key="$VTREE_TMP/good.pem"
  check_equal "$1: nothing was stored" "$(objects "$repo")" ''
  dir=$(mktemp -d /dev/shm/place.XXXXXX)
  who=root
  repo=$dir/repo
  expect_exit 0 v init --pack-threshold=0 --quiet
  expect_exit 1 signed_commit
  expect_stderr_line 'objects are to be signed, but this file system \(tmpfs\) has no'
  rm -r "$dir"
}

make_key good
make_key other
openssl x509 -in "$VTREE_TMP/good.crt" -outform der \
  | keyctl padd asymmetric '' "0x$keyring" >/dev/null
at_two_places check_signed
at_two_places check_unsigned
at_place "$GUEST_EXT4" user check_config
at_place "$GUEST_EXT4" root check_refused
