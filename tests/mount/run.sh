#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vtree run, as a plain user: once through fusermount3, once without it.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
command -v bwrap >/dev/null || skip 'bubblewrap is not installed'
run_as_user bwrap --ro-bind / / --unshare-all true || skip 'no user namespaces for users'

# The leak checker can't look at a process of another PID namespace.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

data=$VTREE_USER_HOME/.local/share/vtree
v() { run_as_user vtree "$@"; }

# make_app DIR VERSION: an application that stands in /app.
make_app() {
  mkdir -p "$1/bin" "$1/share"
  cat >"$1/bin/hello" <<'SCRIPT'
#!/bin/sh
echo "hello $(cat /app/share/version) $GREETING $*"
SCRIPT
  cat >"$1/bin/wait" <<'SCRIPT'
#!/bin/sh
echo "started $(cat /app/share/version)"
trap 'echo terminated; exit 7' TERM
while [ ! -e "$1" ]; do sleep 0.05; done
cat /app/share/late
SCRIPT
  ln -sf /bin/echo "$1/bin/outside"
  echo '#! /usr/bin/absent -x' >"$1/bin/orphan"
  chmod 0755 "$1/bin/hello" "$1/bin/wait" "$1/bin/orphan"
  echo "$2" >"$1/share/version"
  echo "late $2" >"$1/share/late"
  printf '[Application]\ncommand=bin/hello "from ini"\ncommands=hello\n[Environment]\nGREETING=ahoy\n' \
    >"$1/vtree.ini"
}

# files VERSION: the mount point.
files() {
  echo "$data/deploy/hello/$1/files"
}

# active: hello's active version.
active() {
  v list | sed -n 's/^hello \([0-9]*\) active.*/\1/p'
}

# object_of REF:PATH
object_of() {
  local hex
  hex=$(v stat "$1" | sed -n 's/^digest: sha256://p')
  echo "$data/repo/objects/${hex:0:2}/${hex:2}"
}

v init --pack-threshold=0 --quiet >/dev/null 2>&1
make_app "$VTREE_TMP/app" 1
v commit apps/hello "$VTREE_TMP/app" --quiet >/dev/null
v deploy hello apps/hello --quiet >/dev/null
make_root "$VTREE_TMP/tree"
v commit os/small "$VTREE_TMP/tree" --quiet >/dev/null
v deploy small os/small --quiet >/dev/null

nothing_runs() {
  ! grep -q running <<<"$(v list)"
}

