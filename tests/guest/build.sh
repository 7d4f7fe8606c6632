#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds this checkout in the Debian 13 root, as the preset dev, and puts what the guest
# needs of it on a disk. Files that did not change keep their times, so ninja has little
# to do.
. "$(dirname "${BASH_SOURCE[0]}")/host.sh"
require_machine rsync mke2fs

copy_source() {
  mkdir -p "$work/source"
  touch "$work"
  rsync --recursive --links --perms --checksum --delete --exclude='/build*/' \
    --exclude=/.git --exclude=/.cache --exclude=__pycache__ "$checkout/" "$work/source/"
}

# A disk of the source without what only the host needs, and of the programs, stripped.
make_disk() {
  local staging=$work/disk.d
  rm -rf "$staging"
  mkdir -p "$staging/source" "$staging/build/tests" "$staging/ccache"
  cp -r "$work/source/tests" "$work/source/doc" "$staging/source/"
  rm -r "$staging/source/tests/fuzz" "$staging/source/tests/unit"
  cp -r "$work/build/bin" "$staging/build/"
  cp -r "$work/build/tests/programs" "$staging/build/tests/"
  find "$staging/build" -type f -perm -u+x -exec strip --strip-debug {} +
  rm -f "$work/vtree.img.new"
  mke2fs -q -t ext4 -b 4096 -E root_owner=0:0 -d "$staging" "$work/vtree.img.new" 256M
  mv "$work/vtree.img.new" "$work/vtree.img"
  rm -r "$staging"
}

lock "${work##*/}"
copy_source
in_root sh -euc '
  cd /vtree/source
  [ -f ../build/build.ninja ] || cmake --preset dev -B ../build \
    -DCMAKE_C_COMPILER_LAUNCHER=ccache
  ninja -C ../build'
make_disk
