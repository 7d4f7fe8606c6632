# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The library of every guest test, on top of tests/lib/lib.sh. Source it first:
#
#   . "$(dirname "$0")/../../lib/guest.sh"
#
# Each script has a boot of its own (tests/guest/boot.sh): it may panic the kernel, fill
# disks and set sysctls. VTREE_TMP is on the ext4 disk. Beside lib.sh's variables:
#
# GUEST_EXT4, GUEST_EXT4_DEV     ext4 with the verity feature, 4096-byte blocks; mounted
# GUEST_BTRFS, GUEST_BTRFS_DEV   btrfs; mounted by use_btrfs
# GUEST_SPARE_DEV                a disk of 1 GiB with nothing on it; its mkfs is here
# GUEST_PHASE                    1, and one more after each power_cut

[ -n "${VTREE_GUEST:-}" ] || {
  echo "for the guest only: tests/guest/run $(basename "$0" .sh)" >&2
  exit 2
}
. "$VTREE_SOURCE_DIR/tests/lib/lib.sh"
# Objects are damaged and counted here: each is read as it is asked for.
# shellcheck disable=SC2034 # for mounted.sh
prefetch=off

# use_btrfs: mounts the btrfs disk on $GUEST_BTRFS, for everybody to write to.
use_btrfs() {
  mount "$GUEST_BTRFS_DEV" "$GUEST_BTRFS"
  chmod 1777 "$GUEST_BTRFS"
}

# power_cut [ARGUMENT]: does not return. The guest is killed as it is; what has not been
# written to the disks is lost. Then the script is started again, in a new boot on the
# same disks (the root and VTREE_TMP are new ones), with GUEST_PHASE one higher and
# ARGUMENT on the kernel's command line. Something that shall be interrupted by it runs
# in the background, or calls it itself. If a check has failed, this is the end.
power_cut() {
  [ "$vtree_failed" = 0 ] || exit 1
  echo "cut ${1:-}" >"$GUEST_CONTROL"
  sleep infinity
}

# drop_caches: what is read next comes from the disks.
drop_caches() {
  sync
  echo 3 >/proc/sys/vm/drop_caches
}

# corrupt FILE WHERE: flips a bit on the raw device behind the mounted file system of
# FILE, and drops caches. WHERE is an offset in FILE; or `merkle`, the first block of its
# Merkle tree, or `descriptor`, its fs-verity descriptor (both on ext4 only).
corrupt() {
  local type device
  type=$(stat -f -c %T "$1")
  device=$(findmnt --noheadings --first-only --output SOURCE --target "$1")
  drop_caches
  python3 "$VTREE_SOURCE_DIR/tests/guest/corrupt.py" "$type" "${device%%[*}" "$1" "$2"
  drop_caches
}

# require_signatures CERTIFICATE: from now on the kernel enables and opens only verity
# files whose built-in signature this PEM certificate confirms.
require_signatures() {
  openssl x509 -in "$1" -outform DER \
    | keyctl padd asymmetric '' "$(awk '/ \.fs-verity:/ { print "0x" $1 }' /proc/keys)"
  sysctl -q fs.verity.require_signatures=1
}
