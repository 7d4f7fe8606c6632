#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Stock Flatpak on sealed files: an application and a runtime that are built here,
# installed by a plain user, sealed, run, tampered with, updated, unsealed.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
command -v flatpak >/dev/null || skip 'flatpak is not installed'
command -v dbus-run-session >/dev/null || skip 'dbus-run-session is not installed'
command -v fusermount3 >/dev/null || skip 'fusermount3 is not installed'
run_as_user bwrap --ro-bind / / --unshare-all true || skip 'no user namespaces for users'

v() { run_as_user vtree "$@"; }
f() { run_as_user env -u DISPLAY -u DBUS_SESSION_BUS_ADDRESS flatpak "$@"; }
# The bus is for the question whether somebody restricts what a user may install.
# shellcheck disable=SC2016 # for the shell in there
f_bus() {
  run_as_user dbus-run-session -- sh -c \
    'DBUS_SYSTEM_BUS_ADDRESS=$DBUS_SESSION_BUS_ADDRESS exec flatpak "$@"' _ "$@"
}
user=$VTREE_USER_HOME/.local/share/flatpak
arch=$(flatpak --default-arch)
work=$VTREE_USER_HOME/work

# copy_program NAME DIR: with the libraries it needs, as a runtime has them.
copy_program() {
  local library
  cp "$(readlink -f "$(command -v "$1")")" "$2/bin/$1"
  ldd "$2/bin/$1" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$2/$(dirname "${library#/usr}")"
    cp -L "$library" "$2/${library#/usr}"
  done
}

make_runtime() {
  local dir=$work/runtime program
  mkdir -p "$dir/files" "$dir/var" "$dir/usr/bin" "$dir/usr/lib" "$dir/usr/etc"
  for program in bash cat sleep; do
    copy_program "$program" "$dir/usr"
  done
  ln -s bash "$dir/usr/bin/sh"
  printf '[Runtime]\nname=org.vtree.Platform\nruntime=org.vtree.Platform/%s/1\nsdk=org.vtree.Platform/%s/1\n' \
    "$arch" "$arch" >"$dir/metadata"
}

# make_app WORD
make_app() {
  local dir=$work/app
  mkdir -p "$dir/files/bin" "$dir/files/share" "$dir/export"
  printf '#!/bin/sh\necho "hello %s"\n' "$1" >"$dir/files/bin/hello"
  chmod 0755 "$dir/files/bin/hello"
  echo "data $1" >"$dir/files/share/data"
  printf '[Application]\nname=org.vtree.Hello\nruntime=org.vtree.Platform/%s/1\nsdk=org.vtree.Platform/%s/1\ncommand=hello\n' \
    "$arch" "$arch" >"$dir/metadata"
  chown -R 65534:65534 "$work"
  f build-export --no-update-summary "$work/repo" "$dir" 1 >/dev/null
}

object_of_app() {
  local hex
  hex=$(v stat "flatpak/app/org.vtree.Hello/$arch/1:$1" | sed -n 's/^digest: sha256://p')
  echo "$VTREE_USER_HOME/.local/share/vtree/repo/objects/${hex:0:2}/${hex:2}"
}

mounts_of() { vtree_mount_points | grep -c "/$1/" || true; }

mkdir "$work"
make_runtime
chown -R 65534:65534 "$work"
check 'a runtime' f build-export --runtime "$work/repo" "$work/runtime" 1
make_app one
f build-update-repo "$work/repo" >/dev/null
check 'a remote' f --user remote-add --no-gpg-verify local "$work/repo"
check 'installed' f_bus --user install -y --noninteractive local org.vtree.Hello
expect_exit 0 f run org.vtree.Hello
check_equal 'it runs' "$(cat "$VTREE_TMP/stdout")" 'hello one'

v init --pack-threshold=0 --quiet >/dev/null 2>&1
expect_exit 7 v flatpak seal org.absent.App
expect_stderr_line "'org.absent.App' is not installed in .*flatpak --user list"
expect_exit 2 v flatpak seal
expect_exit 0 v flatpak list
check_equal 'nothing is sealed' "$(cat "$VTREE_TMP/stdout")" \
  "flatpak/app/org.vtree.Hello/$arch/1 unsealed
