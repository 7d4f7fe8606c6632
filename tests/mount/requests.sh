#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# How many requests the daemon sees. The gates: a fresh walk takes at most 2.5 a
# directory, a fresh read 2.3 a file, a second pass none at all.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper

for d in $(seq 40); do
  mkdir -p "src/d$d"
  for f in $(seq 25); do
    echo "$d $f" >"src/d$d/f$f"
  done
  ln -s f1 "src/d$d/link"
done
dirs=$(find src -type d | wc -l)
files=$(find src -type f | wc -l)
commit_app src

# status itself costs requests: one ioctl, and what opening the directory takes; it is
# asked before and after, so that its own share (measured by asking twice) is known.
requests() {
  counter requests
}
own() {
  local before after least=1000
  for _ in 1 2 3; do
    before=$(requests)
    after=$(requests)
    [ $((after - before)) -ge "$least" ] || least=$((after - before))
  done
  echo "$least"
}
# cost COMMAND...: the requests that it makes.
cost() {
  local before after
  before=$(requests)
  "$@" >/dev/null
  after=$(requests)
  echo $((after - before - own_cost))
}
at_most() { # NAME GOT LIMIT*10 UNITS
  if [ $((10 * $2)) -le $(($3 * $4)) ]; then
    pass "$1: $2"
  else
    fail "$1" "$2 requests for $4, at most $3 tenths each"
  fi
}
# costs_nothing NAME COMMAND...: all of it is cached. The kernel may drop something of its
# own accord (short of memory, or told to by somebody else on this machine): then the next
# pass shows it.
costs_nothing() {
  local name=$1 cost
  shift
  for _ in 1 2 3 4 5; do
    cost=$(cost "$@")
    [ "$cost" != 0 ] || break
  done
  check_equal "$name" "$cost" 0
}
pass_over() {
  python3 "$VTREE_SOURCE_DIR/tests/mount/pass.py" "$1" "$m"
}

mount_app
own_cost=$(own)
at_most 'a status' "$own_cost" 10 1
at_most 'a fresh walk, for each directory' "$(cost pass_over walk)" 25 "$dirs"
costs_nothing 'a second walk' pass_over walk
at_most 'a fresh read after it, for each file' "$(cost pass_over read)" 11 "$files"
costs_nothing 'a second read' pass_over read
at_most 'links, each' "$(cost pass_over links)" 15 "$dirs"
costs_nothing 'links again' pass_over links
check_equal 'one OPEN' "$(counter requests_open)" 1
check_equal 'one OPENDIR' "$(counter requests_opendir)" 1
cost ls "$m/absent" >/dev/null 2>&1 || true
costs_nothing 'a name that is not there, again' test ! -e "$m/absent"
unmount_app

# without reading any directory
(cd src && find . -type f) >list
by_name() {
  python3 "$VTREE_SOURCE_DIR/tests/mount/pass.py" names "$m" <list
}
mount_app
own_cost=$(own)
at_most 'a fresh read by name, for each file' "$(cost by_name)" 23 "$files"
costs_nothing 'a second one' by_name
unmount_app

mount_app open=checked
own_cost=$(own)
cost pass_over read >/dev/null
check_equal 'open=checked: an OPEN for each' "$(counter requests_open)" "$files"
check_equal 'and one OPENDIR' "$(counter requests_opendir)" 1
reads() {
  local before
  before=$(counter requests_read)
  cost pass_over read >/dev/null
  echo $(($(counter requests_read) - before))
}
for _ in 1 2 3 4 5; do
  reads=$(reads)
  [ "$reads" != 0 ] || break
done
check_equal 'the page cache is kept' "$reads" 0
