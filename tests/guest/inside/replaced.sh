#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Objects are replaced in the store while it is mounted. What is opened afterwards is EIO,
# however right its bytes are, where the kernel vouches for another digest; a plain file
# with the right bytes is verified by the daemon, or EIO where the kernel is required.
# fsck and the next commit find them all.
. "$(dirname "$0")/../../lib/guest.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
. "$VTREE_SOURCE_DIR/tests/guest/inside/disk.sh"
install_helper

ways=(other-verity other-plain right-plain right-longer sha512 block-size salt symlink gone)
size=9000
pages=3

# replacement WAY FILE: makes ./new of what FILE should be.
replacement() {
  cp "$2" new
  case $1 in
    other-*) flip_byte new 5000 ;;&
    other-verity) fsverity enable new ;;
    right-longer) echo x >>new ;;
    sha512) fsverity enable --hash-alg=sha512 new ;;
    block-size) fsverity enable --block-size=1024 new ;;
    salt) fsverity enable --salt=5a17 new ;;
    symlink) fsverity enable new && mv new "$disk/aside.$way" && ln -s "$disk/aside.$way" new ;;
  esac
}

replace() {
  local way set object
  for way in "${ways[@]}"; do
    for set in fresh held; do
      object=$(object_of "$VTREE_TMP/src/$set/$way")
      rm -f "$disk/new"
      (cd "$disk" && replacement "$way" "$VTREE_TMP/src/$set/$way")
      if [ "$way" = gone ]; then rm "$object"; else mv "$disk/new" "$object"; fi
    done
  done
}

# expected_pages [WAY...]: all are EIO but these.
expected_pages() {
  local way
  for way in "${ways[@]}"; do
    case " $* " in
      *" $way "*) echo "$way good $pages failed 0" ;;
      *) echo "$way good 0 failed $pages" ;;
    esac
  done
}

# never_wrong NAME DIR: signed bytes or EIO.
never_wrong() {
  drop_caches
  check "$1" "$page_probe" read "$2" src/held "${ways[@]}"
}

make_disk ext4 64M -O verity -b 4096
mount_disk
for set in fresh held; do
  mkdir -p "src/$set"
  for way in "${ways[@]}"; do
    head -c "$size" /dev/urandom >"src/$set/$way"
  done
done
commit_app src --verity=require
r=$VTREE_TMP/require
mkdir "$r"
mount_app verity=auto
mount -t fuse.vtree "$repo:app" "$r" -o "verity=require,log=$VTREE_TMP/log.require"
check 'all is well' diff -r src/held "$m/held"
check 'also with require' diff -r src/held "$r/held"
replace

check_pages auto "$m/fresh" src/fresh "$(expected_pages right-plain)"
check_pages require "$r/fresh" src/fresh "$(expected_pages)"
never_wrong 'auto: what was held' "$m/held"
never_wrong 'require: what was held' "$r/held"
check 'the log says what the kernel measured' \
  grep -q '/fresh/sha512: .*the kernel measured sha512:' "$VTREE_TMP/log"
check 'and what it does not enforce' \
  grep -q '/fresh/right-plain: .*does not enforce' "$VTREE_TMP/log.require"
umount "$m" "$r"
mount_app verity=auto
mount -t fuse.vtree "$repo:app" "$r" -o "verity=require,log=$VTREE_TMP/log.require"
check_pages 'auto, mounted again' "$m/held" src/held "$(expected_pages right-plain)"
check_pages 'require, mounted again' "$r/held" src/held "$(expected_pages)"

expect_exit 6 as_isolated_root vtree --repo="$repo" fsck
commit_app src --verity=require
check 'a commit heals it' diff -r src "$m"
check 'also for require' diff -r src "$r"
