#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Applications that stand on a signed runtime, as a plain user: once through
# fusermount3, once without it; and root's.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
command -v bwrap >/dev/null || skip 'bubblewrap is not installed'
command -v fusermount3 >/dev/null || skip 'fusermount3 is not installed'
run_as_user bwrap --ro-bind / / --unshare-all true || skip 'no user namespaces for users'

# The leak checker can't look at a process of another PID namespace.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

data=$VTREE_USER_HOME/.local/share/vtree
v() { run_as_user vtree "$@"; }

# commit REF DIR [OPTION...]
commit() {
  v commit "$@" --quiet >/dev/null
}

# release VERSION: that of the runtime.
release() {
  echo "runtime $1" >"$VTREE_TMP/runtime/usr/version"
  echo "late runtime $1" >"$VTREE_TMP/runtime/usr/late"
  commit os/rt "$VTREE_TMP/runtime"
}

# object_of REF:PATH
object_of() {
  local hex
  hex=$(v stat "$1" | sed -n 's/^digest: sha256://p')
  echo "$data/repo/objects/${hex:0:2}/${hex:2}"
}

# mounted: how many runtimes are, where the user sees them.
mounted() {
  vtree_mount_points | grep -c '/vtree/runtimes/[^/]*/files$'
}

# places: how many there are.
places() {
  find "$data/runtimes" -mindepth 1 -maxdepth 1 | wc -l
}

