#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Lines of fstab: root's and a user's; what mount(8) makes of the mount of a killed
# daemon; what systemd makes of the lines.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper

mkdir src "$m" "$m.2" "$m.3"
echo hello >src/hello
commit_app src

# strike WHO: kills the daemon of $m, so that it answers WHO with ENOTCONN.
strike() {
  kill -KILL "$("$1" vtree status --json "$m" | sed 's/.*"pid":\([0-9]*\).*/\1/')"
  wait_until 10 is_dead_for "$1"
}

is_dead_for() {
  ! LC_ALL=C "$1" stat -f "$m" >/dev/null 2>"$VTREE_TMP/enotconn" \
    && grep -q 'not connected' "$VTREE_TMP/enotconn"
}

mounts_of() { grep -c " $1 " /proc/self/mountinfo; }

# root
lines=("$repo:app $m fuse.vtree nofail,_netdev,log=$VTREE_TMP/log 0 0"
  "$repo:app $m.2 fuse.vtree noauto,x-systemd.automount,x-systemd.idle-timeout=60 0 0")
use_fstab "${lines[@]}" "$repo:absent $m.3 fuse.vtree defaults 0 0"
expect_exit 64 mount -a
expect_stderr_line 'mount.fuse.vtree: .*absent'
use_fstab "${lines[@]}"
check_equal 'mount -a' "$(cat "$m/hello")" hello
check 'noauto stays away' not is_mounted "$m.2"
check 'mount -a again' mount -a
check_equal 'makes no second mount' "$(mounts_of "$m")" 1
check 'mount DIR' mount "$m.2"
check_equal 'which shows the tree' "$(cat "$m.2/hello")" hello
check 'umount DIR' umount "$m.2"
check 'umount -a by type' umount -a -t fuse.vtree
check 'all have ended' wait_until 10 nobody_serves

# a dead mount: for mount -a mountinfo decides, for mount DIR the helper does
mount -a
strike as_isolated_root
dead="ask $m: its daemon has ended; mount it again, or unmount it"
# status_of_dead SOURCE COMMAND...: what status says, run by COMMAND.
status_of_dead() {
  expect_exit 1 "${@:2}" vtree status "$m"
  check_equal 'status DIR' "$(cat "$VTREE_TMP/stderr")" "vtree status: $dead"
  expect_exit 0 "${@:2}" vtree status
  check_equal 'status' "$(cat "$VTREE_TMP/stdout")" "mounted on: $m
source: $1
problem: $dead"
}
status_of_dead "$repo:app" as_isolated_root
status_of_dead "$repo:app" run_as_user
expect_exit 0 vtree status --json
expect_stdout "\"dir\":\"$m\",\"problem\":\"[^\"]*its daemon has ended"
expect_exit 0 mount "$m"
expect_stderr_line "^mount.fuse.vtree: removed the mount of $repo:app on $m, whose daemon had"
check_equal 'mount DIR replaces it' "$(cat "$m/hello")" hello
check_equal 'there is one' "$(mounts_of "$m")" 1
strike as_isolated_root
expect_exit 0 mount -a -v
expect_stdout "^$m *: already mounted"
check 'so mount -a leaves it' says_not_connected
expect_exit 0 mount -t fuse.vtree "$repo:app" "$m"
expect_stderr_line 'removed the mount'
strike as_isolated_root
expect_exit 32 mount -t fuse.vtree "$repo:absent" "$m"
check 'what fails removes nothing' says_not_connected
expect_exit 0 mount -f -t fuse.vtree "$repo:app" "$m"
check 'nor does a fake mount' says_not_connected
expect_exit 0 vtree mount app "$m"
expect_stderr_line "^vtree mount: removed the mount of $repo:app, whose daemon had ended"
check_equal 'vtree mount replaces it' "$(cat "$m/hello")" hello
strike as_isolated_root
check 'umount takes it away' umount "$m"
check 'then mount -a mounts it' mount -a
check_equal 'and it is whole' "$(cat "$m/hello")" hello
strike as_isolated_root
check 'umount of a dead one again' umount "$m"
check 'nobody is left of root' wait_until 10 nobody_serves

# a user's line; mount(8) must be set-uid for that
command -v fusermount3 >/dev/null || skip 'fusermount3 is not installed'
mkdir "$VTREE_TMP/suid"
cp /bin/mount /bin/umount "$VTREE_TMP/suid/"
chmod 4755 "$VTREE_TMP/suid"/*
by_user() { run_as_user "$VTREE_TMP/suid/$1" "${@:2}"; }
chown 65534:65534 "$m"
run_as_user vtree init --quiet >/dev/null 2>&1
run_as_user vtree commit app src --quiet >/dev/null
use_fstab "$VTREE_USER_HOME/.local/share/vtree/repo:app $m fuse.vtree noauto,user 0 0"
check 'mount by a user' by_user mount "$m"
check_equal 'who reads' "$(run_as_user cat "$m/hello")" hello
strike run_as_user
status_of_dead "$VTREE_USER_HOME/.local/share/vtree/repo:app" run_as_user
expect_exit 0 by_user mount "$m"
expect_stderr_line 'removed the mount'
check_equal 'replaced' "$(run_as_user cat "$m/hello")" hello
strike run_as_user
expect_exit 0 run_as_user vtree mount app "$m"
check_equal 'replaced by vtree mount' "$(run_as_user cat "$m/hello")" hello
check 'umount by the user' by_user umount "$m"
check 'the user leaves nobody' wait_until 10 nobody_serves

# somebody else's dead mount stays
mount -t fuse.vtree "$repo:app" "$m"
strike as_isolated_root
expect_exit 32 run_as_user mount.fuse.vtree "$VTREE_USER_HOME/.local/share/vtree/repo:app" "$m"
expect_stderr_line "mount point $m: the daemon of $repo:app has ended, and its mount can't"
for verb in "mount app" umount; do
  # shellcheck disable=SC2086 # two words
  expect_exit 1 run_as_user vtree $verb "$m"
  expect_stderr_line \
    "^vtree ${verb%% *}: unmount $m: it was mounted by root, who alone can unmount it$"
done
check 'it stays' says_not_connected
umount "$m"

# who may not mount there at all
expect_exit 1 run_as_user vtree mount app /mnt
expect_stderr_line '^vtree mount: mount on /mnt: fusermount3: .*no write access to mountpoint'
expect_exit 1 run_as_user vtree mount app /mnt/absent
expect_stderr_line '^vtree mount: make the mount point /mnt/absent: Permission denied'
check 'nothing is left of that' not is_mounted /mnt
