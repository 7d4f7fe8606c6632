#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# checkout to a second filesystem, with what this machine's kernel has: contents shared
# where that is possible, all or nothing where there is no room, nothing written twice.
# fs-verity and vfat are for tests/guest/inside/checkout.sh.
set -- root
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"
# shellcheck source=tests/lib/loop.sh
. "$VTREE_SOURCE_DIR/tests/lib/loop.sh"

# silent COMMAND...: prints nothing.
silent() {
  local out
  out=$("$@")
  printf '%s\n' "$out"
  [ -z "$out" ]
}

# same NAME A B: rsync finds no difference.
same() {
  check "$1" silent rsync -naHAXSi --numeric-ids --checksum --delete "$2/" "$3/"
}

# shared FILE: its blocks are somebody else's too.
shared() {
  grep -q shared <<<"$(filefrag -v "$1")"
}

make_filesystem ext4 24 mkfs.ext4 -q -b 1024
make_filesystem xfs 320 mkfs.xfs -q
make_filesystem btrfs 200 mkfs.btrfs -q
mkdir tmpfs
mount -t tmpfs none tmpfs

make_tree boot
dd if=/dev/urandom of=boot/vmlinuz-1 bs=1M count=5 status=none
cp boot/vmlinuz-1 boot/again
mkdir boot/loader
echo 'linux /vmlinuz-1' >boot/loader/1.conf
setfattr -n user.mark -v here boot/vmlinuz-1
cp -a boot newer
dd if=/dev/urandom of=newer/vmlinuz-2 bs=1M count=5 status=none
rm newer/again
echo 'linux /vmlinuz-2' >newer/loader/1.conf
v init --quiet >/dev/null
v commit boot boot --quiet >/dev/null
v commit newer newer --quiet >/dev/null

# --- each filesystem -------------------------------------------------------------------
for filesystem in ext4 xfs btrfs tmpfs; do
  target=$filesystem/boot
  if [ "$filesystem" = tmpfs ]; then
    setfattr -x user.mark boot/vmlinuz-1
    setfattr -x user.mark newer/vmlinuz-1
    v commit boot boot --quiet >/dev/null
    v commit newer newer --quiet >/dev/null
  fi
  expect_exit 1 v checkout boot "$target" --verity=require
  expect_stderr_line '^vtree checkout: check out to .*verity=require, but '
  check "$filesystem: nothing was written" test ! -e "$target"
  expect_exit 0 v checkout boot "$target" --json
  check 'not sealed, and it says so' json 'not d["sealing"] and d["sealed"] == 0'
  same "$filesystem: the same tree" boot "$target"
  expect_exit 0 v checkout newer "$target" --update --json
  check 'only what differs' json 'd["files"] == 2 and d["removed"] == 1'
  same "$filesystem: the newer tree" newer "$target"
  expect_exit 0 v checkout newer "$target" --update --json
  check 'nothing is written twice' \
    json 'd["files"] == d["removed"] == d["bytes"] == 0 and d["kept"] > 8'
  check 'nothing is left away' json 'not any(d["left_away"].values())'
  expect_exit 0 v checkout boot:loader/1.conf "$filesystem/one"
  check "$filesystem: a single file" cmp boot/loader/1.conf "$filesystem/one"
  inode=$(stat -c %i "$filesystem/one")
  expect_exit 0 v checkout boot:loader/1.conf "$filesystem/one" --update
  check_equal "$filesystem: which is kept" "$(stat -c %i "$filesystem/one")" "$inode"
  rm -r "${target:?}" "$filesystem/one"
done

# --- the top of a filesystem -----------------------------------------------------------
umount ext4
mkfs.ext4 -q -b 1024 ext4.img
remount ext4
expect_exit 0 v checkout boot ext4
check 'lost+found stays' test -d ext4/lost+found
check 'the rest is the tree' diff -r --no-dereference -x lost+found boot ext4
expect_exit 1 v checkout boot ext4
expect_stderr_line 'not empty'
expect_exit 0 v checkout newer ext4 --update
check 'and stays in an update' test -d ext4/lost+found

# --- no room ---------------------------------------------------------------------------
dd if=/dev/urandom of=newer/initrd bs=1M count=14 status=none
v commit newer newer --quiet >/dev/null
v checkout boot ext4 --update --quiet
(cd ext4 && find . -type f -exec sha256sum {} + | sort -k2) >before
expect_exit 1 v checkout newer ext4 --update
expect_stderr_line ': No space left on device'
(cd ext4 && find . -type f -exec sha256sum {} + | sort -k2) >after
check 'no room: what was there is untouched' cmp before after
check_equal 'and nothing else is there' "$(find ext4 -name '.vtree*')" ''
expect_exit 1 v checkout newer ext4/sub
check 'no room for a new one: not at all' test ! -e ext4/sub
check_equal 'nor a part of it' "$(find ext4 -name '.vtree*')" ''

# --- one at a time ---------------------------------------------------------------------
exec {lock}<ext4
flock "$lock"
expect_exit 8 v checkout boot ext4 --update
expect_stderr_line 'another checkout is writing to it'
exec {lock}<&-
mkdir ext4/.vtree-checkout.0123abcd
exec {lock}<ext4/.vtree-checkout.0123abcd
flock "$lock"
expect_exit 0 v checkout boot:loader ext4/new
check 'what another one holds is not litter' test -d ext4/.vtree-checkout.0123abcd
exec {lock}<&-
expect_exit 0 v checkout boot:loader ext4/other
check 'what nobody holds is' test ! -e ext4/.vtree-checkout.0123abcd

# --- shared contents -------------------------------------------------------------------
for filesystem in xfs btrfs; do
  export VTREE_REPO=$PWD/$filesystem/repo
  reflinked() { as_who vtree --repo="$VTREE_REPO" "$@"; }
  reflinked init --pack-threshold=0 --quiet >/dev/null
  reflinked commit boot boot --quiet >/dev/null
  expect_exit 0 reflinked checkout boot "$filesystem/out" --json
  check 'all contents are shared' json 'd["reflinked"] == 7 and d["hard_linked"] == 0'
  check "$filesystem: filefrag sees it" shared "$filesystem/out/vmlinuz-1"
  same "$filesystem: the same tree" boot "$filesystem/out"
  echo more >>"$filesystem/out/vmlinuz-1"
  check "$filesystem: the store does not change" reflinked fsck
  object=$(fsverity digest boot/vmlinuz-1 | cut -d' ' -f1)
  hex=${object#sha256:}
  flip_byte "$VTREE_REPO/objects/${hex:0:2}/${hex:2}"
  expect_exit 6 reflinked checkout boot "$filesystem/bad"
  expect_stderr_line "(vmlinuz-1|again): object $object: "
  check "$filesystem: a bad object is not shared" test ! -e "$filesystem/bad"
  expect_exit 0 reflinked checkout boot:loader "$filesystem/linked" --hardlink --json
  check 'no link to what the kernel does not enforce' json 'd["hard_linked"] == 0'
done
expect_exit 2 v checkout boot out --hardlink --verity=off
expect_exit 2 v checkout boot out --verity=perhaps
expect_exit 2 v checkout boot out --object-key=x
