#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The life of a mount as root: mount(8), fake, remount, status, statfs, signals, the end.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper

make_tree src
commit_app src

expect_exit 0 mount -f -t fuse.vtree "$repo:app" /mnt
check 'a fake mount mounts nothing' not is_mounted /mnt
expect_exit 32 mount -f -t fuse.vtree "$repo:absent" /mnt
expect_stderr_line 'mount.fuse.vtree: .*absent'

check 'mount -t fuse.vtree' mount_app
check_equal 'the source' "$(findmnt -no SOURCE "$m")" "$repo:app"
check_equal 'the type' "$(findmnt -no FSTYPE "$m")" fuse.vtree
check 'the options' has_options ro nosuid nodev default_permissions allow_other
check_equal 'its contents' "$(cat "$m/hello")" hello
check 'a script runs' "$m/script"
check 'others may read' run_as_user cat "$m/dir/deep/deeper/file"
check 'permissions are enforced' not run_as_user ls "$m/none"
check 'it is read-only' read_only touch "$m/x"
check 'the mount survives chmod of nothing' read_only chmod 0777 "$m/hello"

inodes=$(find src -printf x | wc -c)
check_equal 'statfs: inodes, one for two names' "$(stat -f -c %c "$m")" $((inodes - 1))
check_equal 'statfs: nothing free' "$(stat -f -c %a,%d "$m")" 0,0
check_equal 'statfs: names' "$(stat -f -c %l "$m")" 255
check_equal 'statfs: block size' "$(stat -f -c %S "$m")" 4096

check_equal 'status: the manifest' "$(counter manifest)" "$(cat "$VTREE_TMP/manifest")"
check_equal 'status: the ref' "$(counter ref)" app
check_equal 'status on a file' "$(counter ref "$m/hello")" app
hex=$(sed 's/sha256://' "$VTREE_TMP/manifest")
check 'the manifest is locked' \
  not flock --exclusive --nonblock "$repo/objects/${hex:0:2}/${hex:2}" true
daemon=$(counter pid)
check 'no_new_privs' grep -q '^NoNewPrivs:.*1' "/proc/$daemon/status"
check 'no capabilities' grep -q '^CapEff:.*0000000000000000$' "/proc/$daemon/status"
check_equal 'its directory' "$(readlink "/proc/$daemon/cwd")" /
check_equal 'its standard output' "$(readlink "/proc/$daemon/fd/1")" /dev/null

# remount
expect_exit 0 mount -o remount,ro "$m"
expect_exit 32 mount -o remount,verity=off "$m"
expect_stderr_line 'remount .*: not supported'
expect_exit 32 mount -o remount,noexec "$m"
check_equal 'no second daemon' "$(pgrep -cx mount.fuse.vtre)" 1

# the end
check 'umount' unmount_app
check 'the manifest is free' \
  flock --exclusive --nonblock "$repo/objects/${hex:0:2}/${hex:2}" true
check 'the daemon has gone' nobody_serves
mount_app
daemon=$(counter pid)
for signal in TERM INT HUP; do
  kill -s "$signal" "$daemon"
  check "SIG$signal unmounts" wait_until 10 not is_mounted "$m"
  check "SIG$signal ends all" wait_until 10 nobody_serves
  mount_app
  daemon=$(counter pid)
done
kill -KILL "$daemon"
check 'a killed daemon: ENOTCONN' wait_until 10 says_not_connected
check 'which umount can undo' umount "$m"
check 'nobody is left' wait_until 10 nobody_serves

# two on one place: the one below ends, the one above stays
mount_app
below=$(counter pid)
mount -t tmpfs tmpfs "$m"
kill "$below"
check 'the daemon below ends' wait_until 10 nobody_serves
check_equal 'the mount above stays' "$(findmnt -no FSTYPE --mountpoint "$m" | tail -1)" tmpfs
umount "$m"
umount -l "$m"

check_equal 'nothing was logged' "$(cat "$VTREE_TMP/log")" ''
mount -t fuse.vtree "$repo:app" "$m" -o "verity=off,log=$VTREE_TMP/log" 2>"$VTREE_TMP/err"
check 'verity=off is logged' grep -q 'verity=off' "$VTREE_TMP/log"
check 'verity=off is said' grep -q 'mount.fuse.vtree: verity=off' "$VTREE_TMP/err"
