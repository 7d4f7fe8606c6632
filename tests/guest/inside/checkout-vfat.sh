#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# checkout to vfat, as to a boot partition: what it can't hold is an error or counted, a
# second update writes nothing, and a power cut leaves old files or new ones.
. "$(dirname "$0")/../../lib/guest.sh"

json() {
  python3 -c 'import json, sys
d = json.load(open(sys.argv[2]))
print(d)
sys.exit(0 if eval("(%s)" % sys.argv[1]) else 1)' "$1" "$VTREE_TMP/stdout"
}

names() {
  (cd "$1" && find . -mindepth 1 | LC_ALL=C sort)
}

# tree_is NAME SOURCE DIR: the same names and contents.
tree_is() {
  check "$1: contents" diff -r "$2" "$3"
  check_equal "$1: names, to the letter" "$(names "$3")" "$(names "$2")"
}

# nothing_to_do NAME REF DIR
nothing_to_do() {
  expect_exit 0 vtree checkout "$2" "$3" --update --json
  check "$1: nothing is written twice" \
    json 'd["files"] == d["bytes"] == d["removed"] == 0 and d["kept"] > 2'
}

# refused REGEX: a tree with what `refused` is told on standard input to make (in sh).
refused() {
  rm -rf bad
  mkdir -p bad/sub
  echo good >bad/good
  (cd bad && sh -e)
  vtree commit bad bad --quiet >/dev/null
  expect_exit 1 vtree checkout bad boot/bad
  expect_stderr_line "$1"
  check "nothing was written" test ! -e boot/bad
  vtree checkout os:loader boot/update --quiet
  expect_exit 1 vtree checkout bad boot/update --update
  check 'nothing was changed' diff -r os/loader boot/update
  check_equal 'nor is anything left' "$(find boot -name '.vtree*')" ''
  rm -r boot/update
}

# release NUMBER: the tree os.
release() {
  mkdir -p os/EFI/BOOT os/loader/entries "os/new dir"
  head -c 300000 /dev/urandom >os/EFI/BOOT/BOOTX64.EFI
  head -c 400000 /dev/urandom >"os/vmlinuz-6.1.0-$1-amd64"
  head -c 500000 /dev/urandom >"os/initrd.img-6.1.0-$1"
  echo "linux /vmlinuz-6.1.0-$1-amd64" >os/loader/entries/current.conf
  echo "linux /vmlinuz-6.1.0-$1-amd64" >"os/loader/entries/$1.conf"
  : >os/empty
  chmod 0600 "os/initrd.img-6.1.0-$1"
  touch -d "2021-05-01 10:00:01.5 UTC" os/loader/entries/current.conf
  touch -d @0 os/empty
  touch -d "2150-01-01" "os/new dir"
}

# one_of FILE A B: it is whole, or has never been there.
one_of() {
  [ ! -e "$1" ] || cmp -s "$1" "$2" || cmp -s "$1" "$3"
}

