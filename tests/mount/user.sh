#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A plain user: through fusermount3, `vtree mount` and a `user` line of fstab.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper
command -v fusermount3 >/dev/null || skip 'fusermount3 is not installed'

run_as_user mkdir -p user/src user/m
echo hello >user/src/hello
echo secret >user/src/secret
chown -R 65534:65534 user/src
chmod 0600 user/src/secret
run_as_user vtree init >/dev/null 2>&1
run_as_user vtree commit mine user/src >user/manifest 2>/dev/null
user_repo=$VTREE_USER_HOME/.local/share/vtree/repo
m=$VTREE_TMP/user/m

check 'the helper' run_as_user mount.fuse.vtree "$user_repo:mine" "$m"
check 'the options' has_options ro nosuid nodev default_permissions user_id=65534
check 'not for others' not has_options allow_other
check_equal 'the type' "$(findmnt -no FSTYPE "$m")" fuse.vtree
check_equal 'contents' "$(run_as_user cat "$m/hello")" hello
check_equal 'own secrets' "$(run_as_user cat "$m/secret")" secret
check_equal 'owned by the user' "$(run_as_user stat -c %u,%g "$m/hello")" 65534,65534
check 'root sees nothing' not ls "$m"
daemon=$(run_as_user vtree status --json "$m" | sed 's/.*"pid":\([0-9]*\).*/\1/')
check 'no_new_privs' grep -q '^NoNewPrivs:.*1' "/proc/$daemon/status"
check 'fusermount3 -u' run_as_user fusermount3 -u "$m"
check 'the daemon ends' wait_until 10 nobody_serves

run_as_user mount.fuse.vtree "$user_repo:mine" "$m" -o uid=5,gid=6
check_equal 'uid=, gid=' "$(run_as_user stat -c %u,%g "$m/hello")" 5,6
daemon=$(run_as_user vtree status --json "$m" | sed 's/.*"pid":\([0-9]*\).*/\1/')
kill "$daemon"
check 'SIGTERM unmounts' wait_until 10 not is_mounted "$m"
check 'and ends all' wait_until 10 nobody_serves

run_as_user mount.fuse.vtree "$user_repo:mine" "$m" -o 'fsname=a\,b\\c'
check_equal 'fsname' "$(findmnt -no SOURCE --mountpoint "$m")" 'a,b\c'
run_as_user fusermount3 -u "$m"
wait_until 10 nobody_serves

# where something is mounted already
check 'a mount' run_as_user vtree mount mine "$m"
expect_exit 8 run_as_user vtree mount mine "$m"
expect_stderr_line "^vtree mount: $user_repo:mine is mounted on $m already; .vtree umount. it first$"
expect_exit 8 run_as_user vtree mount mine "$m/hello"
expect_stderr_line "^vtree mount: $m/hello is in the tree that is mounted on $m$"
check 'one is there' run_as_user vtree umount "$m"
check 'and no other' not is_mounted "$m"
wait_until 10 nobody_serves
expect_exit 1 run_as_user vtree mount mine user/absent/m
expect_stderr_line '^vtree mount: mount point: find user/absent/m: No such file'
expect_exit 2 run_as_user vtree mount --rebase mine "$m"
expect_stderr_line '^vtree mount: --rebase is for the changes of --upper=DIR; see .vtree mount --help.$'

# -q, and who passes it on
note='mount.fuse.vtree: verity=off: nothing is verified'
# notes EXPECTED COMMAND...: mounts on $m, and says that alone.
notes() {
  expect_exit 0 run_as_user "${@:2}" -o verity=off
  check_equal 'what is said' "$(cat "$VTREE_TMP/stderr")" "$1"
  run_as_user fusermount3 -u "$m"
  wait_until 10 nobody_serves
}
# notes_foreground EXPECTED OPTION...: likewise, by one that stays.
notes_foreground() {
  local pid
  run_as_user vtree mount --foreground "${@:2}" mine "$m" -o verity=off 2>"$VTREE_TMP/said" &
  pid=$!
  check 'it serves' wait_until 20 is_mounted "$m"
  # it asks itself through the mount before it says that it serves
  check 'unmounted' wait_until 20 run_as_user fusermount3 -u "$m" 2>/dev/null
  check 'and ends' wait "$pid"
  check_equal 'what it said' "$(cat "$VTREE_TMP/said")" "$1"
}
notes "$note" mount.fuse.vtree "$user_repo:mine" "$m"
notes '' mount.fuse.vtree -q "$user_repo:mine" "$m"
notes "$note" vtree mount mine "$m"
notes '' vtree mount --quiet mine "$m"
notes_foreground "$note"
notes_foreground '' --quiet
expect_exit 6 run_as_user vtree mount --quiet mine "$m" -o "digest=sha256:$(printf '%064d' 1)"
expect_stderr_line '^vtree mount: .*digest'

# refused
expect_exit 1 run_as_user mount.fuse.vtree "$user_repo:mine" "$m" -o allow_suid
expect_stderr_line 'allow_suid: only root'
expect_exit 1 run_as_user mount.fuse.vtree "$user_repo:mine" "$m" -o allow_dev
expect_exit 32 run_as_user mount.fuse.vtree "$user_repo:mine" /mnt
expect_stderr_line '^mount.fuse.vtree: .*fusermount3: '
expect_exit 32 run_as_user mount.fuse.vtree "$user_repo:mine" "$m" -o allow_other
expect_stderr_line 'fusermount3: .*allow_other'
check 'nothing is mounted' not is_mounted "$m"
check 'nobody is left' nobody_serves

# vtree mount
check 'vtree mount' run_as_user vtree mount mine "$VTREE_USER_HOME/tree"
check_equal 'which made the mount point' "$(run_as_user cat "$VTREE_USER_HOME/tree/hello")" \
  hello
check 'vtree umount' run_as_user vtree umount "$VTREE_USER_HOME/tree"
wait_until 10 nobody_serves
expect_exit 7 run_as_user vtree mount absent "$VTREE_USER_HOME/tree"

# fstab, as the user: mount(8) must be set-uid for that
use_fstab "$user_repo:mine $m fuse.vtree noauto,user,x-test=1 0 0"
mkdir "$VTREE_TMP/suid"
cp /bin/mount /bin/umount "$VTREE_TMP/suid/"
chmod 4755 "$VTREE_TMP/suid"/*
check 'mount by an fstab line' run_as_user "$VTREE_TMP/suid/mount" "$m"
check 'its options' has_options ro nosuid nodev noexec user_id=65534
check_equal 'its contents' "$(run_as_user cat "$m/hello")" hello
check 'umount' run_as_user "$VTREE_TMP/suid/umount" "$m"
check 'all has ended' wait_until 10 nobody_serves
