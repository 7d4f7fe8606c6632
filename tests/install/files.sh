#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `cmake --install` lays down these files and no others, below DESTDIR.
# Usage: files.sh CMAKE PREFIX HELPER_DIR
. "$(dirname "$0")/../lib/lib.sh"

cmake=$1 prefix=${2#/} helper=${3#/}

expected() {
  local page
  cat <<LIST
d etc/vtree/certs.d
d etc/vtree/keys.d
d etc/vtree/revoked.d
d usr/lib/vtree/certs.d
d usr/lib/vtree/keys.d
d usr/lib/vtree/revoked.d
f $helper/mount.fuse.vtree
f $prefix/bin/vtree
f $prefix/lib/tmpfiles.d/vtree.conf
l $helper/mount.vtree
LIST
  for page in vtree.1 vtree-formats.5 mount.fuse.vtree.8; do
    [ ! -e "$VTREE_SOURCE_DIR/doc/man/$page" ] || echo "f $prefix/share/man/man${page##*.}/$page"
  done
}

# Directories count only where they are all there is.
installed() {
  find "$VTREE_TMP/dest" \( ! -type d -o -empty \) -printf '%y %P\n' | LC_ALL=C sort
}

check 'installs' env DESTDIR="$VTREE_TMP/dest" "$cmake" --install "$VTREE_BUILD_DIR"
check_equal 'the files' "$(installed)" "$(expected | LC_ALL=C sort)"
check 'installs over itself' env DESTDIR="$VTREE_TMP/dest" "$cmake" --install "$VTREE_BUILD_DIR"
check_equal 'the alias' "$(readlink "$VTREE_TMP/dest/$helper/mount.vtree")" mount.fuse.vtree
check 'the command runs' "$VTREE_TMP/dest/$prefix/bin/vtree" --version
check 'the command is not one that simulates a kernel' \
  cmp "$VTREE_BUILD_DIR/bin/vtree" "$VTREE_TMP/dest/$prefix/bin/vtree"
check 'nor is the helper' \
  cmp "$VTREE_BUILD_DIR/bin/mount.fuse.vtree" "$VTREE_TMP/dest/$helper/mount.fuse.vtree"
check 'the helper runs by its alias' "$VTREE_TMP/dest/$helper/mount.vtree" --version
if command -v systemd-tmpfiles >/dev/null; then
  mkdir -p "$VTREE_TMP/root/etc"
  cp /etc/passwd /etc/group "$VTREE_TMP/root/etc/"
  check 'tmpfiles.d makes the state directory' systemd-tmpfiles --create \
    --root="$VTREE_TMP/root" "$VTREE_TMP/dest/$prefix/lib/tmpfiles.d/vtree.conf"
  check_equal 'the marks are private' "$(stat -c %a "$VTREE_TMP/root/var/lib/vtree/marks")" 700
fi
