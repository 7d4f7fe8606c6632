#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `vtree mount --foreground`, as a service manager runs it: what it is told and when, what
# ends it, and with which status. The manager's socket is Python's.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper

mkdir src "$m"
echo hello >src/hello
commit_app src
log=$VTREE_TMP/datagrams

# listen NAME: a manager's socket there; its datagrams are in $log.
listen() {
  [ -z "${listener:-}" ] || kill "$listener"
  rm -f "$log" "$1"
  python3 "$VTREE_SOURCE_DIR/tests/mount/notified.py" "$1" "$m/hello" "$log" &
  listener=$!
  wait_until 10 grep -qs listening "$log"
  export NOTIFY_SOCKET=$1
}

# shellcheck disable=SC2120 # the command is optional
# serve [COMMAND...]: starts the foreground (by COMMAND, which becomes it), and waits until
# it says that it is ready.
serve() {
  : >"$log"
  WATCHDOG_USEC=${watchdog:-} env "$@" vtree mount --foreground app "$m" \
    -o "log=$VTREE_TMP/log" 2>"$VTREE_TMP/said" &
  service=$!
  wait_until 10 told READY=1
}

told() { grep -q -- "$1" "$log"; }
times_told() { grep -c -- "$1" "$log"; }
told_more() { [ "$(times_told WATCHDOG=1)" -gt "$1" ]; }

# keeper_named: the keeper's process number is in $keeper. (It may be named, and have let go
# of what is not its own, a moment after the daemon is ready.)
keeper_named() { keeper=$(pgrep -x vtree-keeper); }
keeper_has_no_socket() { ! grep -q socket <<<"$(ls -l "/proc/$keeper/fd")"; }

# ends STATUS: the foreground does, with that.
ends() {
  local status=0
  wait "$service" || status=$?
  [ "$status" = "$1" ]
}

said() { grep -q -- "$1" "$VTREE_TMP/said"; }

listen "$VTREE_TMP/notify"
check 'it serves' serve
check_equal 'ready means readable, and the status says what' "$(head -1 "$log")" \
  "READY=1 STATUS=Serving $repo:app on $m [hello]"
daemon=$(counter pid)
check 'it is another process than the daemon' test "$daemon" != "$service"
check 'without capabilities but one' \
  grep -q '^CapEff:.*0000000000200000$' "/proc/$service/status"
check 'its directory' test "$(readlink "/proc/$service/cwd")" = /
check 'the daemon has no socket' not grep -q socket <(ls -l "/proc/$daemon/fd")
check 'and a keeper' wait_until 10 keeper_named
check 'which has none either' wait_until 10 keeper_has_no_socket
kill "$service"
check 'SIGTERM ends it' ends 0
check 'it says so' wait_until 10 told "^STOPPING=1 STATUS=Unmounting $m"
check 'nothing is mounted then' not is_mounted "$m"
check 'nobody is left then' nobody_serves
check_equal 'no watchdog, no sign of life' "$(times_told WATCHDOG=1)" 0

# the watchdog: a daemon that does not answer is no sign of life
watchdog=200000 serve
check 'signs of life' wait_until 10 told_more 3
daemon=$(counter pid)
kill -STOP "$daemon"
sleep 1
before=$(times_told WATCHDOG=1)
sleep 0.8
check_equal 'none while the daemon is stuck' "$(times_told WATCHDOG=1)" "$before"
kill -CONT "$daemon"
check 'and again' wait_until 10 told_more $((before + 2))

# unmounted by somebody else, while the watchdog waits for an answer; not by umount(8),
# which waits for one itself
kill -STOP "$daemon"
sleep 0.5
check 'what it waits for makes nothing busy' python3 -c 'import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.umount2(os.fsencode(sys.argv[1]), 0) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))' "$m"
kill -CONT "$daemon"
! is_mounted "$m" || wait_until 10 umount "$m"
check 'umount ends it, and is no failure' ends 0
check 'that is said' wait_until 10 told '^STOPPING=1'
check 'nobody is left after umount' wait_until 10 nobody_serves

# the daemon is killed
serve
kill -KILL "$(counter pid)"
check 'a killed daemon is a failure' ends 1
check 'which says why' said "^mount.fuse.vtree: $m: the daemon was killed by signal 9"
check 'and leaves no dead mount' not is_mounted "$m"

# the foreground is killed
serve
kill -KILL "$service"
ends 137
check 'the daemon follows' wait_until 10 nobody_serves
check 'and has unmounted' not is_mounted "$m"

# all are killed, as a service manager would at last
serve
wait_until 10 keeper_named
daemon=$(counter pid)
# Stopped first: each would otherwise clean up after the one that is killed before it.
kill -STOP "$keeper" "$daemon"
kill -KILL "$service" "$keeper" "$daemon"
ends 137
check 'a dead mount' wait_until 10 says_not_connected
check 'the next start' serve
check 'removes it, and says so' said 'removed the mount of .*:app.*, whose daemon had ended'
check_equal 'once' "$(grep -c " $m " /proc/self/mountinfo)" 1
kill "$service"
ends 0
# The listener may be behind; that is the last that is said.
check 'that it has ended is said' wait_until 10 grep -qx STOPPING=1 "$log"

# what the manager can tell apart; nothing is said to it then
: >"$log"
expect_exit 7 as_isolated_root vtree mount --foreground absent "$m"
expect_stderr_line '^mount.fuse.vtree: .*absent'
expect_exit 2 as_isolated_root vtree mount --foreground app "$m" -o bogus
expect_exit 2 env NOTIFY_SOCKET=relative vtree mount --foreground app "$m"
expect_stderr_line 'NOTIFY_SOCKET=relative: neither a path'
check 'nothing is mounted after a failure' not is_mounted "$m"
check 'a mount in the background' env WATCHDOG_USEC=200000 vtree mount app "$m"
unmount_app
check_equal 'nobody was told' "$(cat "$log")" ''

# a plain user, an abstract socket
command -v fusermount3 >/dev/null || skip 'fusermount3 is not installed'
listen "@${VTREE_TMP##*/}" # such names are the whole machine's
chown 65534:65534 "$m"
run_as_user vtree init --quiet >/dev/null 2>&1
run_as_user vtree commit app src --quiet >/dev/null
# The manager is root here, who may not look into a user's mount.
touch "$VTREE_TMP/log"
chmod 0666 "$VTREE_TMP/log"
check 'a plain user' serve setpriv --reuid=65534 --regid=65534 --clear-groups \
  --inh-caps=-all env HOME="$VTREE_USER_HOME" XDG_DATA_HOME="$VTREE_USER_HOME/.local/share" \
  XDG_CONFIG_HOME="$VTREE_USER_HOME/.config" XDG_STATE_HOME="$VTREE_USER_HOME/.local/state"
check 'READY' told '^READY=1'
check_equal 'it is the user who can read' "$(run_as_user cat "$m/hello")" hello
kill "$service"
check 'SIGTERM ends that, too' ends 0
check 'nothing is mounted at the end' not is_mounted "$m"
check 'nobody is left at the end' nobody_serves
kill "$listener"
