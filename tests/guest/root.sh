#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes the Debian 13 root, the guest's disks and its kernel, unless they are there
# (see host.sh); the mirror is the one that apt uses here. What is half made has another
# name. Changing this file makes another root; one that nobody used for a month goes.
. "$(dirname "${BASH_SOURCE[0]}")/host.sh"
require_machine mmdebstrap mke2fs apt-get

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
packages=(
  # the guest
  linux-image-cloud-amd64 busybox-static kmod
  # to build vtree
  ccache cmake gcc libc6-dev libcap-dev libfsverity-dev libfuse3-dev libglib2.0-dev
  libssl-dev libxxhash-dev libzstd-dev ninja-build pkgconf
  # for the tests
  acl attr btrfs-progs bubblewrap dbus-daemon dosfstools e2fsprogs flatpak fsverity fuse-overlayfs fuse3 iproute2 keyutils
  libcap2-bin mount openssl procps python3 rsync strace util-linux xfsprogs
)

make_initrd() {
  local dir=$1/initrd.d module
  module=$(find "$1/tree/usr/lib/modules" -name 'virtio_blk.ko.xz')
  mkdir -p "$dir/bin" "$dir/dev" "$dir/root"
  cp "$1/tree/usr/bin/busybox" "$dir/bin/"
  "$dir/bin/busybox" unxz -c "$module" >"$dir/virtio_blk.ko"
  cp "$guest_dir/initrd-init" "$dir/init"
  chmod 0755 "$dir/init"
  (cd "$dir" && find . | ./bin/busybox cpio -o -H newc) >"$1/initrd" 2>/dev/null
  rm -r "$dir"
}

make_disks() {
  mke2fs -q -t ext4 -b 4096 -E root_owner=0:0 -d "$1/tree" "$1/root.img" 2G
  mke2fs -q -t ext4 -O verity -b 4096 "$1/ext4.img" 1G
  truncate -s 1G "$1/btrfs.img"
  # shellcheck disable=SC2016 # the inner shell expands it
  unshare --mount --propagation private sh -euc '
    mount --bind "$1" "$1/tree/mnt"
    mount -t proc proc "$1/tree/proc"
    chroot "$1/tree" mkfs.btrfs -q /mnt/btrfs.img' sh "$1"
}

make_root() {
  local mirror staging=$root.new.$$
  mirror=$(mirror)
  [ -n "$mirror" ] || skip 'apt knows no mirror of this system'
  rm -rf --one-file-system "$cache"/root-*.new.*
  mkdir -p "$staging"
  echo "making the Debian 13 root in $root"
  # The kernel's package would make an initrd that takes longer than all the rest.
  # shellcheck disable=SC2016 # mmdebstrap's shell expands it
  if ! INITRD=No unshare --mount --propagation private mmdebstrap --variant=apt --quiet \
    --include="$(IFS=, && echo "${packages[*]}")" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='cd "$1" && mkdir -p vtree/source vtree/build vtree/ccache ext4 btrfs' \
    trixie "$staging/tree" "deb [signed-by=$keyring] $mirror trixie main" \
    >"$staging/log" 2>&1; then
    cat "$staging/log"
    rm -rf --one-file-system "$staging"
    skip 'mmdebstrap could not make the root'
  fi
  cp "$staging"/tree/boot/vmlinuz-* "$staging/vmlinuz"
  make_initrd "$staging"
  make_disks "$staging"
  mv "$staging" "$root"
}

# Both are touched whenever they are used.
remove_unused() {
  find "$cache" -mindepth 1 -maxdepth 1 \( -name 'root-*' -o -name 'work-*' \) \
    -mtime +30 -exec rm -rf --one-file-system {} +
}

lock root
remove_unused
[ -d "$root" ] || make_root
touch "$root"
echo "root: $root"
