#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vtree@.service as it is installed, under a service manager of a plain user's own.
# Usage: service.sh CMAKE PREFIX
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"

cmake=$1 prefix=$2
manager=/usr/lib/systemd/systemd
[ -x "$manager" ] || manager=/lib/systemd/systemd
[ -x "$manager" ] || skip 'systemd is not installed'
[ "$EUID" = 0 ] || skip 'needs root'
[ -e /dev/fuse ] || skip 'needs /dev/fuse'
command -v fusermount3 >/dev/null || skip 'fusermount3 is not installed'
install_helper

# The installation, in its place; a /run and a control group for the manager.
DESTDIR=$VTREE_TMP/dest "$cmake" --install "$VTREE_BUILD_DIR" >/dev/null
mkdir -p "$prefix" "$VTREE_TMP/cgroup"
mount --bind "$VTREE_TMP/dest$prefix" "$prefix"
mount -t tmpfs tmpfs /run
runtime=/run/user/65534
mkdir -p /run/systemd/system "$runtime" # the former says that systemd is there
chown 65534:65534 "$runtime"
mount -t cgroup2 cgroup2 /sys/fs/cgroup || skip 'no control groups'
group=/sys/fs/cgroup/vtree-test-$(basename "$VTREE_TMP")
mkdir "$group" || skip 'no control group of our own'
chown -R 65534:65534 "$group"

# by_user COMMAND...: what it starts finds the installation and the user's own directories.
by_user() {
  XDG_RUNTIME_DIR=$runtime PATH=$prefix/bin:/usr/bin:/bin HOME=$VTREE_USER_HOME \
    XDG_CONFIG_HOME=$VTREE_USER_HOME/.config XDG_DATA_HOME=$VTREE_USER_HOME/.local/share \
    XDG_STATE_HOME=$VTREE_USER_HOME/.local/state \
    setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$@"
}
control() { by_user systemctl --user "$@"; }
shows() { [ "$(control show --value -p "$1" vtree@hello)" = "$2" ]; }

mkdir src
echo hello >src/hello
by_user vtree init --quiet >/dev/null 2>&1
by_user vtree commit app "$VTREE_TMP/src" --quiet >/dev/null
by_user mkdir -p "$VTREE_USER_HOME/.config/vtree/mounts"
printf 'SOURCE=app\nDIR=tree\n' >"$VTREE_USER_HOME/.config/vtree/mounts/hello.conf"
tree=$VTREE_USER_HOME/tree
(
  echo "$BASHPID" >"$group/cgroup.procs"
  by_user "$manager" --user --log-target=console >manager.log 2>&1
) &
wait_until 20 control is-active --quiet basic.target 2>/dev/null

check 'start' control start vtree@hello
check_equal 'it returns when the tree is usable' "$(by_user cat "$tree/hello")" hello
repo=$VTREE_USER_HOME/.local/share/vtree/repo
check 'the status says what is served' shows StatusText "Serving $repo:app on $tree"
check 'a watchdog' shows WatchdogUSec 1min
daemon=$(by_user vtree status "$tree" | sed -n 's/^daemon: pid //p')
kill -KILL "$daemon"
check 'a killed daemon is replaced' wait_until 20 shows NRestarts 1
check 'and serves' wait_until 20 by_user test -f "$tree/hello"
check_equal 'in one mount' "$(grep -c " $tree " /proc/self/mountinfo)" 1
check 'stop' control stop vtree@hello
check 'nothing is mounted' not is_mounted "$tree"
check 'nobody serves' nobody_serves
echo OPTIONS=min_version=7 >>"$VTREE_USER_HOME/.config/vtree/mounts/hello.conf"
check 'a refused tree fails' not control start vtree@hello
check 'with the reason as its status' shows ExecMainStatus 4
check 'once and for all' shows ActiveState failed
check 'no unit without its file' not control start vtree@absent

control exit || true
gone() { [ -z "$(cat "$group/cgroup.procs" "$group"/*/cgroup.procs 2>/dev/null)" ]; }
check 'the manager ends' wait_until 20 not pgrep -x systemd
wait_until 20 gone
find "$group" -depth -type d -exec rmdir {} +