# all OPTION...: what holds for both ways of mounting.
all() {
  local status pid target delay
  expect_exit 0 v run "$@" hello
  check_equal 'the command of vtree.ini' "$(cat "$VTREE_TMP/stdout")" \
    "hello $(cat "$VTREE_TMP/app/share/version") ahoy from ini"
  expect_exit 0 v run "$@" hello --env=GREETING=hi -- hello a '' 'b c'
  expect_stdout ' hi a  b c$'
  expect_exit 0 run_as_user "$data/exports/bin/hello" exported 'b c'
  expect_stdout ' ahoy exported b c$'
  expect_exit 42 v run "$@" hello -- sh -c 'exit 42'
  expect_exit 137 v run "$@" hello -- sh -c 'kill -9 $$'
  expect_exit 1 v run "$@" hello -- touch /app/share/version
  expect_exit 2 v run "$@" hello -- ls "$VTREE_TMP/app"
  expect_exit 1 v run "$@" hello -- sh -c 'ls -A ~ | grep .'
  expect_exit 0 v run "$@" hello --filesystem="$VTREE_TMP/app:ro" -- \
    cat "$VTREE_TMP/app/share/version"
  expect_exit 2 v run "$@" hello --filesystem=home:ro -- sh -c ': >~/new'
  expect_exit 0 v run "$@" hello --filesystem=home -- sh -c ': >~/new; rm ~/new'
  # shellcheck disable=SC2016 # for the shell in there
  expect_exit 0 v run "$@" hello -- sh -c '[ "$(ls /sys/class/net 2>/dev/null)" = "" ] &&
    ! grep -q "[1-9]:" /proc/net/route && [ "$(grep -c : /proc/net/dev)" = 1 ]'
  expect_exit 2 v run "$@" hello --share=everything
  expect_exit 2 v run "$@" hello --filesystem=relative
  expect_exit 127 v run "$@" hello -- sh -c 'absent'
  expect_exit 7 v run "$@" hello -- absent-command
  expect_stderr_line \
    "^vtree run: hello: no command 'absent-command' in the tree or the host's /usr$"
  expect_exit 7 v run "$@" hello -- bin/absent
  expect_stderr_line "^vtree run: hello: no /app/bin/absent in the tree or the host's"
  expect_exit 7 v run "$@" hello -- /opt/absent/program
  expect_stderr_line '^vtree run: hello: no /opt/absent/program in the tree'
  expect_exit 1 v run "$@" hello -- share/version
  expect_stderr_line '^vtree run: hello: /app/share/version may not be executed'
  expect_exit 1 v run "$@" hello -- /usr/bin
  expect_stderr_line '^vtree run: hello: /usr/bin may not be executed'
  expect_exit 7 v run "$@" small -- ls
  expect_stderr_line "^vtree run: small: no command 'ls' in the tree$"
  expect_exit 7 v run "$@" hello --env=PATH=/usr/bin -- hello
  expect_stderr_line "no command 'hello'"
  expect_exit 0 v run "$@" hello --env=PATH=/app/bin:/usr/bin -- hello
  expect_exit 7 v run "$@" hello -- orphan
  expect_stderr_line '^vtree run: hello: /app/bin/orphan is run by /usr/bin/absent, which is not in'
  # a link that leads out of the tree
  expect_exit 0 v run "$@" hello -- outside 'out of it'
  expect_stdout '^out of it$'
  expect_exit 2 v run "$@" hello --rebase -- true
  expect_stderr_line '^vtree run: --rebase is for the changes of --writable=DIR; see'
  expect_exit 7 v run "$@" absent
  expect_stderr_line "^vtree run: nothing is deployed as 'absent' in "
  expect_exit 7 v run "$@" small
  expect_stderr_line "the tree's vtree.ini names no command"
  expect_exit 0 v run "$@" small -- sh -c 'cat /etc/issue; echo *'
  check_equal 'a tree with /usr is the root' "$(head -n 1 "$VTREE_TMP/stdout")" signed

  # a signal goes to the command
  : >"$VTREE_TMP/out" # what the one before printed is no answer
  v run "$@" hello -- wait "$VTREE_TMP/absent" >"$VTREE_TMP/out" &
  pid=$!
  check 'it runs' wait_until 20 grep -q started "$VTREE_TMP/out"
  # the same test may run in a chroot beside this one
  target=$(pgrep -o -f "^vtree run .*wait $VTREE_TMP/absent")
  check_equal 'its state' "$(v list | grep -c ' active.*running')" 1
  kill -TERM "$target"
  status=0
  wait "$pid" || status=$?
  check_equal 'its own status' "$status" 7
  check 'it was asked' grep -qx terminated "$VTREE_TMP/out"
  check_equal 'nothing runs' "$(v list | grep -c running)" 0

  # one that is killed leaves neither its command nor its lease
  : >"$VTREE_TMP/out"
  v run "$@" hello -- sh -c "echo started; while sleep 0.1; do : $VTREE_TMP; done" \
    >"$VTREE_TMP/out" &
  pid=$!
  check 'it runs' wait_until 20 grep -q started "$VTREE_TMP/out"
  target=$(pgrep -o -f "^vtree run .*: $VTREE_TMP; done")
  kill -KILL "$target"
  wait "$pid" || true
  check 'the command ends' wait_until 10 not pgrep -f ": $VTREE_TMP; done"
  check 'nothing is leased' wait_until 10 nothing_runs

  # nor is one lost that comes before the command runs; 137: it had to be killed
  for delay in 0.01 0.02 0.03 0.05 0.07 0.1; do
    status=0
    run_as_user timeout --foreground --preserve-status -k 20 "$delay" \
      vtree run "$@" hello -- sleep 60 || status=$?
    check_equal "asked to end after $delay s" "$status" 143
    # the mount helper and bubblewrap get it, too
    status=0
    run_as_user timeout --preserve-status -k 20 "$delay" \
      vtree run "$@" hello -- sleep 60 2>"$VTREE_TMP/stderr" || status=$?
    check "all asked to end after $delay s: $status" test "$status" != 137
  done
}

