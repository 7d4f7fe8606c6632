#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# prefetch=: small files come without being asked for; only what was signed does; the
# daemon can be ended and killed in the midst of it.
pack_threshold=0 # what is done to an object is done to its file
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
[ "$(nproc)" -gt 1 ] || prefetch=4194304 # what auto means elsewhere
install_helper

mkdir src
for d in $(seq 30); do
  mkdir "src/d$d"
  for f in $(seq 10 49); do
    head -c $((d * 40 + f)) /dev/urandom >"src/d$d/f$f"
  done
  head -c 300000 /dev/urandom >"src/d$d/large"
done
files=$(find src -type f | wc -l)
commit_app src

reads() {
  counter requests_read
}
# asked_less: fewer READs than files were read.
asked_less() {
  [ "$(reads)" -lt "$files" ]
}
# ahead COUNT: so many files at least have been pushed.
ahead() {
  [ "$(counter prefetched_files)" -ge "$1" ]
}
# second_reads: how many READs a second pass costs.
second_reads() {
  local before
  before=$(reads)
  cat "$m"/*/* >/dev/null
  echo $(($(reads) - before))
}

# what it does
mount_app
check 'all of it is right' diff -r src "$m"
check 'files were pushed' ahead 100
check 'so that fewer were asked for' asked_less
check_equal 'no failure' "$(counter failures)" 0
check_equal 'status of a file that was pushed, or read' "$(vtree status --json "$m/d7/f20" \
  | python3 -c 'import json, sys; print(json.load(sys.stdin)["mounts"][0]["object"]["state"])')" \
  verified
unmount_app

# one reader of one directory: the rest of it comes by itself
mount_app
ls -l "$m/d1" >/dev/null
cat "$m/d1/f10" >/dev/null
check 'all others of that directory' wait_until 10 ahead 39
check_equal 'and none of another' "$(counter prefetched_files)" 39
before=$(reads)
cat "$m"/d1/f* >/dev/null
check_equal 'so that nothing more is asked for' "$(reads)" "$before"
unmount_app

# in no order
mount_app
find "$m" -type f -printf '%P\0' | sort -zR >list
(cd "$m" && xargs -0 sha256sum) <list >got
(cd src && sha256sum --quiet -c ../got) >wrong 2>&1 || true
check_equal 'in no order: all of it is right' "$(cat wrong)" ''
check 'and fewer were asked for' asked_less
unmount_app

# off, and a bound
mount_app prefetch=off
check 'off: all of it is right' diff -r src "$m"
check_equal 'off: nothing is pushed' "$(counter prefetched_files)" 0
unmount_app
mount_app prefetch=100
check 'a bound: all of it is right' diff -r src "$m"
unmount_app
expect_exit 1 mount -t fuse.vtree "$repo:app" "$m" -o prefetch=much
expect_stderr_line 'mount option prefetch: "much" is not auto, off, or a number of bytes'

# on one processor
taskset -c 0 mount -t fuse.vtree "$repo:app" "$m" -o "log=$VTREE_TMP/log"
check 'one processor: all of it is right' diff -r src "$m"
check_equal 'one processor: nothing is pushed' "$(counter prefetched_files)" 0
unmount_app

# open=checked keeps the page cache, too; passthrough has none to push into
mount_app open=checked
check 'open=checked: all of it is right' diff -r src "$m"
check 'open=checked: files were pushed' ahead 100
unmount_app
mount_app io=passthrough
check 'io=passthrough: all of it is right' diff -r src "$m"
check_equal 'io=passthrough: nothing is pushed' "$(counter prefetched_files)" 0
unmount_app

# what is not what was signed is never pushed: EIO for who reads it
mkdir kept
cp -a "$repo/objects" kept
for d in $(seq 30); do
  flip_byte "$(object_of "src/d$d/f2$((d % 10))")" 3
done
mount_app
wrong=0 right=0
for d in $(seq 30); do
  ls -l "$m/d$d" >/dev/null
  for f in "$m/d$d"/*; do
    if [ "${f##*/}" = "f2$((d % 10))" ]; then
      read_fails "$f" EIO || wrong=$((wrong + 1))
    else
      cmp -s "$f" "src/d$d/${f##*/}" && right=$((right + 1))
    fi
  done
done
check_equal 'damaged ones are EIO' "$wrong" 0
check_equal 'all others are right' "$right" $((files - 30))
check 'who read them was told, and it was counted' [ "$(counter failures)" -ge 30 ]
unmount_app
chmod -R u+w "$repo/objects"
rm -r "$repo/objects"
mv kept/objects "$repo/objects"

# where there is no connection to push by, all is served as ever
mount_app
: >nothing
mount --bind nothing /dev/fuse
check 'nothing to push by: all of it is right' diff -r src "$m"
check_equal 'and it comes by being asked for' "$(counter prefetched_files)" 0
check_equal 'it is said, once' "$(grep -c 'prefetch: nothing can be read ahead: /dev/fuse' "$VTREE_TMP/log")" 1
umount /dev/fuse
unmount_app

# ended, killed and crashed while it pushes
scan() {
  cat "$m"/*/* >/dev/null 2>&1 || true
}
daemon() {
  counter pid
}
gone() {
  ! kill -0 "$1" 2>/dev/null
}
for signal in TERM KILL ABRT; do
  for round in 1 2 3 4 5 6 7 8; do
    mount_app
    pid=$(daemon)
    scan &
    first=$!
    scan &
    second=$!
    sleep "0.0$((round * 3 % 10))"
    kill "-$signal" "$pid"
    check "$signal, $round: the daemon ends" wait_until 20 gone "$pid"
    check "$signal, $round: so does the keeper" wait_until 20 nobody_serves
    wait "$first" "$second"
    umount -l "$m" 2>/dev/null || true
  done
done
