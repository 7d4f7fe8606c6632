#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every kind of inode, through the kernel: rsync, tar, find, getfacl, getcap and getfattr
# see in the mount what they see in the source.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper

make_tree src
commit_app src
mount_app allow_dev,allow_suid
differences() {
  rsync -naHAXS --checksum --delete --devices --specials --itemize-changes src/ "$m/"
}
check_equal 'rsync finds no difference' "$(differences)" ''
# find's view: type, mode, links, owner, size, time to the nanosecond, device, target
view() {
  (cd "$1" && find . \( -type d -printf '%P %y %m %n %U %G %T@\n' \) -o \
    -printf '%P %y %m %n %U %G %s %T@ %l\n' | LC_ALL=C sort)
}
check_equal 'find sees the same' "$(view "$m")" "$(view src)"
devices() {
  stat -c '%t,%T' "$1/chr" "$1/blk"
}
check_equal 'device numbers' "$(devices "$m")" "$(devices src)"
check_equal 'hard links are one inode' "$(stat -c %i "$m/hello")" \
  "$(stat -c %i "$m/dir/hardlink")"
check_equal 'blocks' "$(stat -c %b,%o "$m/block+1")" 9,4096
tree_hash() {
  tar --create --sort=name --exclude=./sock --directory "$1" . | sha256sum
}
check_equal 'tar sees the same' "$(tree_hash "$m")" "$(tree_hash src)"
check 'a device works' test -r "$m/chr"
check_equal 'set-id bits' "$(stat -c %A "$m/setuid")" -rwsr-xr-x

# xattrs: none in this tree, so each is asked for once
getfattr -d -m - "$m/dir" "$m/hello" "$m/large" >/dev/null 2>&1 || true
ls -lR "$m" >/dev/null
check_equal 'one GETXATTR' "$(counter requests_getxattr)" 1
check_equal 'one LISTXATTR' "$(counter requests_listxattr)" 1
unmount_app

# captured again through the mount: the same manifest
mount_app allow_dev,allow_suid
first=$(cat "$VTREE_TMP/manifest")
as_isolated_root vtree commit again "$m" >"$VTREE_TMP/again" 2>/dev/null
check_equal 'what is mounted commits to the same manifest' "$(cat "$VTREE_TMP/again")" \
  "$first"
unmount_app

# with xattrs
mkdir attrs attrs/dir
echo x >attrs/file
echo x >attrs/acl
cp /bin/true attrs/cap
setfattr -n user.one -v 1 attrs/file || skip "no user xattrs on this file system"
setfattr -n user.empty attrs/file
setfattr -n user.big -v "$(printf '%03000d' 0)" attrs/dir
setcap cap_net_raw+ep attrs/cap
setfacl -m u:1234:r,g:5678:rw,m::r attrs/acl
setfacl -d -m u:1234:rwx attrs/dir
chmod 0640 attrs/acl
commit_app attrs
mount_app
attributes() {
  (cd "$1" && getfattr --absolute-names -h -d -m - -e hex -R . | LC_ALL=C sort)
}
check_equal 'getfattr sees the same' "$(attributes "$m")" "$(attributes attrs)"
acls() {
  (cd "$1" && find . | LC_ALL=C sort | getfacl -n -)
}
check_equal 'getfacl sees the same' "$(acls "$m")" "$(acls attrs)"
check_equal 'getcap sees the same' "$(getcap "$m/cap" | sed 's/.*cap /cap /')" \
  "$(getcap attrs/cap | sed 's/.*cap /cap /')"
as() {
  setpriv --reuid="$1" --regid="$2" --clear-groups cat "$m/acl"
}
check 'an ACL grants' as 1234 1234
check 'an ACL with mask' as 4321 5678
check 'an ACL denies' not as 4321 4321
check 'the group class is no group' not as 4321 1235
unmount_app

# xattr=magic
mount_app xattr=magic
magic() {
  getfattr --only-values -n "user.vtree.$1" "$m/$2" 2>/dev/null
}
check_equal 'user.vtree.digest' "$(magic digest file)" "$(fsverity digest --compact \
  attrs/file | sed 's/^/sha256:/')"
check_equal 'of the root' "$(magic digest .)" "$(cat "$VTREE_TMP/manifest")"
check_equal 'user.vtree.ref' "$(magic ref file)" app
check_equal 'user.vtree.version' "$(magic version dir)" 2
check_equal 'user.vtree.verity' "$(magic verity file)" daemon
check 'user.vtree.key' test "$(magic key file | wc -c)" = 64
check_equal 'they are not listed' "$(getfattr -d -m - "$m/file" 2>/dev/null | grep -c user.vtree)" 0
