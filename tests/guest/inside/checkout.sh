#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# checkout where the kernel enforces fs-verity, and to filesystems that can't: sealed
# files, hard links and reflinks, blocks of 1 KiB, built-in signatures, a plain user.
# vfat is in checkout-vfat.sh.
. "$(dirname "$0")/../../lib/guest.sh"

silent() {
  local out
  out=$("$@")
  printf '%s\n' "$out"
  [ -z "$out" ]
}

same() {
  check "$1" silent rsync -naHAXSi --numeric-ids --checksum --delete "$2/" "$3/"
}

# all_sealed SOURCE DIR: each file of DIR measures as what SOURCE has under that name.
all_sealed() {
  local file
  while read -r file; do
    [ "$(fsverity measure "$2/$file" | cut -d' ' -f1)" = \
      "$(fsverity digest "$1/$file" | cut -d' ' -f1)" ] || {
      echo "$file"
      return 1
    }
  done < <(cd "$1" && find . -type f)
}

not_sealed() {
  ! fsverity measure "$1"
}

cannot_write() {
  ! sh -c 'echo x >>"$1"' sh "$1" 2>/dev/null
}

shared() {
  grep -q shared <<<"$(filefrag -v "$1")"
}

# json EXPRESSION: of the last expect_exit's standard output.
json() {
  python3 -c 'import json, sys
d = json.load(open(sys.argv[2]))
print(d)
sys.exit(0 if eval("(%s)" % sys.argv[1]) else 1)' "$1" "$VTREE_TMP/stdout"
}

make_source() {
  mkdir -p "$1/bin" "$1/share"
  cp /bin/true "$1/bin/run"
  chmod 4755 "$1/bin/run"
  ln "$1/bin/run" "$1/bin/again"
  head -c 700000 /dev/urandom >"$1/share/large"
  echo data >"$1/share/data"
  chmod 0444 "$1/share/data"
  setfattr -n user.mark -v 1 "$1/share/large"
  setfacl -m u:5:r "$1/share/large"
  : >"$1/share/empty"
  echo private >"$1/share/private"
  chmod 0600 "$1/share/private"
  ln -s ../bin/run "$1/share/link"
}

# sealing NAME DIR: as root, on a filesystem with fs-verity.
sealing() {
  local out=$2/out object
  export VTREE_REPO=$2/repo
  vtree init --pack-threshold=0 --quiet >/dev/null
  vtree commit app src --quiet >/dev/null
  expect_exit 0 vtree checkout app "$out" --verity=require --json
  check "$1: five files sealed" json 'd["sealing"] and d["sealed"] == 5'
  check "$1: fsverity measure agrees" all_sealed src "$out"
  same "$1: the same tree" src "$out"
  check "$1: nobody edits it" cannot_write "$out/share/data"
  check "$1: it runs" "$out/bin/run"
  expect_exit 0 vtree checkout app "$out" --update --json
  check "$1: nothing is written twice" json 'd["files"] == 0 and d["kept"] == 7'
  rm "$out/share/data"
  echo data >"$out/share/data"
  chmod 0444 "$out/share/data"
  touch -r src/share/data "$out/share/data"
  expect_exit 0 vtree checkout app "$out" --update --verity=off --json
  check "$1: right, if nobody asks for verity" json 'd["files"] == 0'
  expect_exit 0 vtree checkout app "$out" --update --json
  check "$1: else it is sealed" json 'd["files"] == 1 and d["sealed"] == 1'
  check "$1: all are" all_sealed src "$out"
  expect_exit 0 vtree checkout app "$2/editable" --verity=off
  check "$1: off is off" not_sealed "$2/editable/share/data"
  expect_exit 0 vtree checkout app:share/large "$2/single" --verity=require
  check "$1: a single file" fsverity measure "$2/single"

  expect_exit 0 vtree checkout app "$2/links" --hardlink --json
  check "$1: one is linked, the others sealed" \
    json 'd["hard_linked"] == 1 and d["sealed"] == 4'
  object=$(find "$2/repo/objects" -samefile "$2/links/share/data")
  check "$1: it is the object" test -n "$object"
  check "$1: which nobody can write to" cannot_write "$2/links/share/data"
  check "$1: private contents are no link" test "$(stat -c %h "$2/links/share/private")" = 1
  expect_exit 0 vtree checkout app "$2/links" --hardlink --update --json
  check "$1: links are kept" json 'd["files"] == 0'
  expect_exit 0 vtree checkout app "$2/links" --update --json
  check "$1: and become files" json 'd["files"] == 1 and d["hard_linked"] == 0'
  check_equal "$1: of their own" "$(stat -c %h "$2/links/share/data")" 1
  expect_exit 0 vtree fsck
}

