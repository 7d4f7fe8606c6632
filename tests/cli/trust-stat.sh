#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# commit --trust-stat: the same digest as without it, whatever was changed, and files that
# look unchanged are not opened. The test runs as root and as a plain user (who.sh).
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/cli/who.sh"

case ${1:-user} in
  root) cache=/var/lib/vtree/cache ;;
  user) cache=$VTREE_USER_HOME/.cache/vtree ;;
esac

# both WHAT: commits src with the option and without it, as refs of their own; the same
# manifest.
both() {
  expect_exit 0 v commit --trust-stat fast src
  local fast
  fast=$(cat "$VTREE_TMP/stdout")
  cp "$VTREE_TMP/stderr" "$VTREE_TMP/fast.stderr"
  expect_exit 0 v commit slow src
  check_equal "the same digest: $1" "$fast" "$(cat "$VTREE_TMP/stdout")"
}
# trusted: how many files the last commit of both did not read.
trusted() {
  sed -n 's/^vtree commit: \([0-9]*\) files look unchanged.*/\1/p' "$VTREE_TMP/fast.stderr"
}

more=$(dirname "$repo")/more
v init --quiet >/dev/null 2>&1
as_who mkdir "$more"
make_tree src
for i in 1 2 3 4 5 6 7 8 9; do
  head -c "$((i * 3000))" /dev/urandom >"src/usr/f$i"
done
setfattr -n user.note -v signed src/usr/f1
chmod -R a+rX src
find src -exec touch -h -d '2026-01-01' {} +
sleep 3.1 # what has just changed is not remembered

both 'the first commit reads everything'
check_equal 'nothing is trusted yet' "$(trusted)" ''
check_equal 'the cache is the user.s alone' "$(stat -c %a "$cache"/stat)" 700
check_equal 'so is the file' "$(stat -c %a "$cache"/stat/*)" 600
check 'it is not in the repository' test -z "$(find "$repo" -name '*stat*')"
both 'unchanged'
check_equal 'every file with contents or without' "$(trusted)" 14

if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
  # LeakSanitizer can't look at what another tracer holds.
  old_options=${ASAN_OPTIONS:-}
  export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
  as_who strace -f -o "$more/trace" -e trace=openat,openat2 \
    vtree commit --trust-stat fast src >/dev/null 2>&1 || true
  check_equal 'only the file with an xattr is opened' \
    "$(grep 'openat(' "$more/trace" | grep -o '"f[1-9]"' | sort -u | tr '\n' ' ')" '"f1" '
  as_who strace -f -o "$more/trace" -e trace=openat,openat2 \
    vtree commit slow src >/dev/null 2>&1 || true
  check_equal 'without the option all are' \
    "$(grep 'openat(' "$more/trace" | grep -o '"f[1-9]"' | sort -u | wc -l)" 9
  export ASAN_OPTIONS=$old_options
  check 'and the cache is not looked at' sh -c \
    "! grep -q '/stat/' '$more/trace'"
fi

# --- what changes a file ------------------------------------------------------------------
# The same size, and the time put back: the change time tells.
head -c 6000 /dev/urandom >src/usr/f2
touch -d '2026-01-01' src/usr/f2
both 'other contents, the same size and time'
check_equal 'that one is read' "$(trusted)" 13
chmod 0755 src/usr/f3
both 'another mode'
setfattr -n user.more -v x src/usr/f4
both 'another xattr'
mv src/usr/f5 src/usr/moved
both 'another name'
cp -p src/usr/f6 src/usr/other && mv src/usr/other src/usr/f6
both 'another inode'
ln src/usr/f7 src/usr/twin
both 'another link'
rm src/usr/f8
echo 'not f8' >src/usr/f8
both 'removed and made again'
truncate -s 100 src/usr/f9
both 'cut'
: >src/etc/new-and-empty
both 'a new empty one'
expect_exit 0 v commit --trust-stat --xattrs=none fast src
fast=$(cat "$VTREE_TMP/stdout")
expect_exit 0 v commit --xattrs=none slow src
check_equal 'other xattrs are asked for' "$fast" "$(cat "$VTREE_TMP/stdout")"
both 'and the first ones again'

# What is written while the clock stands still is read again: no sleep here.
for i in 1 2 3; do
  printf '%s' "$i" >src/usr/racy
  both "written just before the commit, $i"
done

# --- what is wrong with the cache ---------------------------------------------------------
flip_byte "$(find "$cache/stat" -type f | head -n 1)" 100
both 'a damaged cache is none'
check_equal 'everything is read' "$(trusted)" ''
sleep 3.1
both 'once more'
: >"$(find "$cache/stat" -type f | head -n 1)"
both 'an empty cache is none'
as_who chmod 0777 "$cache/stat"
expect_exit 3 v commit --trust-stat fast src
check 'one that others may write is refused' grep -q 'trust stat' "$VTREE_TMP/stderr"
as_who chmod 0700 "$cache/stat"

# --- times that are what somebody says ----------------------------------------------------
# Two images have the same device number, inodes and times, one after the other.
if [ -c /dev/fuse ]; then
  mkdir image
  for i in 1 2; do
    echo "release $i" >image/release
    touch -d '2026-01-01' image/release image
    expect_exit 0 v commit image image
  done
  as_who mkdir "$more/mnt"
  for i in 1 2; do
    expect_exit 0 v mount "image@$i" "$more/mnt"
    expect_exit 0 v commit --trust-stat again "$more/mnt"
    fast=$(cat "$VTREE_TMP/stdout")
    cp "$VTREE_TMP/stderr" "$VTREE_TMP/fast.stderr"
    expect_exit 0 v commit again-slow "$more/mnt"
    check_equal "what is mounted now, $i" "$fast" "$(cat "$VTREE_TMP/stdout")"
    check_equal "is read, $i" "$(trusted)" ''
    expect_exit 0 v umount "$more/mnt"
  done
fi

# What the head names is not there any more: it is read again, and is there then.
both 'before'
both 'before'
digest=$(fsverity digest --compact src/usr/numbers)
check 'one that is a file' test -f "$repo/objects/${digest:0:2}/${digest:2}"
as_who rm "$repo/objects/${digest:0:2}/${digest:2}"
expect_exit 0 v commit --trust-stat fast src
expect_exit 0 v fsck fast

# A repository without the objects is not committed to as if it had them.
both 'before'
both 'before'
as_who rm -rf "$repo"
v init --quiet >/dev/null 2>&1
expect_exit 0 v commit --trust-stat --version=1000 fast src
expect_exit 0 v fsck
expect_exit 0 v checkout fast "$(dirname "$repo")/out"