flatpak/runtime/org.vtree.Platform/$arch/1 unsealed"
expect_exit 0 v flatpak seal --all
expect_stdout '^sha256:'
expect_exit 0 v flatpak list
check_equal 'all is' "$(cat "$VTREE_TMP/stdout")" \
  "flatpak/app/org.vtree.Hello/$arch/1 sealed,mounted
flatpak/runtime/org.vtree.Platform/$arch/1 sealed,mounted"
expect_exit 0 f run org.vtree.Hello
check_equal 'verified files run' "$(cat "$VTREE_TMP/stdout")" 'hello one'
expect_exit 0 v flatpak seal --all
check_equal 'nothing is read again' "$(cat "$VTREE_TMP/stdout")" ''

# Flatpak's own copy does not count any more, the store's does
object=$(object_of_app share/data)
v umount --all
flip_byte "$object" 0
expect_exit 0 v flatpak seal --all
expect_exit 1 f run --command=cat org.vtree.Hello /app/share/data
check_equal 'no byte' "$(cat "$VTREE_TMP/stdout")" ''
check 'but EIO' grep -q 'Input/output error' "$VTREE_TMP/stderr"
expect_exit 0 f run org.vtree.Hello
flip_byte "$object" 0

# an update
make_app two
f build-update-repo "$work/repo" >/dev/null
check 'Flatpak updates it' f_bus --user update -y --noninteractive org.vtree.Hello
expect_exit 0 v flatpak list
expect_stdout "^flatpak/app/org.vtree.Hello/$arch/1 updated$"
expect_exit 0 v flatpak seal org.vtree.Hello
check 'it is said' grep -q 'Flatpak has updated org.vtree.Hello since it was sealed' \
  "$VTREE_TMP/stderr"
expect_exit 0 f run org.vtree.Hello
check_equal 'the new one runs' "$(cat "$VTREE_TMP/stdout")" 'hello two'
check_equal 'one is mounted' "$(mounts_of org.vtree.Hello)" 1

# a daemon that was killed
kill -9 "$(v status --json "$user/app/org.vtree.Hello/$arch/1/active/files" \
  | sed 's/.*"pid":\([0-9]*\).*/\1/')"
check 'it is dead' wait_until 10 not run_as_user stat -f \
  "$user/app/org.vtree.Hello/$arch/1/active/files"
expect_exit 0 v flatpak seal org.vtree.Hello
check 'the dead mount is replaced' grep -q 'whose daemon had ended' "$VTREE_TMP/stderr"
expect_exit 0 f run org.vtree.Hello

# what the mounts have to say, and not with --quiet
conf=$VTREE_USER_HOME/.config/vtree/vtree.conf
run_as_user mkdir -p "${conf%/*}"
printf '[mount]\nverity=off\n' | run_as_user tee "$conf" >/dev/null
v umount --all
expect_exit 0 v flatpak seal org.vtree.Hello
expect_stderr_line 'verity=off: nothing is verified'
v umount --all
expect_exit 0 v flatpak seal --quiet org.vtree.Hello
check_equal 'nothing is said' "$(cat "$VTREE_TMP/stderr")" ''
rm "$conf"
v umount --all
expect_exit 0 v flatpak seal --all

# what runs keeps the verified files
: >"$VTREE_TMP/out"
f run --command=sh org.vtree.Hello -c 'echo in; sleep 2; cat /app/share/data' \
  >"$VTREE_TMP/out" &
runner=$!
check 'it runs meanwhile' wait_until 20 grep -q in "$VTREE_TMP/out"
expect_exit 0 v flatpak unseal org.vtree.Hello
check 'to its end' wait "$runner"
check_equal 'and reads them' "$(tail -n 1 "$VTREE_TMP/out")" 'data two'
check_equal 'unmounted' "$(mounts_of org.vtree.Hello)" 0
expect_exit 0 f run org.vtree.Hello
check_equal 'its own files run' "$(cat "$VTREE_TMP/stdout")" 'hello two'
expect_exit 0 v flatpak unseal --all
expect_exit 0 v flatpak list
check 'nothing is sealed any more' not grep -qv 'unsealed$' "$VTREE_TMP/stdout"
check 'nobody is left' wait_until 10 nobody_serves