# upgraded OLD OPTION...: an upgrade while the old version runs.
upgraded() {
  local old=$1 pid new=$(($1 + 1))
  shift
  rm -f "$VTREE_USER_HOME/go"
  : >"$VTREE_TMP/out"
  v run "$@" hello --filesystem=home:ro -- wait "$VTREE_USER_HOME/go" >"$VTREE_TMP/out" &
  pid=$!
  check 'the old one runs' wait_until 20 grep -q "started $old" "$VTREE_TMP/out"
  make_app "$VTREE_TMP/app" "$new"
  v commit apps/hello "$VTREE_TMP/app" --quiet >/dev/null
  make_app "$VTREE_TMP/app" "$new"
  check 'upgrade' v upgrade
  check 'gc' v gc --keep=1
  expect_exit 0 v run "$@" hello
  expect_stdout "^hello $new "
  check_equal 'the old one is kept' "$(v list | grep -c "hello $old running")" 1
  expect_exit 8 v undeploy hello
  : >"$VTREE_USER_HOME/go"
  wait "$pid" || true
  check_equal 'it read what was its own' "$(tail -n 1 "$VTREE_TMP/out")" "late $old"
  check 'rollback' v rollback hello
  expect_exit 0 v run "$@" hello
  expect_stdout "^hello $old "
  check 'forward' v upgrade hello
}

tampered() {
  local object
  object=$(object_of apps/hello:bin/hello)
  flip "$object"
  v umount --all
  expect_exit 6 v run "$@" hello
  expect_stderr_line '/app/bin/hello of the tree is not what was signed'
  flip "$object"
  object=$data/repo/objects/$(v show apps/hello | sed -n 's/^manifest: sha256:\(..\)/\1\//p')
  mv "$object" "$VTREE_TMP/manifest"
  v umount --all
  expect_exit 7 v run "$@" hello
  expect_stderr_line "^vtree run: hello: mount version $(active): manifest .*not in the store"
  mv "$VTREE_TMP/manifest" "$object"
  object=$(object_of apps/hello:share/late)
  flip "$object"
  v umount --all
  expect_exit 1 v run "$@" hello -- cat /app/share/late
  check 'EIO, no byte' test ! -s "$VTREE_TMP/stdout"
  check 'it is said' grep -q 'Input/output error' "$VTREE_TMP/stderr"
  flip "$object"
  object=$(object_of apps/hello:vtree.ini)
  flip "$object"
  v umount --all
  expect_exit 6 v run "$@" hello
  expect_stderr_line 'vtree.ini of the tree is not what was signed'
  flip "$object"
  v umount --all
}

