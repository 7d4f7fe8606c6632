#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Deployments whose versions are mounted, as a plain user: what is idle makes room, what
# is in use stays.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
command -v fusermount3 >/dev/null || skip 'fusermount3 is not installed'

deploy=$VTREE_USER_HOME/.local/share/vtree/deploy
v() { run_as_user vtree "$@"; }

# release N: commits version N and upgrades to it.
release() {
  echo "$1" >"$VTREE_TMP/tree/number"
  v commit app "$VTREE_TMP/tree" --version="$1" --quiet >/dev/null
  v upgrade --quiet
}

states() {
  v list | cut -d' ' -f1-3
}

mkdir "$VTREE_TMP/tree"
v init --quiet >/dev/null 2>&1
release 1
v deploy x app --quiet >/dev/null
check 'mount' v mount app@1 "$deploy/x/1/files"
check_equal 'what it shows' "$(run_as_user cat "$deploy/x/1/files/number")" 1
check_equal 'list' "$(states)" 'x 1 active,mounted'
release 2
check 'mount the next' v mount app@2 "$deploy/x/2/files"
check 'rollback to what is mounted' v rollback x
check_equal 'it is active' "$(states)" $'x 1 active,held,mounted\nx 2 mounted'
check 'and forward' v upgrade x
check_equal 'again' "$(states)" $'x 1 mounted\nx 2 active,mounted'

# in use: a working directory in it
mkfifo -m 0666 "$VTREE_TMP/leave"
: >"$VTREE_TMP/inside"
chmod 0666 "$VTREE_TMP/inside"
run_as_user bash -c "cd $deploy/x/1/files && echo in >$VTREE_TMP/inside &&
  read -r _ <$VTREE_TMP/leave" &
check 'somebody is in it' wait_until 10 test -s "$VTREE_TMP/inside"
release 3
check_equal 'it stays' "$(states)" $'x 1 mounted\nx 2 mounted\nx 3 active'
check_equal 'with what it had' "$(run_as_user cat "$deploy/x/1/files/number")" 1
check 'gc keeps it' v gc --keep=1
check_equal 'whole' "$(run_as_user cat "$deploy/x/1/files/number")" 1
expect_exit 8 v undeploy x
echo out >"$VTREE_TMP/leave"
wait
release 4
check_equal 'idle ones make room' "$(states)" $'x 3 -\nx 4 active'
check_equal 'they are unmounted' "$(vtree_mount_points | grep -c /deploy/)" 0
check 'their daemons end' wait_until 10 nobody_serves
check 'mount once more' v mount app@4 "$deploy/x/4/files"
check 'undeploy unmounts' v undeploy x
check_equal 'that one too' "$(vtree_mount_points | grep -c /deploy/)" 0
check 'all have ended' wait_until 10 nobody_serves