v init --pack-threshold=0 --quiet >/dev/null 2>&1
mkdir -p app/bin
cat >app/bin/hello <<'SCRIPT'
#!/bin/sh
cat /usr/version
SCRIPT
cat >app/bin/wait <<'SCRIPT'
#!/bin/sh
cat /usr/version
while [ ! -e "$1" ]; do cat /usr/version >/dev/null; done
cat /usr/late
SCRIPT
chmod 0755 app/bin/*
printf '[Application]\ncommand=bin/hello\n' >app/vtree.ini
commit apps/hello "$VTREE_TMP/app"
v deploy hello apps/hello --quiet >/dev/null
cp -r app based
printf 'runtime=os/rt@1\n' >>based/vtree.ini
commit apps/based "$VTREE_TMP/based"
v deploy based apps/based --quiet >/dev/null
make_root runtime
mkdir -p runtime/etc/alternatives
echo own >runtime/etc/alternatives/word
ln -s /etc runtime/etc/fonts
release 1
commit os/whole "$VTREE_TMP/runtime"
v deploy whole os/whole --quiet >/dev/null
cp -a "$data/repo/refs/os/rt" "$VTREE_TMP/earlier"
release 2

# What REF is, and who says it.
words() {
  expect_exit 0 v run "$@" hello --runtime=os/rt
  expect_stdout '^runtime 2$'
  check_equal 'the mark is raised' "$(v mark show os/rt | cut -d' ' -f1,2)" 'os/rt 2'
  expect_exit 0 v run "$@" hello --runtime=os/rt@1
  expect_stdout '^runtime 1$'
  check_equal 'the mark stays' "$(v mark show os/rt | cut -d' ' -f1,2)" 'os/rt 2'
  expect_exit 0 v run "$@" based
  expect_stdout '^runtime 1$'
  expect_exit 0 v run "$@" based --runtime=os/rt
  expect_stdout '^runtime 2$'
  expect_exit 0 v run "$@" based --runtime= -- sh -c 'test ! -e /usr/version'
  expect_exit 0 v override based --runtime=os/rt@2
  check_equal 'it is written down' "$(v override based)" "[Application]
runtime=os/rt@2"
  expect_exit 0 v run "$@" based
  expect_stdout '^runtime 2$'
  expect_exit 0 v run "$@" based --runtime=os/rt@1
  expect_stdout '^runtime 1$'
  expect_exit 0 v override based --runtime=
  expect_exit 0 v run "$@" based -- sh -c 'test ! -e /usr/version'
  expect_exit 0 v override based --reset
  expect_exit 0 v run "$@" --writable based
  expect_stdout '^runtime 1$'
}

# What of it the command sees, and of the host.
seen() {
  expect_exit 0 v run "$@" hello --runtime=os/rt -- sh -c 'echo /usr/*; echo /usr/bin/*
    cat /etc/alternatives/word; cat /etc/passwd >/dev/null && ! cat /etc/issue'
  check_equal 'its own' "$(tr '\n' ' ' <"$VTREE_TMP/stdout")" \
    "$(cd runtime && echo usr/* | sed 's,usr/,/&,g') /usr/bin/cat /usr/bin/dash /usr/bin/sh own "
  expect_exit 2 v run "$@" hello --runtime=os/rt -- sh -c ': >/usr/new'
  # a link stays one: it leads to the sandbox's /etc
  expect_exit 0 v run "$@" hello --runtime=os/rt -- sh -c \
    'test -L /etc/fonts && test ! -e /etc/fonts/hostname'
  expect_exit 7 v run "$@" hello --runtime=os/rt -- python3
  expect_stderr_line \
    "^vtree run: hello: no command 'python3' in the tree or the runtime's /usr$"
  expect_exit 7 v run "$@" hello --runtime=os/rt -- /usr/bin/python3
  expect_stderr_line \
    "^vtree run: hello: no /usr/bin/python3 in the tree or the runtime's /usr$"
}

refused() {
  expect_exit 7 v run "$@" hello --runtime=os/absent
  expect_stderr_line '^vtree run: hello: runtime os/absent: '
  expect_exit 7 v run "$@" hello --runtime=os/rt@9
  expect_stderr_line '^vtree run: hello: runtime os/rt@9: '
  expect_exit 7 v run "$@" hello --runtime=apps/based
  expect_stderr_line '^vtree run: hello: runtime apps/based: its tree has no /usr, so'
  expect_exit 2 v run "$@" hello --runtime=sha256:"$(printf '%064d' 0)"
  expect_stderr_line 'runtime: REF or REF@VERSION expected, not .sha256:0'
  expect_exit 2 v run "$@" whole --runtime=os/rt -- true
  expect_stderr_line 'whole: --runtime=os/rt: the tree has its own /usr and is the root'
  expect_exit 4 before v run "$@" hello --runtime=os/rt
  expect_stderr_line '^vtree run: hello: runtime os/rt: '
  expect_exit 5 v run "$@" hello --runtime=os/expired
  expect_stderr_line '^vtree run: hello: runtime os/expired: '
  expect_exit 3 v run "$@" hello --runtime=os/others
  expect_stderr_line '^vtree run: hello: runtime os/others: '
}

# before COMMAND...: as if version 2 of the runtime had never been there.
before() {
  local status=0
  mv "$data/repo/refs/os/rt" "$VTREE_TMP/later"
  cp -a "$VTREE_TMP/earlier" "$data/repo/refs/os/rt"
  "$@" || status=$?
  rm -r "$data/repo/refs/os/rt"
  mv "$VTREE_TMP/later" "$data/repo/refs/os/rt"
  return "$status"
}

# running LATEST OPTION...: what two runs stand on stays, through a release, gc and
# upgrade; LATEST is the newest version.
running() {
  local latest=$1 pids=() go=$VTREE_USER_HOME/go n seen=1
  shift
  rm -f "$go"
  [ "${1:-}" != --private-mount ] && [ -z "${hidden:-}" ] || seen=0
  for n in 1 2; do
    v run "$@" hello --runtime=os/rt --filesystem=home:ro -- wait "$go" >"out$n" &
    pids+=($!)
  done
  for n in 1 2; do
    check 'it runs' wait_until 20 grep -qx "runtime $latest" "out$n"
  done
  check_equal 'mounted once' "$(mounted)" "$seen"
  check_equal 'it is listed' "$(v list | grep -c "^- $latest running.* os/rt ")" 1
  expect_exit 0 v list --json
  expect_stdout "\"runtimes\":\[.*\"version\":$latest,\"ref\":\"os/rt\",.*\"running\":true"
  expect_exit 0 v status
  [ "$seen" = 0 ] || expect_stdout "^source: $data/repo:os/rt@$latest$"
  release $((latest + 1))
  release $((latest + 2))
  check 'upgrade' v upgrade
  expect_exit 0 v gc --keep=1
  check 'gc says who holds it' grep -q 'a mount holds it' "$VTREE_TMP/stderr"
  expect_exit 7 v show "os/rt@$latest"
  expect_exit 0 v run "$@" hello --runtime=os/rt
  expect_stdout "^runtime $((latest + 2))$"
  : >"$go"
  for n in 1 2; do
    wait "${pids[n - 1]}" || fail 'the run ends well'
    check_equal 'it read what was its own' "$(tail -n 1 "out$n")" "late runtime $latest"
  done
  check_equal 'nothing runs' "$(v list | grep -c '^- .*running')" 0
  check 'idle ones go' v upgrade
  check_equal 'nothing is mounted' "$(mounted)" 0
  check_equal 'nothing is left' "$(places)" 0
  expect_exit 0 v gc --keep=1
  check 'nor is anything held' not grep -q 'a mount holds' "$VTREE_TMP/stderr"
}

tampered() {
  local object
  v umount --all
  object=$(object_of os/rt:usr/bin/cat)
  flip "$object"
  expect_exit 6 v run "$@" hello --runtime=os/rt -- cat /usr/version
  expect_stderr_line \
    '^vtree run: hello: /usr/bin/cat of the runtime is not what was signed'
  flip "$object"
  v umount --all
  object=$(object_of "os/rt:$(cd runtime && find usr -name 'libc.so.*' | head -n 1)")
  flip "$object"
  expect_exit 127 v run "$@" hello --runtime=os/rt
  check 'no byte' test ! -s "$VTREE_TMP/stdout"
  check 'it is said' grep -q 'libc.*Input/output error' "$VTREE_TMP/stderr"
  flip "$object"
  v umount --all
  expect_exit 0 v run "$@" hello --runtime=os/rt
}

# A daemon that was killed.
dead() {
  local files
  v umount --all
  expect_exit 0 v run hello --runtime=os/rt
  files=$(vtree_mount_points | grep '/vtree/runtimes/')
  kill -9 "$(v status --json "$files" | sed 's/.*"pid":\([0-9]*\).*/\1/')"
  check 'it is dead' wait_until 10 not run_as_user stat -f "$files"
  expect_exit 0 v list
  expect_stdout '^- [0-9]* dead os/rt '
  expect_exit 0 v run hello --runtime=os/rt
  check 'it is replaced' grep -q 'whose daemon had ended' "$VTREE_TMP/stderr"
  expect_exit 0 v umount "$files"
}