# for_everybody NAME DIR: a plain user's.
for_everybody() {
  mkdir "$2/home"
  chown 65534:65534 "$2/home"
  VTREE_USER_HOME=$2/home
  run_as_user vtree init --pack-threshold=0 --quiet >/dev/null
  run_as_user mkdir "$2/home/src"
  run_as_user cp src/share/data src/bin/run "$2/home/src/"
  run_as_user chmod 0444 "$2/home/src/data"
  run_as_user vtree commit app "$2/home/src" --quiet >/dev/null
  expect_exit 0 run_as_user vtree checkout app "$2/home/out" --verity=require
  check "$1, a plain user: sealed" all_sealed "$2/home/src" "$2/home/out"
  check "$1, a plain user: with its mode" \
    test "$(stat -c %a "$2/home/out/data")" = 444
  expect_exit 0 run_as_user vtree checkout app "$2/home/links" --hardlink
  check "$1, a plain user: linked" test "$(stat -c %h "$2/home/links/data")" = 2
}

make_source src
sealing ext4 "$GUEST_EXT4"
for_everybody ext4 "$GUEST_EXT4"
use_btrfs
if [ "$VTREE_CAMPAIGN" = full ]; then
  sealing btrfs "$GUEST_BTRFS"
  for_everybody btrfs "$GUEST_BTRFS"
fi

# --- shared contents, sealed --------------------------------------------------------
export VTREE_REPO=$GUEST_BTRFS/clones.repo
expect_exit 0 vtree init --pack-threshold=0 --quiet
expect_exit 0 vtree commit clones src --quiet
expect_exit 0 vtree checkout clones "$GUEST_BTRFS/clones" --verity=require --json
check 'a reflink is sealed itself' json 'd["reflinked"] == 4 and d["sealed"] == 5'
check 'filefrag sees that it is shared' shared "$GUEST_BTRFS/clones/share/large"
check 'all are sealed' all_sealed src "$GUEST_BTRFS/clones"

# --- from one filesystem to another -------------------------------------------------
expect_exit 0 vtree checkout clones "$GUEST_EXT4/other" --hardlink --json
check 'no links across filesystems' json \
  'd["hard_linked"] == 0 and d["reflinked"] == 0 and d["sealed"] == 5'

# --- what shares its blocks shares their fate, and the kernel sees it in each ---------
corrupt "$GUEST_BTRFS/clones/share/large" 300000
expect_exit 1 cat "$GUEST_BTRFS/clones/share/large"
expect_stderr_line 'Input/output error'
expect_exit 1 vtree checkout clones "$GUEST_EXT4/bad" --verity=require
expect_stderr_line 'share/large: '
check 'nothing is there' test ! -e "$GUEST_EXT4/bad"

# --- a corrupt object ---------------------------------------------------------------
export VTREE_REPO=$GUEST_EXT4/repo
vtree mark reset app
object=$(fsverity digest src/share/large | cut -d' ' -f1)
hex=${object#sha256:}
corrupt "$GUEST_EXT4/repo/objects/${hex:0:2}/${hex:2}" 300000
expect_exit 1 vtree checkout app "$GUEST_EXT4/bad"
expect_stderr_line 'share/large: '
check 'nothing is there' test ! -e "$GUEST_EXT4/bad"
expect_exit 0 vtree checkout app "$GUEST_EXT4/out" --update
check 'a right file needs no object' cmp src/share/large "$GUEST_EXT4/out/share/large"
expect_exit 0 vtree fsck --repair-from=src

# --- blocks of 1 KiB ----------------------------------------------------------------
mkdir small
mkfs.ext4 -q -b 1024 -O verity "$GUEST_SPARE_DEV"
mount "$GUEST_SPARE_DEV" small
expect_exit 1 vtree checkout app small/out --verity=require
expect_stderr_line 'verity=require, but fs-verity with blocks of 4096 bytes is not for this'
check 'nothing was written' test ! -e small/out
expect_exit 0 vtree checkout app small/out --json
check 'auto does without' json 'not d["sealing"] and d["files"] > 5'
same 'the same tree' src small/out
umount small

# --- signatures for the kernel --------------------------------------------------------
openssl req -newkey rsa:2048 -nodes -keyout key.pem -x509 -out cert.pem -subj /CN=test \
  2>/dev/null
chmod 0600 key.pem
require_signatures cert.pem >/dev/null
expect_exit 1 vtree checkout app "$GUEST_EXT4/signed" --verity=require
expect_stderr_line '(signed|signature)'
check 'nothing was written' test ! -e "$GUEST_EXT4/signed"
VTREE_REPO=$GUEST_EXT4/signed-repo
vtree init --pack-threshold=0 --quiet >/dev/null
expect_exit 0 vtree commit app src --object-key=key.pem --object-cert=cert.pem
expect_exit 0 vtree checkout app "$GUEST_EXT4/signed" --object-key=key.pem \
  --object-cert=cert.pem --json
check 'all are signed' json 'd["sealed"] == 5'
drop_caches
check 'the kernel opens what is signed' cat "$GUEST_EXT4/signed/share/data"
same 'it is the tree' src "$GUEST_EXT4/signed"
expect_exit 0 vtree checkout app "$GUEST_EXT4/signed" --object-key=key.pem \
  --object-cert=cert.pem --update --json
check 'nothing is written twice' json 'd["files"] == 0'
