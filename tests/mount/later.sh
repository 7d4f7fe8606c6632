#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A huge object whose Merkle file is missing or bad: it is computed beside the requests.
# Its readers wait, more of them than there are threads; all others go on; who is
# interrupted is let go, and so is everybody at the end. The repository lies on a file
# system that stops reading the object where it is told to, so nothing depends on time.
prefetch=off
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper

MIB=1048576
# Readers read what stands before, each a part of its own; computing gets stuck here.
STUCK=$((8 * MIB))
mkdir src src/dir slow
head -c $((9 * MIB)) /dev/urandom >src/large
truncate -s $((64 * MIB)) src/large
for n in 1 2 3 4 5 6; do
  dd if=src/large bs=$MIB skip="$n" count=1 of="part.$n" 2>/dev/null
done
for f in $(seq 20); do
  head -c 9000 /dev/urandom >"src/dir/$f"
done
head -c 3000000 /dev/urandom >src/other
commit_app src
true_repo=$VTREE_TMP/repo
cp -a "$repo" "$true_repo"
hex=$(fsverity digest --compact src/large)
merkle=$true_repo/merkle/${hex:0:2}/${hex:2}
cp "$merkle" good-merkle
"$VTREE_BUILD_DIR/tests/programs/forge-measure" "$true_repo" slow "${hex:2}"

mount_slow() {
  mkdir -p "$m"
  mount.fuse.vtree "$VTREE_TMP/slow:app" "$m" -o "log=$VTREE_TMP/log${1:+,$1}"
}
stall_at() {
  echo "$1" >stalling.new
  mv stalling.new "$true_repo.stalling"
}
go_on() {
  rm -f "$true_repo.stalling" "$true_repo.stalled"
}
is_stuck() {
  [ -e "$true_repo.stalled" ]
}
large_state() {
  vtree status --json "$m/large" | python3 -c 'import json, sys
print(json.load(sys.stdin)["mounts"][0]["object"]["state"])'
}
# start_readers: so many that there would be no thread for anybody else.
readers=()
start_readers() {
  local n
  readers=()
  for n in 1 2 3 4 5 6; do
    : >"got.$n"
  done
  for n in 1 2 3 4 5 6; do
    dd if="$m/large" bs=$MIB skip="$n" count=1 of="got.$n" 2>/dev/null &
    readers+=($!)
  done
}
nobody_has_read() {
  [ "$(cat got.* | wc -c)" = 0 ]
}
all_have_read() {
  local n
  for n in "${!readers[@]}"; do
    wait "${readers[n]}" || return
    cmp "got.$((n + 1))" "part.$((n + 1))" || return
  done
}
all_have_failed() {
  local reader
  for reader in "${readers[@]}"; do
    ! wait "$reader" || return
  done
  nobody_has_read
}
# has_gone PID: nothing is left of it but what its parent has to be told.
has_gone() {
  [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}
soon() {
  timeout 20 "$@"
}
# Where they don't, the test has to come to its end all the same.
others_go_on() {
  soon ls -lR "$m" >/dev/null && soon diff -r src/dir "$m/dir" && soon cmp src/other "$m/other" \
    && soon stat "$m/large" >/dev/null && soon vtree status "$m" >/dev/null && return
  go_on
  return 1
}
unmount_slow() {
  umount "$m"
  wait_until 10 nobody_serves
}

for case in missing bad-root bad-leaf; do
  cp good-merkle "$merkle"
  case $case in
    missing) rm "$merkle" ;;
    bad-root) flip_byte "$merkle" 4096 ;;
    bad-leaf) for n in $(seq 14); do flip_byte "$merkle" $((8192 + 4096 * n)); done ;;
  esac
  mount_slow
  stall_at $STUCK
  start_readers
  check "$case: it is being computed" wait_until 20 is_stuck
  check "$case: others go on" others_go_on
  check "$case: readers wait" nobody_has_read
  [ "$case" = bad-leaf ] || check_equal "$case: not verified yet" "$(large_state)" 'not opened yet'

  kill -KILL "${readers[0]}"
  check "$case: who is killed goes" wait_until 20 has_gone "${readers[0]}"
  unset 'readers[0]'
  check "$case: the others wait on" nobody_has_read
  go_on
  check "$case: all get the right bytes" all_have_read
  check "$case: the rest too" cmp "$m/large" src/large
  check_equal "$case: verified" "$(large_state)" verified
  check_equal "$case: no failure" "$(counter failures)" 0
  unmount_slow
done

rm "$merkle"
mount_slow open=checked
stall_at $STUCK
start_readers
check 'open=checked: it is being computed' wait_until 20 is_stuck
check 'open=checked: others go on' others_go_on
# Who waits in open(2) waits for an answer, also when it is killed: the daemon has to let
# it go, and does while it computes. All have asked by now but the killed one's INTERRUPT
# may still be under way, hence some more of them.
kill -KILL "${readers[0]}"
for stop in 24 44 64; do
  stall_at $((stop * MIB - 1))
  wait_until 2 has_gone "${readers[0]}" || true
done
check 'open=checked: who is killed goes' has_gone "${readers[0]}"
unset 'readers[0]'
check 'open=checked: the others wait on' nobody_has_read
go_on
check 'open=checked: all get the right bytes' all_have_read
unmount_slow
check_equal 'nothing was logged' "$(cat "$VTREE_TMP/log")" ''

# The end, while readers wait: what is being done is given up before the next stop.
mount_slow
stall_at $STUCK
start_readers
check 'it is being computed' wait_until 20 is_stuck
kill "$(counter pid)"
stall_at $((60 * MIB))
check 'told to end: the daemon ends' wait_until 20 nobody_serves
check 'readers get errors' all_have_failed
go_on
mount_slow
stall_at $STUCK
start_readers
check 'it is being computed' wait_until 20 is_stuck
umount -l "$m"
check 'unmounted lazily: they wait on' nobody_has_read
go_on
check 'and get the right bytes' all_have_read
check 'then the daemon ends' wait_until 20 nobody_serves
mount_slow
stall_at $STUCK
start_readers
check 'it is being computed' wait_until 20 is_stuck
umount -f -l "$m"
check 'unmounted by force: readers get errors' all_have_failed
stall_at $((60 * MIB))
check 'and the daemon ends' wait_until 20 nobody_serves
go_on

# contents that are bad too: EIO for its readers, a line in the log
flip_byte "$true_repo/objects/${hex:0:2}/${hex:2}" $((50 * MIB))
mount_slow
stall_at $STUCK
start_readers
check 'it is being computed' wait_until 20 is_stuck
check 'others go on' others_go_on
go_on
check 'bad contents: EIO' all_have_failed
check 'it is logged' grep -q '/large: expected object sha256:.* found sha256:' "$VTREE_TMP/log"
check 'others go on' others_go_on
unmount_slow
umount slow
