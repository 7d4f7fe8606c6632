#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `cmake --install` lays down these files and no others, below DESTDIR.
# Usage: files.sh CMAKE PREFIX HELPER_DIR SYSCONFDIR
. "$(dirname "$0")/../lib/lib.sh"

cmake=$1 prefix=${2#/} helper=${3#/} sysconf=${4#/}

expected() {
  local page
  cat <<LIST
d etc/vtree/certs.d
f $sysconf/profile.d/vtree.sh
f $prefix/lib/systemd/system-environment-generators/60-vtree
f $prefix/lib/systemd/user-environment-generators/60-vtree
d etc/vtree/keys.d
d etc/vtree/revoked.d
d usr/lib/vtree/certs.d
d usr/lib/vtree/keys.d
d usr/lib/vtree/revoked.d
f $helper/mount.fuse.vtree
f $prefix/bin/vtree
f $prefix/lib/systemd/system/vtree@.service
f $prefix/lib/systemd/user/vtree@.service
f $prefix/lib/tmpfiles.d/vtree.conf
f $prefix/share/bash-completion/completions/vtree
f $prefix/share/fish/vendor_completions.d/vtree.fish
f $prefix/share/zsh/site-functions/_vtree
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

# the environment that exports need
generators=$VTREE_TMP/dest/$prefix/lib/systemd
generate() { env -i "${@:2}" /bin/sh "$generators/$1-environment-generators/60-vtree"; }
own=/home/u/.local/share/vtree/exports all=/var/lib/vtree/exports
check_equal 'a user has both' "$(generate user HOME=/home/u PATH=/bin)" \
  "XDG_DATA_DIRS=$own/share:$all/share:/usr/local/share:/usr/share
PATH=/bin:$own/bin:$all/bin"
check_equal 'each once, wherever it is' \
  "$(generate user HOME=/x XDG_DATA_HOME=/home/u/.local/share XDG_DATA_DIRS="/a:$own/share" \
    PATH="$all/bin:/bin")" \
  "XDG_DATA_DIRS=$all/share:/a:$own/share
PATH=$all/bin:/bin:$own/bin"
check_equal 'what systemd would read otherwise is not said' \
  "$(generate user HOME="/home/a'b" PATH=/bin)" ''
check_equal 'the system: its data alone' "$(generate system PATH=/bin)" \
  "XDG_DATA_DIRS=$all/share:/usr/local/share:/usr/share"
# shellcheck disable=SC2016 # for that shell
check_equal 'the profile' "$(env -i HOME=/home/u PATH=/bin /bin/sh -euc \
  '. "$1"; . "$1"; echo "$XDG_DATA_DIRS $PATH"' sh "$VTREE_TMP/dest/$sysconf/profile.d/vtree.sh")" \
  "$own/share:$all/share:/usr/local/share:/usr/share /bin:$own/bin:$all/bin"