# What of the host it sees: vtree.ini, overrides, options, in this order.
words() {
  local home=$VTREE_USER_HOME pid
  mkdir -p "$home/.config/vtree" "$home/runtime/pulse"
  chown -R "$(stat -c %u:%g "$home")" "$home/.config" "$home/runtime"
  printf '[Context]\nfilesystems=~/shown:create;\n' >"$VTREE_TMP/app/context"
  cat "$VTREE_TMP/app/context" >>"$VTREE_TMP/app/vtree.ini"
  v commit apps/hello "$VTREE_TMP/app" --quiet >/dev/null
  check 'deploy' v upgrade hello
  expect_exit 0 v run hello -- sh -c 'echo 1 >~/shown/file'
  check_equal 'made and shown' "$(cat "$home/shown/file")" 1
  expect_exit 0 v override hello --nofilesystem=~/shown --env=GREETING=over --share=ipc
  check_equal 'what override says' "$(v override hello)" "[Context]
shared=ipc;
filesystems=!~/shown;

[Environment]
GREETING=over"
  # shellcheck disable=SC2016 # for the shell in there
  expect_exit 0 v run hello -- sh -c 'test ! -e ~/shown && test "$GREETING" = over'
  # shellcheck disable=SC2016
  expect_exit 0 v run hello --filesystem=~/shown:ro --env=GREETING=last \
    --unset-env=LANG -- sh -c 'cat ~/shown/file && ! echo 2 >~/shown/file &&
      test "$GREETING" = last && test -z "${LANG+set}"'
  expect_exit 0 v override absent --share=ipc
  expect_stderr_line "^vtree override: nothing is deployed as 'absent' now; see"
  expect_exit 0 v override absent --quiet --share=ipc
  check_equal 'nothing is said' "$(cat "$VTREE_TMP/stderr")" ''
  expect_exit 0 v override absent --reset
  check_equal 'nor where it ends' "$(cat "$VTREE_TMP/stderr")" ''

  # places that are missing
  missing="--filesystem=~/missing: there is no $home/missing; left out"
  expect_exit 0 v run hello --filesystem=~/missing:ro --filesystem=~/shown -- true
  expect_stderr_line "^vtree run: ${missing/missing:/missing:ro:}"
  expect_exit 0 v run hello --quiet --filesystem=~/missing -- true
  check_equal 'nothing is said' "$(cat "$VTREE_TMP/stderr")" ''
  expect_exit 0 v run hello --filesystem=~/made:create --nofilesystem=~/missing -- true
  check_equal 'nor of what is made' "$(cat "$VTREE_TMP/stderr")" ''
  expect_exit 0 v override hello --filesystem=~/missing
  expect_stderr_line "^vtree override: $missing"
  expect_exit 0 v run hello -- true
  check_equal 'once is enough' "$(cat "$VTREE_TMP/stderr")" ''
  # a tree that is wrong is not wrong usage
  mkdir "$VTREE_TMP/broken"
  echo nonsense >"$VTREE_TMP/broken/vtree.ini"
  v commit apps/broken "$VTREE_TMP/broken" --quiet >/dev/null
  v deploy broken apps/broken --quiet >/dev/null 2>&1
  expect_exit 1 v run broken
  expect_stderr_line '^vtree run: broken: vtree.ini of the tree: .*nonsense'
  if [ "$(id -u)" = 0 ]; then
    as_isolated_root vtree init --quiet >/dev/null 2>&1
    as_isolated_root vtree commit sys "$VTREE_TMP/broken" --quiet >/dev/null
    as_isolated_root vtree deploy everybodys sys --quiet >/dev/null 2>&1
    expect_exit 7 v run everybodys
    expect_stderr_line \
      "^vtree run: 'everybodys' is a deployment of the system: .vtree run --system everybodys.$"
  fi

  expect_exit 2 v override hello --socket=everything
  expect_stderr_line "socket: 'everything' is none of the words that there are"
  expect_exit 2 v run hello --filesystem=/usr
  expect_stderr_line "filesystem: /usr is the sandbox's own"
  echo '[Context]
share=network' | run_as_user tee "$home/.config/vtree/overrides/hello" >/dev/null
  expect_exit 2 v run hello
  expect_stderr_line "overrides/hello: \[Context\] has no key 'share'"
  expect_exit 0 v override hello --reset
  expect_exit 0 v run hello -- cat "$home/shown/file"

  # sockets: real ones, connected to from inside; devices
  run_as_user timeout 60 /usr/bin/python3 "$VTREE_SOURCE_DIR/tests/mount/sockets.py" \
    "$home/runtime/bus" "$home/runtime/pulse/native" "$home/runtime/wayland-7" &
  pid=$!
  check 'they listen' wait_until 20 test -S "$home/runtime/wayland-7"
  host=(env "XDG_RUNTIME_DIR=$home/runtime" WAYLAND_DISPLAY=wayland-7
    "DBUS_SESSION_BUS_ADDRESS=unix:path=$home/runtime/bus,guid=1" DISPLAY=:7)
  # shellcheck disable=SC2016
  expect_exit 0 run_as_user "${host[@]}" vtree run hello -- sh -c \
    'test -z "$(ls -A "$XDG_RUNTIME_DIR")$WAYLAND_DISPLAY$DISPLAY" &&
      test ! -e /dev/kvm && test ! -e /dev/fuse'
  expect_exit 0 run_as_user "${host[@]}" vtree run hello --socket=session-bus \
    --socket=pulseaudio --socket=wayland --socket=fallback-x11 --device=all -- \
    python3 -c '
import os, socket
for name, start in (("DBUS_SESSION_BUS_ADDRESS", "unix:path="),
                    ("PULSE_SERVER", "unix:"), ("WAYLAND_DISPLAY", "")):
    value = os.environ[name]
    assert value.startswith(start + os.environ["XDG_RUNTIME_DIR"]), value
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(value[len(start):])
        print(end.recv(100).decode())
assert "DISPLAY" not in os.environ
assert os.path.exists("/dev/fuse")'
  check_equal 'each is its own' "$(tr '\n' ' ' <"$VTREE_TMP/stdout")" \
    'bus native wayland-7 '
  check 'each was asked once' wait "$pid"

  # x11, whose socket has one place only
  run_as_user mkdir -p /tmp/.X11-unix 2>/dev/null || true
  run_as_user timeout 60 /usr/bin/python3 "$VTREE_SOURCE_DIR/tests/mount/sockets.py" \
    "/tmp/.X11-unix/X$$999" &
  pid=$!
  check 'a display' wait_until 20 test -S "/tmp/.X11-unix/X$$999"
  # shellcheck disable=SC2016
  expect_exit 0 run_as_user env DISPLAY=:"$$999" vtree run hello -- sh -c \
    'test -z "$DISPLAY" && test ! -e /tmp/.X11-unix'
  expect_exit 0 run_as_user env DISPLAY=:"$$999" vtree run hello --socket=x11 -- \
    python3 -c '
import os, socket
with socket.socket(socket.AF_UNIX) as end:
    end.connect("/tmp/.X11-unix/X" + os.environ["DISPLAY"][1:])
    print(end.recv(100).decode())'
  check_equal 'it is that one' "$(cat "$VTREE_TMP/stdout")" "X$$999"
  wait "$pid" || true
  rm -f "/tmp/.X11-unix/X$$999"
  rmdir /tmp/.X11-unix 2>/dev/null || true
}

