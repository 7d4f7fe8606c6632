#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Deltas where something else goes wrong: descriptors that are closed, pipes that end or
# drip, full disks, kill -9, others at work in the repository, and little memory. What
# the bytes of a delta may be is campaign/delta's and fuzz/delta's.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

more=$(dirname "$repo")/more
two=$more/two
log=$VTREE_TMP/log

# failed NAME STATUS: the last command failed with 1 and said so in one line of $log.
failed() {
  check_equal "$1: exit" "$2" 1
  check_equal "$1: one line" "$(wc -l <"$log")" 1
  check "$1: in our name" grep -q '^vtree delta ' "$log"
}
# clean NAME: the second repository has version 1 as its head, and nothing left over.
clean() {
  check_equal "$1: the head" "$(v refs --repo="$two")" 'app/r 1 1'
  check_equal "$1: nothing is left" "$(ls -A "$two/tmp")" ''
}
# back: the second repository as it was.
back() {
  as_who rm -rf "$two"
  as_who cp -a "$more/before" "$two"
}

v init --quiet >/dev/null 2>&1
as_who mkdir "$more"
make_tree src
head -c 9000000 /dev/urandom >src/usr/large
v commit --quiet app/r src >/dev/null
v init --repo="$two" --quiet >/dev/null 2>&1
v pull --repo="$two" "$repo" app/r --quiet >/dev/null
as_who cp -a "$two" "$more/before"
for ((i = 0; i < 400; i++)); do echo "$i" >"src/etc/$i"; done
head -c 20000000 /dev/urandom >src/usr/larger
v commit --quiet app/r src >/dev/null
v delta create --level=1 app/r@1 app/r >one.delta 2>/dev/null
chmod 0644 one.delta

# --- descriptors and pipes ----------------------------------------------------------------
status=0
v delta create app/r@1 app/r >/dev/full 2>"$log" || status=$?
failed 'create to a full disk' "$status"
status=0
v delta create app/r@1 app/r >&- 2>"$log" || status=$?
failed 'create without standard output' "$status"
{
  status=0
  v delta create --level=1 app/r@1 app/r 2>"$log" || status=$?
  echo "$status" >"$VTREE_TMP/status"
} | head -c 1000 >/dev/null
check_equal 'create into a pipe whose reader has gone' "$(cat "$VTREE_TMP/status")" 1
check_equal 'quietly, as with all output' "$(cat "$log")" ''
status=0
v delta apply --repo="$two" - <&- 2>"$log" || status=$?
failed 'apply without standard input' "$status"
status=0
v delta apply --repo="$two" "$more" 2>"$log" || status=$?
failed 'apply of a directory' "$status"
clean 'after all that'
drip() {
  python3 - "$1" <<'PYTHON'
import os, random, sys, time
draw = random.Random(1)
with open(sys.argv[1], "rb") as f:
    data = f.read()
at = 0
while at < len(data):
    size = draw.choice((1, 7, 4095, 65536, 65537, 1 << 20))
    at += os.write(1, data[at:at + size])
PYTHON
}
expect_exit 0 v delta apply --repo="$two" - < <(drip one.delta)
check_equal 'from a pipe that drips' "$(v refs --repo="$two")" 'app/r 2 2'
check 'whole' v fsck --repo="$two"
back
expect_exit 6 v delta apply --repo="$two" - < <(head -c 15000000 one.delta)
clean 'a pipe that ends early'

# --- two at once --------------------------------------------------------------------------
for round in 1 2 3; do
  v delta apply --repo="$two" --wait=60 one.delta >/dev/null 2>"$log.1" &
  first=$!
  v delta apply --repo="$two" --wait=60 one.delta >/dev/null 2>"$log.2" &
  second=$!
  status=0
  wait "$first" || status=1$?
  wait "$second" || status=2$?
  check_equal "two at once, $round" "$status" 0
  check_equal "two at once, $round: the head" "$(v refs --repo="$two")" 'app/r 2 2'
  check_equal "two at once, $round: nothing is left" "$(ls -A "$two/tmp")" ''
  check "two at once, $round: whole" v fsck --repo="$two"
  back
done

