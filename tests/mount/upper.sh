#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Writable layers: what a run or a mount changes persists or vanishes as asked, is shown
# by `upper diff`, dropped by `upper reset`, and the signed tree stays what it was.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
command -v bwrap >/dev/null || skip 'bubblewrap is not installed'
command -v fuse-overlayfs >/dev/null || skip 'fuse-overlayfs is not installed'
run_as_user bwrap --ro-bind / / --unshare-all true || skip 'no user namespaces for users'

# The leak checker can't look at a process of another PID namespace.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

# make_root DIR: a tree with programs of this machine, the libraries they need, and /etc.
make_root() {
  local program library
  mkdir -p "$1/usr/bin" "$1/etc/old" "$1/etc/kept"
  ln -s usr/bin "$1/bin"
  ln -s usr/lib "$1/lib"
  ln -s usr/lib64 "$1/lib64"
  for program in dash cat rm mkdir chmod sleep; do
    cp "$(readlink -f "$(command -v $program)")" "$1/usr/bin/$program"
    ldd "$(command -v $program)" | grep -o '/[^ ]*' | while read -r library; do
      mkdir -p "$1/usr/$(dirname "${library#/usr}")"
      cp -L "$library" "$1/usr/${library#/usr}"
    done
  done
  ln -s dash "$1/usr/bin/sh"
  echo signed >"$1/etc/issue"
  echo mode >"$1/etc/mode"
  echo gone >"$1/etc/gone"
  echo one >"$1/etc/old/one"
  echo same >"$1/etc/kept/same"
  head -c 300000 /dev/urandom >"$1/etc/large"
}

# What a command changes, and what is to be seen of it.
change='echo changed >/etc/issue; echo new >/etc/new; rm /etc/gone; chmod 0600 /etc/mode
rm -r /etc/old; mkdir /etc/old; echo two >/etc/old/two; cat /etc/issue'
changes=$'D\tetc/gone\nM\tetc/issue\tcontent,mtime\nM\tetc/mode\tmode\nA\tetc/new\nD\tetc/old/one\nA\tetc/old/two'

# run_writable WHO DIR: by who runs `vtree run --writable`; DIR is theirs.
run_writable() {
  local who=$1 dir=$2 pid manifest
  manifest=$("$who" vtree show os/small | sed -n 's/^manifest: *//p')
  expect_exit 0 "$who" vtree run small --writable -- sh -c "$change"
  check_equal 'it sees what it wrote' "$(cat "$VTREE_TMP/stdout")" changed
  expect_exit 0 "$who" vtree run small --writable -- cat /etc/issue
  check_equal 'which ended with it' "$(cat "$VTREE_TMP/stdout")" signed
  expect_exit 0 "$who" vtree run small "--writable=$dir" -- sh -c "$change"
  expect_exit 0 "$who" vtree run small "--writable=$dir" -- cat /etc/issue /etc/old/two
  check_equal 'this one is kept' "$(tr '\n' ' ' <"$VTREE_TMP/stdout")" 'changed two '
  expect_exit 1 "$who" vtree run small "--writable=$dir" -- cat /etc/gone
  expect_exit 0 "$who" vtree upper diff "$dir"
  check_equal 'what was changed' "$(cat "$VTREE_TMP/stdout")" "$changes"
  expect_exit 1 "$who" vtree upper diff --exit-code "$dir"
  check 'as JSON' "$who" bash -c "vtree upper diff --json $dir |
    python3 -c 'import json, sys; assert len(json.load(sys.stdin)[\"changes\"]) == 6'"
  expect_exit 0 "$who" vtree run small -- cat /etc/issue
  check_equal 'the signed tree is what it was' "$(cat "$VTREE_TMP/stdout")" signed
  check_equal 'its digest too' \
    "$("$who" vtree show os/small | sed -n 's/^manifest: *//p')" "$manifest"

  # names and contents never come from elsewhere in the tree
  expect_exit 0 "$who" vtree run small --writable -- cat /proc/self/mountinfo
  expect_stdout ' /etc .* overlay .*,redirect_dir=nofollow[, ]'
  check 'no metacopy' not grep -q metacopy=on "$VTREE_TMP/stdout"

  # one at a time
  : >"$VTREE_TMP/out" # the other user's run said the same
  "$who" vtree run small "--writable=$dir" -- sh -c 'echo in; sleep 60' >"$VTREE_TMP/out" &
  pid=$!
  check 'one is in it' wait_until 20 grep -q in "$VTREE_TMP/out"
  expect_exit 8 "$who" vtree run small "--writable=$dir" -- cat /etc/issue
  expect_stderr_line 'is in use'
  expect_exit 8 "$who" vtree upper reset "$dir"
  pkill -o -f "^vtree run small --writable=$dir" || true
  wait "$pid" || true

  echo malformed >"$dir/origin"
  expect_exit 6 "$who" vtree upper diff "$dir"
  expect_exit 0 "$who" vtree upper reset "$dir"
  expect_exit 7 "$who" vtree upper diff "$dir"
  expect_stderr_line 'is no writable layer'
  expect_exit 0 "$who" vtree run small "--writable=$dir" -- cat /etc/issue
  check_equal 'dropped' "$(cat "$VTREE_TMP/stdout")" signed
  expect_exit 0 "$who" vtree upper diff --exit-code "$dir"
}

# rebase WHO DIR: the changes belong to one tree.
rebase() {
  local who=$1 dir=$2
  expect_exit 0 "$who" vtree run small "--writable=$dir" -- sh -c 'echo mine >/etc/new'
  echo newer >"$VTREE_TMP/tree/etc/issue"
  "$who" vtree commit os/small "$VTREE_TMP/tree" --quiet >/dev/null
  "$who" vtree upgrade --quiet small >/dev/null
  expect_exit 1 "$who" vtree run small "--writable=$dir" -- cat /etc/new
  expect_stderr_line 'has changes to another tree .sha256:.*--rebase'
  expect_exit 0 "$who" vtree run small "--writable=$dir" --rebase -- cat /etc/issue /etc/new
  check_equal 'on the new tree' "$(tr '\n' ' ' <"$VTREE_TMP/stdout")" 'newer mine '
  echo signed >"$VTREE_TMP/tree/etc/issue"
  mkdir -p "$dir-other"
  : >"$dir-other/file"
  [ "$who" = as_isolated_root ] || chown -R 65534:65534 "$dir-other"
  expect_exit 2 "$who" vtree run small "--writable=$dir-other" -- cat /etc/issue
  expect_stderr_line 'is not empty, and no writable layer'
  check 'it is left alone' test -e "$dir-other/file"
}

# mount_upper WHO DIR
mount_upper() {
  local who=$1 dir=$2 object
  expect_exit 0 "$who" vtree mount os/small "$dir-m" "--upper=$dir"
  check_equal 'the tree' "$("$who" cat "$dir-m/etc/issue")" \
    "$("$who" cat "$dir/lower/etc/issue")"
  check 'without metacopy' not grep -q " $dir-m .*metacopy=on" /proc/self/mountinfo
  check 'it can be changed' "$who" sh -c "cd $dir-m && echo changed >etc/issue && rm etc/gone"
  check_equal 'and is' "$("$who" cat "$dir-m/etc/issue")" changed
  expect_exit 0 "$who" vtree upper diff "$dir"
  check_equal 'what was changed' "$(cat "$VTREE_TMP/stdout")" \
    $'D\tetc/gone\nM\tetc/issue\tcontent,mtime'
  expect_exit 8 "$who" vtree mount os/small "$dir-m2" "--upper=$dir"
  expect_stderr_line "is mounted; .vtree umount. first"
  expect_exit 8 "$who" vtree upper reset "$dir"
  expect_exit 0 "$who" vtree umount "$dir-m"
  check_equal 'both are unmounted' "$(vtree_mount_points | grep -c "^$dir")" 0
  expect_exit 0 "$who" vtree mount --quiet -o verity=off os/small "$dir-m" "--upper=$dir"
  check_equal 'nothing is said' "$(cat "$VTREE_TMP/stderr")" ''
  check_equal 'it was kept' "$("$who" cat "$dir-m/etc/issue")" changed
  expect_exit 0 "$who" vtree umount --all
  check_equal 'all are unmounted' "$(vtree_mount_points | grep -c "^$dir")" 0
  expect_exit 0 "$who" vtree upper reset "$dir"

  # verified below, as ever
  object=$("$who" vtree stat os/small:etc/large | sed -n 's/^digest: sha256://p')
  object=$3/objects/${object:0:2}/${object:2}
  flip_byte "$object" 200000
  expect_exit 0 "$who" vtree mount os/small "$dir-m" "--upper=$dir"
  check 'a tampered file is EIO' read_as "$who" "$dir-m/etc/large"
  check 'and can not be copied up' not "$who" sh -c "echo x >>$dir-m/etc/large"
  flip_byte "$object" 200000
  expect_exit 0 "$who" vtree umount "$dir-m"
}

read_as() {
  ! LC_ALL=C "$1" cat "$2" >/dev/null 2>"$VTREE_TMP/read" \
    && grep -q 'Input/output error' "$VTREE_TMP/read"
}

# all WHO DIR REPO
all() {
  "$1" vtree init --quiet >/dev/null 2>&1
  "$1" vtree commit os/small "$VTREE_TMP/tree" --quiet >/dev/null
  "$1" vtree deploy small os/small --quiet >/dev/null
  run_writable "$1" "$2"
  rebase "$1" "$2"
  mount_upper "$1" "$2-mounted" "$3"
}

# What overlayfs wrote is captured when that is asked for.
overlay_xattrs() {
  mkdir "$VTREE_TMP/layer"
  setfattr -n user.overlay.opaque -v y "$VTREE_TMP/layer"
  setfattr -n user.other -v z "$VTREE_TMP/layer"
  captures '' 'user.other'
  captures --xattrs=user.* 'user.other'
  captures --xattrs= ''
  captures --overlay-xattrs 'user.other user.overlay.opaque'
  captures '--xattrs=none --overlay-xattrs' 'user.overlay.opaque'
}

# captures OPTIONS NAMES
captures() {
  local options
  read -ra options <<<"$1"
  run_as_user vtree commit layer "$VTREE_TMP/layer" --quiet "${options[@]}" >/dev/null
  check_equal "xattrs with '$1'" "$(run_as_user vtree stat --json layer:/ \
    | python3 -c 'import json, sys
print(*(xattr["name"] for xattr in json.load(sys.stdin)["xattrs"]))')" "$2"
}

make_root "$VTREE_TMP/tree"
command -v fusermount3 >/dev/null || skip 'fusermount3 is not installed'
all run_as_user "$VTREE_USER_HOME/layer" "$VTREE_USER_HOME/.local/share/vtree/repo"
overlay_xattrs
run_as_user vtree umount --all
check 'nobody is left' wait_until 10 nobody_serves
if [ "$EUID" = 0 ]; then
  all as_isolated_root "$VTREE_TMP/root/layer" /var/lib/vtree/repo
  expect_exit 2 as_isolated_root vtree mount os/small "$m" --upper=x --foreground
  as_isolated_root vtree umount --all
  check 'nobody is left of them' wait_until 10 nobody_serves
fi