# whole DIR: each file in it is one of the old or of the new tree.
whole() {
  local file
  while read -r file; do
    one_of "$1/$file" "$GUEST_EXT4/old/$file" "$GUEST_EXT4/new/$file" || {
      echo "$file is neither old nor new"
      return 1
    }
  done < <(cd "$1" && find . -name '.vtree*' -prune -o -type f -print)
  # What the entries name is there.
  for file in "$1"/loader/entries/*.conf; do
    [ -e "$1/$(sed 's|linux /||' "$file")" ] || {
      echo "$file names what is not there"
      return 1
    }
  done
}

mkdir boot
export VTREE_REPO=$GUEST_EXT4/repo
if [ "$GUEST_PHASE" = 1 ]; then
  mkfs.vfat "$GUEST_SPARE_DEV" >/dev/null
  mount -t vfat "$GUEST_SPARE_DEV" boot
  vtree init --pack-threshold=0 --quiet >/dev/null
  release 1
  vtree commit os os --quiet >/dev/null

  # --- a new directory, and updates ---------------------------------------------------
  expect_exit 1 vtree checkout os boot/os --verity=require
  expect_stderr_line 'verity=require, but this file system \(vfat\) has no fs-verity'
  check 'nothing was written' test ! -e boot/os
  expect_exit 0 vtree checkout os boot/os --json
  check 'not sealed' json 'not d["sealing"]'
  check 'modes and times are counted' json 'd["left_away"]["modes"] > 3 and
    d["left_away"]["exposed"] == 6 and d["left_away"]["times"] >= 3 and
    d["left_away"]["owners"] == 0'
  tree_is 'a new one' os boot/os
  nothing_to_do 'a new one' os boot/os
  umount boot
  mount -t vfat "$GUEST_SPARE_DEV" boot
  nothing_to_do 'mounted again' os boot/os
  tree_is 'mounted again' os boot/os
  check_equal 'times are rounded to two seconds' \
    "$(stat -c %Y boot/os/loader/entries/current.conf)" \
    "$(date -d '2021-05-01 10:00:00 UTC' +%s)"
  umount boot
  mount -t vfat -o umask=077,quiet "$GUEST_SPARE_DEV" boot
  nothing_to_do 'mounted with umask=077,quiet' os boot/os
  umount boot
  mount -t vfat "$GUEST_SPARE_DEV" boot

  mv os/empty os/EMPTY.TXT
  mv "os/new dir" "os/New dir"
  rm os/vmlinuz*
  release 2
  rm -r os/empty "os/new dir"
  echo file >os/EFI/Dir
  mkdir os/File
  echo inner >os/File/inner
  vtree commit os os --quiet >/dev/null
  expect_exit 0 vtree checkout os boot/os --update
  tree_is 'a newer one' os boot/os
  nothing_to_do 'a newer one' os boot/os
  rm os/EFI/Dir
  mkdir os/EFI/Dir
  rm -r os/File
  echo file >os/File
  mv os/EMPTY.TXT os/Empty.txt
  mv os/loader/entries/current.conf os/loader/entries/Current.conf
  mv os/EFI os/efi
  vtree commit os os --quiet >/dev/null
  expect_exit 0 vtree checkout os boot/os --update
  tree_is 'other cases, files for directories and directories for files' os boot/os
  nothing_to_do 'the same' os boot/os
  expect_exit 0 vtree checkout os:File boot/single --update
  expect_exit 0 vtree checkout os:File boot/single --update --json
  check 'a single file is kept' json 'd["files"] == 0 and d["kept"] == 1'

  # --- the top of it ------------------------------------------------------------------
  mkfs.vfat "$GUEST_SPARE_DEV" >/dev/null 2>&1 || {
    umount boot
    mkfs.vfat "$GUEST_SPARE_DEV" >/dev/null
    mount -t vfat "$GUEST_SPARE_DEV" boot
  }
  expect_exit 0 vtree checkout os boot
  tree_is 'the top' os boot
  nothing_to_do 'the top' os boot
  rm -r boot/*

  # --- what it can't hold -------------------------------------------------------------
  refused 'sub/link: this filesystem has no symbolic links' <<<'ln -s good sub/link'
  expect_exit 0 vtree checkout bad boot/bad --omit-unsupported --json
  check 'one is left out' json 'd["left_away"]["omitted"] == 1'
  check 'and the rest is there' test -e boot/bad/good
  rm -r boot/bad
  refused 'sub/fifo: this filesystem has no special files' <<<'mkfifo sub/fifo'
  refused 'sub/[aA]: this filesystem can.t tell its name' <<<'echo 1 >sub/a; echo 2 >sub/A'
  refused 'sub/dir|sub/DIR: this filesystem can.t tell' <<<'mkdir sub/dir sub/DIR'
  refused 'sub/a:b: this filesystem can.t have its name' <<<'echo 1 >sub/a:b'
  refused 'sub/dot\.: this filesystem changes its name' <<<'echo 1 >sub/dot.'
  refused 'sub/.* this filesystem can.t|sub/.* changes its name' <<<"printf x >sub/\$(printf '\\377')"
  if [ "$VTREE_CAMPAIGN" = full ]; then
    refused 'sub/large: 4294967296 bytes are more than' <<<'truncate -s 4G sub/large'
  fi
  rm -rf bad/sub
  echo two >bad/two
  ln bad/two bad/names
  setfattr -n user.x -v 1 bad/two
  chown 5:6 bad/good
  vtree commit bad bad --quiet >/dev/null
  expect_exit 0 vtree checkout bad boot/bad --json
  check 'hard links are copied, xattrs and owners left away' json \
    'd["left_away"]["hard_links"] == 1 and d["left_away"]["xattrs"] == 2 and
     d["left_away"]["owners"] == 1'
  nothing_to_do 'the same' bad boot/bad
  rm -r boot/bad

  # --- no room ------------------------------------------------------------------------
  umount boot
  modprobe -aq loop || true
  truncate -s 8M "$VTREE_TMP/small.img"
  mkfs.vfat "$VTREE_TMP/small.img" >/dev/null
  mount -t vfat -o loop "$VTREE_TMP/small.img" boot
  vtree checkout os boot --quiet
  cp -r boot before
  head -c 8000000 /dev/urandom >os/huge
  vtree commit huge os --quiet >/dev/null
  expect_exit 1 vtree checkout huge boot --update
  expect_stderr_line 'No space left on device'
  tree_is 'no room: nothing has changed' before boot
  umount boot
  rm -r os

  # --- for the power cuts -------------------------------------------------------------
  mkfs.vfat "$GUEST_SPARE_DEV" >/dev/null
  mount -t vfat "$GUEST_SPARE_DEV" boot
  release 7
  rmdir "os/new dir"
  cp -a os "$GUEST_EXT4/old"
  vtree commit cut/old os --quiet >/dev/null
  rm os/vmlinuz* os/initrd* os/loader/entries/7.conf
  release 8
  rmdir "os/new dir"
  cp -a os "$GUEST_EXT4/new"
  vtree commit cut/new os --quiet >/dev/null
  cp -a "$VTREE_TMP/host/etc" "$GUEST_EXT4/etc"
else
  cp -a "$GUEST_EXT4/etc" "$VTREE_TMP/host/"
  mount -t vfat "$GUEST_SPARE_DEV" boot
  check "cut $GUEST_PHASE: each file is old or new" whole boot
  expect_exit 0 vtree checkout cut/new boot --update
  tree_is "cut $GUEST_PHASE: the next update completes" "$GUEST_EXT4/new" boot
fi

cuts=2
[ "$VTREE_CAMPAIGN" != full ] || cuts=6
if [ "$GUEST_PHASE" -le "$cuts" ]; then
  expect_exit 0 vtree checkout cut/old boot --update
  sync
  vtree checkout cut/new boot --update --quiet &
  sleep "$(awk -v phase="$GUEST_PHASE" 'BEGIN { print phase * 0.4 - 0.2 }')"
  power_cut ''
fi