# What vtree.ini asks for of the host, and who may take it away again.
asked() {
  local here
  for here in net ipc; do
    readlink "/proc/self/ns/$here"
  done >"$VTREE_TMP/here"
  printf '[Context]\nshared=network;ipc;\ndevices=shm;\nunset-environment=LANG;\n' \
    >>"$VTREE_TMP/app/vtree.ini"
  v commit apps/hello "$VTREE_TMP/app" --quiet >/dev/null
  check 'deploy' v upgrade hello
  # shellcheck disable=SC2016 # for the shell in there
  expect_exit 0 run_as_user env LANG=C vtree run hello -- sh -c \
    'readlink /proc/self/ns/net /proc/self/ns/ipc; test -z "${LANG+set}"'
  check_equal 'what vtree.ini asks for' "$(cat "$VTREE_TMP/stdout")" \
    "$(cat "$VTREE_TMP/here")"
  expect_exit 0 v run hello --unshare=network --unshare=ipc -- \
    readlink /proc/self/ns/net /proc/self/ns/ipc
  check_equal 'nothing of it' "$(grep -cFxf "$VTREE_TMP/here" "$VTREE_TMP/stdout")" 0
  v rollback hello --quiet
  expect_exit 0 v run hello -- readlink /proc/self/ns/net /proc/self/ns/ipc
  check_equal 'nor of what is not asked for' \
    "$(grep -cFxf "$VTREE_TMP/here" "$VTREE_TMP/stdout")" 0
  expect_exit 0 v run hello --share=network --share=ipc -- \
    readlink /proc/self/ns/net /proc/self/ns/ipc
  check_equal 'but of what the option says' "$(cat "$VTREE_TMP/stdout")" \
    "$(cat "$VTREE_TMP/here")"
  v upgrade hello --quiet
}