# --- while others work there --------------------------------------------------------------
for round in 1 2 3; do
  (
    while [ ! -e "$VTREE_TMP/stop" ]; do
      v repack --repo="$two" --all --wait=60 || true
      v gc --repo="$two" --wait=60 || true
    done >/dev/null 2>&1
  ) &
  other=$!
  expect_exit 0 v delta apply --repo="$two" --wait=60 one.delta
  touch "$VTREE_TMP/stop"
  wait "$other"
  rm "$VTREE_TMP/stop"
  check "beside repack and gc, $round: whole" v fsck --repo="$two"
  back
done

# --- kill -9 ------------------------------------------------------------------------------
bad=''
killed=0
for ((n = 0; n < 40; n++)); do
  as_who timeout -s KILL "0.$(printf %03d $((n * 2 + RANDOM % 3)))" \
    vtree delta apply --repo="$two" "$PWD/one.delta" >/dev/null 2>&1 || killed=$((killed + 1))
  case $(v refs --repo="$two") in
    'app/r 1 1' | 'app/r 1 2' | 'app/r 2 2') ;;
    *) bad+=" $n:$(v refs --repo="$two")" ;;
  esac
  v fsck --repo="$two" >/dev/null 2>"$log" || bad+=" $n:fsck"
  v delta apply --repo="$two" one.delta >/dev/null 2>"$log" || bad+=" $n:again"
  # Who is killed may still be on its way out, and hold its directory: the next removes it.
  [ -z "$(ls -A "$two/tmp")" ] || v gc --quiet --repo="$two" 2>"$log" || bad+=" $n:gc"
  [ -z "$(ls -A "$two/tmp")" ] || bad+=" $n:tmp"
  [ "$(v refs --repo="$two")" = 'app/r 2 2' ] || bad+=" $n:head"
  back
done
check_equal "sound after each of $killed kills" "$bad" ''

# --- memory -------------------------------------------------------------------------------
# peak COMMAND...: the most that it had resident, KiB.
peak() {
  as_who /usr/bin/python3 -c '
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=open("/dev/null", "w"),
                         stderr=subprocess.STDOUT)
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$@"
}
mkdir large
head -c 100000000 /dev/zero | openssl enc -aes-128-ctr -nosalt -K 0 -iv 0 2>/dev/null >large/a
v commit --quiet large large >/dev/null
{
  head -c 50000000 large/a
  echo more
  tail -c +50000001 large/a
} >large/b
mv large/b large/a
v commit --quiet large large >/dev/null
v delta create --level=1 --from-empty large@1 2>/dev/null >"$VTREE_TMP/l1"
v delta create --level=1 large@1 large 2>/dev/null >"$VTREE_TMP/l2"
chmod 0644 "$VTREE_TMP"/l?
v init --repo="$more/large" --quiet >/dev/null 2>&1
for n in 1 2; do
  said=$(peak vtree delta apply --force --repo="$more/large" "$VTREE_TMP/l$n")
  check_equal "applied, $n" "${said% *}" 0
  check "apply of 100 MB stays below 64 MiB: ${said#* } KiB, $n" [ "${said#* }" -lt 65536 ]
done
check 'whole' v fsck --repo="$more/large"

# --- full disks ---------------------------------------------------------------------------
[ "$(id -u)" = 0 ] || exit 0
small=$VTREE_TMP/small
mkdir "$small"
mount -t tmpfs -o size=4M,mode=1777 tmpfs "$small"
status=0
TMPDIR=$small v delta apply --repo="$two" one.delta 2>"$log" || status=$?
failed 'no room for the parts of an object' "$status"
check 'it says what is full' grep -q 'No space left' "$log"
clean 'no room for the parts of an object'
umount "$small"
mount -t tmpfs -o size=34M,mode=1777 tmpfs "$small"
as_who cp -a "$more/before" "$small/two"
for room in 0 8 64 300 1000 3000 8000 15000; do
  rm -f "$small/ballast"
  free=$(df --output=avail -k "$small" | tail -n 1)
  fallocate -l "$((free - room))K" "$small/ballast"
  status=0
  v delta apply --repo="$small/two" one.delta 2>"$log" || status=$?
  failed "a full repository, $room KiB" "$status"
  check_equal "$room KiB: the head" "$(v refs --repo="$small/two")" 'app/r 1 1'
  check_equal "$room KiB: nothing is left" "$(ls -A "$small/two/tmp")" ''
  check "$room KiB: sound" v fsck --repo="$small/two"
done
umount "$small"
