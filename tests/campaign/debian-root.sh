#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A whole Debian root file system with device nodes, hard links, set-id files,
# capabilities, ACLs and what else a tree can hold: committed, mounted and compared by
# rsync; programs run from the mount in a chroot; checked out and captured again, from
# the checkout and through the mount, it is the same manifest.
#
# The root is made once, by mmdebstrap, and kept in ${VTREE_CACHE:-~/.cache/vtree-tests}.
. "$(dirname "$0")/../lib/lib.sh"

[ "$(id -u)" = 0 ] || skip 'needs root: device nodes and owners'
[ -e /dev/fuse ] || skip 'no /dev/fuse'

packages=adduser,iputils-ping,passwd,perl,python3,sudo,tzdata
cache=${VTREE_CACHE:-${HOME:-/root}/.cache/vtree-tests}
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mnt=$VTREE_TMP/mnt
out=$VTREE_TMP/out

# What Debian's packages do not bring.
add_the_rest() {
  local dir=$1/srv/vtree-test
  mkdir -m 2751 "$dir"
  mkfifo -m 0640 "$dir/fifo"
  python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' \
    "$dir/socket"
  mknod -m 0660 "$dir/block" b 8 1
  mknod -m 0600 "$dir/character" c 4095 1048575
  mknod -m 0000 "$dir/whiteout" c 0 0
  ln "$dir/block" "$dir/block-too"
  ln "$1/usr/bin/perl" "$dir/perl"
  ln -s 'no
thing' "$dir/dangling"
  ln "$dir/dangling" "$dir/dangling-too"
  printf 'text' >"$dir/$(printf 'new\nline \377')"
  printf 'text' >"$dir/marked"
  setfattr -n user.binary -v 0x00ff0a41 "$dir/marked"
  setfacl -m u:1000:rw,g:50:r "$dir/marked"
  setfacl -d -m u:1000:rwx "$dir"
  truncate -s 300M "$dir/sparse"
  printf 'end' >>"$dir/sparse"
  chown 4294967294:65535 "$dir/marked"
  chmod 6711 "$dir/perl"
  touch -d '1960-02-29 12:00:00.123456789Z' "$dir/marked"
  touch -h -d '2300-01-01 00:00:00.5Z' "$dir/dangling"
}

# Another list, or another way to add to it, makes another root.
recipe=$({ echo "$packages" && declare -f add_the_rest; } | sha256sum | cut -c1-12)
root=$cache/debian-root-$suite-$recipe

make_root() {
  local mirror staging=$root.$$
  # shellcheck disable=SC2016
  mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' \
    'Created-By: Packages' \
    | awk -v suite="$suite" '$1 == suite { print $2; exit }')
  [ -n "$mirror" ] || skip "apt knows no mirror of '$suite'"
  mkdir -p "$cache"
  rm -rf --one-file-system "$cache"/debian-root-*
  mmdebstrap --quiet --mode=root --variant=apt --include="$packages" "$suite" "$staging" \
    "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
  add_the_rest "$staging"
  mv "$staging" "$root"
}

# no_difference NAME FROM TO
no_difference() {
  check_equal "$1" "$(rsync -naHAXS --checksum --delete -i "$2/" "$3/" 2>&1 | head -n 20)" ''
}

# in_chroot COMMAND...
in_chroot() {
  chroot "$mnt" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# commit REF DIR: the manifest's digest
commit() {
  as_isolated_root vtree commit "$1" "$2" --quiet
}

if [ ! -d "$root" ]; then
  command -v mmdebstrap >/dev/null || skip 'mmdebstrap is not installed'
  make_root >"$VTREE_TMP/mmdebstrap.log" 2>&1 || {
    cat "$VTREE_TMP/mmdebstrap.log" >&2
    skip 'mmdebstrap made no root'
  }
fi
inodes=$(find "$root" -printf '%i\n' | sort -u | wc -l)
echo "$inodes inodes, $(find "$root" -type c -o -type b | wc -l) device nodes," \
  "$(find "$root" -perm /6000 ! -type l | wc -l) set-id," \
  "$(find "$root" ! -type d -links +1 | wc -l) names of hard links," \
  "$(getcap -r "$root" | wc -l) capabilities"
check 'it is a whole system' test "$inodes" -ge 10000
check 'it has a capability' test -n "$(getcap -r "$root")"

as_isolated_root vtree init --quiet >/dev/null
start=$SECONDS
digest=$(commit debian "$root")
echo "committed in $((SECONDS - start)) s"
check 'a digest alone is on stdout' grep -Eqx 'sha256:[0-9a-f]{64}' <<<"$digest"
check_equal 'committed again it is the same' "$(commit debian "$root")" "$digest"

# --- packs --------------------------------------------------------------------------------
loose=$VTREE_TMP/loose
as_isolated_root vtree init --repo="$loose" --pack-threshold=0 --quiet >/dev/null
check_equal 'without packs it is the same digest' \
  "$(as_isolated_root vtree --repo="$loose" commit loose "$root" --quiet)" "$digest"
files=$(find /var/lib/vtree/repo/objects /var/lib/vtree/repo/packs -type f | wc -l)
all=$(find "$loose/objects" -type f | wc -l)
space=$(du -sk /var/lib/vtree/repo | cut -f1)
space_loose=$(du -sk "$loose" | cut -f1)
echo "$files files in the store, $all without packs; $space KiB on the disk, $space_loose"
check 'fewer than 60 % of the files' test "$((files * 100))" -lt "$((all * 60))"
check 'less on the disk' test "$space" -lt "$space_loose"
rm -rf "$loose"

check 'mount' as_isolated_root vtree mount debian "$mnt" -o allow_dev,allow_suid
no_difference 'rsync finds no difference between the root and the mount' "$root" "$mnt"
check_equal 'a shell runs from the mount' "$(in_chroot /bin/sh -c 'expr 6 \* 7')" 42
check_equal 'python3 runs from the mount' \
  "$(in_chroot python3 -c 'import ctypes, json, zlib; print(json.loads("3"))')" 3
check_equal 'perl runs from the mount' "$(in_chroot perl -MPOSIX -e 'print floor 3.7')" 3
check_equal 'the password file is read' "$(in_chroot id -un root)" root
check_equal 'captured through the mount it is the same' "$(commit through "$mnt")" "$digest"
check 'umount' as_isolated_root vtree umount "$mnt"

check 'checkout' as_isolated_root vtree checkout debian "$out"
no_difference 'rsync finds no difference between the root and the checkout' "$root" "$out"
check_equal 'the checkout commits to the same digest' "$(commit again "$out")" "$digest"

# A tree that is put right again.
rm -rf "${out:?}/usr/share/doc" "${out:?}/bin"
mkdir "$out/bin"
chmod 0777 "$out/usr/bin/sudo"
chown -R 7:7 "$out/usr/share/zoneinfo"
echo broken >"$out/etc/passwd"
ln -sf / "$out/usr/lib/rogue"
check 'update' as_isolated_root vtree checkout --update debian "$out"
no_difference 'rsync finds no difference after an update' "$root" "$out"
check_equal 'the update commits to the same digest' "$(commit again "$out")" "$digest"