# What is written into a layer, or linked in a tree, opens nothing of the host.
escapes() {
  local home=$VTREE_USER_HOME
  expect_exit 0 v run hello --writable="$home/layer" -- sh -c \
    'printf "[Context]\nfilesystems=home;\n" >/app/vtree.ini; mkdir -p /app/usr'
  run_as_user sh -c ': >~/secret'
  expect_exit 0 v run hello --writable="$home/layer" -- sh -c \
    'test -d /app/usr && ! test -e ~/secret'
  mkdir -p "$VTREE_TMP/links/usr/bin"
  cp -a "$VTREE_TMP/tree/." "$VTREE_TMP/links/"
  ln -s /var "$VTREE_TMP/links/var"
  v commit os/links "$VTREE_TMP/links" --quiet >/dev/null
  v deploy links os/links --quiet >/dev/null
  # shellcheck disable=SC2016 # for the shell in there
  expect_exit 0 v run links -- sh -c 'for f in /var/lib/*; do test ! -e "$f" || exit 1; done'
  rm "$VTREE_TMP/links/var"
  mkdir "$VTREE_TMP/links/var"
  ln -s /etc "$VTREE_TMP/links/var/lib"
  v commit os/links "$VTREE_TMP/links" --quiet >/dev/null
  v upgrade links --quiet
  expect_exit 0 v run links -- sh -c 'cat /var/lib/issue'
  check_equal "the sandbox's own" "$(cat "$VTREE_TMP/stdout")" signed
}

# quiet OPTION...: what mounting has to say, and not with --quiet.
quiet() {
  local conf=$VTREE_USER_HOME/.config/vtree/vtree.conf
  run_as_user mkdir -p "${conf%/*}"
  printf '[mount]\nverity=off\n' | run_as_user tee "$conf" >/dev/null
  v umount --all
  expect_exit 0 v run "$@" hello
  expect_stderr_line 'mount.fuse.vtree: verity=off: nothing is verified'
  v umount --all
  expect_exit 0 v run --quiet "$@" hello
  check_equal 'nothing is said' "$(cat "$VTREE_TMP/stderr")" ''
  rm "$conf"
  v umount --all
}

# strike: kills the daemon of hello's version 2, which is mounted.
strike() {
  kill -9 "$(v status --json "$(files 2)" | sed 's/.*"pid":\([0-9]*\).*/\1/')"
  check 'it is dead' wait_until 10 not run_as_user stat -f "$(files 2)"
}

# A deployment whose mount is dead goes like any other, and comes back.
undeployed() {
  expect_exit 0 v run hello
  strike
  expect_exit 0 v undeploy hello
  expect_stderr_line '^vtree undeploy: hello is deployed no more'
  check 'nothing is left of it' not test -e "$data/deploy/hello"
  check_equal 'nor mounted' "$(vtree_mount_points | grep -c /deploy/hello/)" 0
  expect_exit 0 v deploy hello apps/hello
  expect_exit 0 v run hello
  strike
  expect_exit 0 v rollback hello 2
  expect_exit 0 v deploy hello apps/hello@1
  expect_exit 0 v upgrade hello
  expect_exit 0 v run hello
  expect_stdout '^hello 2 '
}

use_fusermount() {
  all "$@"
  check 'it stays mounted' is_mounted "$(files "$(cat "$VTREE_TMP/app/share/version")")"
  upgraded 1
  # a daemon that was killed
  strike
  expect_exit 1 v status "$(files 2)"
  expect_stderr_line "^vtree status: ask $(files 2): its daemon has ended"
  expect_exit 0 v status
  expect_stdout "^problem: ask $(files 2): its daemon has ended"
  expect_exit 0 v list
  expect_stdout '^hello 2 active,dead '
  expect_exit 0 v list --json
  expect_stdout '"version":2,.*"mounted":true,"dead":true'
  expect_exit 0 v run hello
  check 'the mount is replaced' grep -q 'whose daemon had ended' "$VTREE_TMP/stderr"
  expect_stdout '^hello 2 '
  undeployed
  quiet "$@"
  tampered "$@"
}

