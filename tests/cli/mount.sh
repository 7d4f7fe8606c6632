#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# mount, umount, status; measure on a mount.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

[ -e /dev/fuse ] || skip "needs /dev/fuse"
who=${1:-user}
dir=$VTREE_TMP/$who/mnt
make_tree "$VTREE_TMP/tree"
v init --quiet >/dev/null
digest=$(v commit r "$VTREE_TMP/tree" --quiet)

# mount
expect_exit 0 v mount r "$dir"
check 'silent' test ! -s "$VTREE_TMP/stdout" -a ! -s "$VTREE_TMP/stderr"
check 'what is read is what was committed' \
  as_who diff -r --no-dereference "$VTREE_TMP/tree" "$dir"

# status
expect_exit 0 v status "$dir"
expect_stdout "^manifest: $digest$"
expect_stdout '^ref: r$'
expect_exit 0 v status "$dir/usr/bin/hello" --json
check 'status of a file' json \
  'd["mounts"][0]["object"]["state"] == "verified" and d["mounts"][0]["version"] == 1'
expect_exit 0 v status --json
check 'status of all' json "[m['dir'] for m in d['mounts']] == ['$dir']"
expect_exit 7 v status "$VTREE_TMP"
expect_exit 1 v status "$VTREE_TMP/absent"

# measure
check_equal 'measure on the mount' "$(v measure "$dir/usr/numbers")" \
  "$(fsverity digest "$VTREE_TMP/tree/usr/numbers" | sed "s, .*, $dir/usr/numbers,")"
expect_exit 0 v measure --json "$dir/usr/numbers"
check 'a daemon proves nothing to the kernel' json 'd["files"][0]["enforced"] is False'

# umount
as_who sh -c "cd '$dir' && echo \$\$ >'$dir.pid' && exec sleep 60" &
wait_until 5 test -s "$dir.pid"
expect_exit 8 v umount "$dir"
expect_stderr_line '^vtree umount: .*in use'
kill "$(cat "$dir.pid")"
wait || true
expect_exit 0 v umount "$dir"
check 'it is gone' test -z "$(ls "$dir")"
expect_exit 7 v umount "$dir"
expect_exit 2 v umount
expect_exit 2 v umount "$dir" --all
expect_exit 0 v mount r "$dir"
expect_exit 0 v mount "$digest" "$dir.2" -o verity=auto -o log=stderr
expect_exit 0 v umount --all
check 'none is left' test -z "$(vtree_mount_points | grep "^$VTREE_TMP/$who/")"
expect_exit 0 v status
check 'nothing to show' test ! -s "$VTREE_TMP/stdout"

# What goes wrong, with the exit code of what went wrong.
expect_exit 7 v mount absent "$dir.3"
expect_stderr_line '^vtree mount: '
check 'a mount point that was made goes again' test ! -e "$dir.3"
expect_exit 2 v mount "r@x" "$dir.3"
expect_exit 2 v mount r "$dir.3" -o verity=perhaps
expect_stderr_line '^vtree mount: .*verity'
expect_exit 1 v mount r "$VTREE_TMP/absent/mnt"
expect_exit 2 v mount r
v commit r "$VTREE_TMP/tree" --quiet >/dev/null
echo 1 | as_who tee "$repo/refs/r/head" >/dev/null
expect_exit 4 v mount r "$dir.3"
expect_stderr_line '^vtree mount: '
expect_exit 0 v mount --force r "$dir.3"
expect_exit 0 v umount "$dir.3"
expect_exit 0 v mount "$repo:r@1" "$dir.3"
expect_exit 0 v umount "$dir.3"
v mark reset r --quiet
v commit e "$VTREE_TMP/tree" --expires=5s --quiet >/dev/null
has_expired() {
  ! v ls e >/dev/null 2>&1
}
wait_until 30 has_expired
expect_exit 5 v mount e "$dir.3"
expect_exit 0 v mount --force e "$dir.3"
expect_exit 0 v status "$dir.3"
expect_stdout '^expires: .* \(it has\)$'
expect_exit 0 v umount "$dir.3"

# A dead daemon's mount makes room.
expect_exit 0 v mount r "$dir"
pid=$(v status "$dir" | sed -n 's/^daemon: pid //p')
kill -9 "$pid"
wait_until 10 sh -c "! kill -0 $pid 2>/dev/null"
expect_exit 1 v status "$dir"
expect_stderr_line 'its daemon has ended'
expect_exit 0 v mount r "$dir"
expect_stderr_line '^vtree mount: removed the mount'
expect_exit 0 as_who ls "$dir"
pid=$(v status "$dir" | sed -n 's/^daemon: pid //p')
kill -9 "$pid"
expect_exit 0 v umount "$dir"

# A bad manifest and a revoked key.
flip_byte "$(object_file "$digest")"
expect_exit 6 v mount r "$dir"
flip_byte "$(object_file "$digest")"
v key revoke "$(v key list | sed -n 's/ default .*//p')" --quiet
expect_exit 3 v mount r "$dir"
expect_stderr_line 'revoked'