commit os/expired "$VTREE_TMP/app" --expires=3s
others=$(v key generate others 2>/dev/null)
commit os/others "$VTREE_TMP/app" --key=others
v key distrust "$others" --quiet
has_expired() { ! v ls os/expired >/dev/null 2>&1; }
check 'it expires' wait_until 20 has_expired
cp -r runtime broken
printf '[Application]\nruntime=os/rt\n' >broken/vtree.ini
commit os/broken "$VTREE_TMP/broken"
v deploy broken os/broken --quiet >/dev/null
expect_exit 1 v run broken -- true
expect_stderr_line 'broken: vtree.ini of the tree: runtime: the tree has its own /usr$'

words "$@"
seen "$@"
refused "$@"
dead
check_equal 'no lease is left' "$(v list | grep -c '^- .*running')" 0
v upgrade --quiet
running 2
tampered
v umount --all
check 'unmounted' wait_until 10 nobody_serves
if [ "$(id -u)" = 0 ]; then
  cp /usr/bin/fusermount3 "$VTREE_TMP/fusermount3" # not set-uid any more
  bind_over "$VTREE_TMP/fusermount3" "$(readlink -f "$(command -v fusermount3)")"
  hidden=1
  seen
  running 4
  tampered
  as_isolated_root vtree init --quiet >/dev/null 2>&1
  as_isolated_root vtree commit os/rt "$VTREE_TMP/runtime" --quiet >/dev/null
  as_isolated_root vtree commit hello "$VTREE_TMP/app" --quiet >/dev/null
  as_isolated_root vtree deploy hello hello --quiet >/dev/null
  expect_exit 0 as_isolated_root vtree run hello --runtime=os/rt
  expect_stdout '^runtime 6$'
  as_isolated_root vtree umount --all
  as_isolated_root vtree undeploy --all --quiet
  check_equal "root's is gone" "$(ls -A /var/lib/vtree/runtimes)" ''
else
  running 4 --private-mount
  tampered --private-mount
fi
# what killed processes leave
run_as_user mkdir -p "$data/runtimes/.tmp-sha256-1/files" "$data/runtimes/sha256-2/files" \
  "$data/runtimes/sha256-3"
run_as_user touch "$data/runtimes/sha256-2/lease"
expect_exit 0 v list
check_equal 'that is none' "$(grep -c '^-' "$VTREE_TMP/stdout")" 0
v undeploy --all --quiet
check_equal 'nothing is left' "$(places)" 0
check 'nobody is left' wait_until 10 nobody_serves