# A user whose number is not the one that stands for nobody in a namespace; the system's
# keys, settings and overrides are there.
another() {
  local home=$VTREE_TMP/another
  w() { in_home "$home" setpriv --reuid=1 --regid=1 --clear-groups --inh-caps=-all "$@"; }
  mkdir "$home" /etc/vtree/keys.d /etc/vtree/overrides
  chown 1:1 "$home"
  echo '[mount]' >/etc/vtree/vtree.conf
  printf '[Environment]\nGREETING=all\n' >/etc/vtree/overrides/hello
  w vtree init --quiet >/dev/null 2>&1
  w vtree commit apps/hello "$VTREE_TMP/app" --quiet >/dev/null
  w vtree deploy hello apps/hello --quiet >/dev/null
  mv "$home/.config/vtree/keys.d/default.pem" /etc/vtree/keys.d/
  chown 0:0 /etc/vtree/keys.d/default.pem
  for option in --private-mount --writable; do
    expect_exit 0 w vtree run "$option" hello
    expect_stdout '^hello [0-9]* all from ini$'
  done
  chown 2 /etc/vtree/overrides
  expect_exit 3 w vtree run --private-mount hello
  expect_stderr_line '/etc/vtree/overrides belongs to uid 2, not to root'
  chown 2 /etc/vtree/keys.d/default.pem
  expect_exit 3 w vtree run --private-mount hello
  expect_stderr_line 'keys.d/default.pem.* belongs to uid 2, not to root'
  rm -r /etc/vtree/*

  # what the administrator deploys, mounted by root, by nobody, and by a daemon that died
  as_isolated_root vtree init --shared --quiet >/dev/null 2>&1
  as_isolated_root vtree commit apps/hello "$VTREE_TMP/app" --quiet >/dev/null
  as_isolated_root vtree deploy all apps/hello --quiet >/dev/null
  for who in w run_as_user; do
    expect_exit 0 "$who" vtree run --system all
    expect_stdout '^hello [0-9]* ahoy from ini$'
  done
  expect_exit 0 as_isolated_root vtree run all
  check 'root mounts for all' is_mounted /var/lib/vtree/deploy/all/1/files
  expect_exit 0 run_as_user vtree run --system all
  expect_stdout '^hello [0-9]* ahoy from ini$'
  kill -9 "$(as_isolated_root vtree status --json /var/lib/vtree/deploy/all/1/files \
    | sed 's/.*"pid":\([0-9]*\).*/\1/')"
  check 'it is dead' wait_until 10 not stat -f /var/lib/vtree/deploy/all/1/files
  expect_exit 1 w vtree run --system all
  expect_stderr_line '^vtree run: all: mount version 1: .*has ended, .*as who mounted it$'
  expect_exit 0 as_isolated_root vtree run all
  expect_exit 0 w vtree run --system all
  as_isolated_root vtree undeploy --all --quiet
  rm -r /etc/vtree/* /var/lib/vtree/*
}

command -v fusermount3 >/dev/null || skip 'fusermount3 is not installed'
use_fusermount "$@"
v umount --all
check 'unmounted' wait_until 10 nobody_serves
if [ "$(id -u)" = 0 ]; then
  cp /usr/bin/fusermount3 "$VTREE_TMP/fusermount3" # not set-uid any more
  bind_over "$VTREE_TMP/fusermount3" "$(readlink -f "$(command -v fusermount3)")"
  all "$@"
  upgraded 2
  quiet "$@"
  tampered "$@"
  check_equal 'nothing is mounted' "$(vtree_mount_points | grep -c /deploy/)" 0
  check 'nobody is left' wait_until 10 nobody_serves
  another
else
  all --private-mount
fi
words
asked
escapes
v umount --all
check 'undeploy' v undeploy --all
