#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# How many requests the daemon sees. The gates: a fresh walk takes at most 2.5 a
# directory, a fresh read 2.3 a file, a second pass none at all.
prefetch=off
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
# comes_to_nothing NAME COMMAND...: what it prints is 0, in one of five passes: the kernel
# drops single entries of its own accord, and the next pass shows that it was that.
comes_to_nothing() {
  local name=$1 got pass
  shift
  for pass in 1 2 3 4 5; do
    got=$("$@")
    [ "$got" != 0 ] || break
    echo "pass $pass of '$name': $got requests"
  done
  check_equal "$name" "$got" 0
}
# costs_nothing NAME COMMAND...: all of it is cached.
costs_nothing() {
  local name=$1
  shift
  comes_to_nothing "$name" cost "$@"
}
pass_over() {
  python3 "$VTREE_SOURCE_DIR/tests/mount/pass.py" "$1" "$m"
}


# drops: grows whenever the kernel drops what it has cached: told to by anybody on this
# machine (drop_caches), or short of memory.
drops() {
  grep -E '^(drop_pagecache|drop_slab|slabs_scanned|pgsteal_kswapd|pgsteal_direct) ' \
    /proc/vmstat | tr '\n' ' '
}
# undisturbed FUNCTION: a fresh mount, and what FUNCTION measures on it. What failed
# while caches were dropped counts for nothing: it is measured again, three times at
# most; a failure without that is one at once.
undisturbed() {
  local passed=$vtree_passed failed=$vtree_failed attempt before
  for attempt in 1 2 3 4; do
    vtree_passed=$passed vtree_failed=$failed
    before=$(drops)
    mount_app ${2:+"$2"}
    own_cost=$(own)
    "$1"
    unmount_app
    [ "$vtree_failed" != "$failed" ] && [ "$attempt" != 4 ] && [ "$(drops)" != "$before" ] ||
      return 0
    echo "DISTURBED: caches were dropped while $1 was measured, which failed; once more"
    echo "  before: $before"
    echo "  now:    $(drops)"
  done
}

fresh() {
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
}

# without reading any directory
(cd src && find . -type f) >list
pass_by_name() {
  python3 "$VTREE_SOURCE_DIR/tests/mount/pass.py" names "$m" <list
}
by_name() {
  at_most 'a fresh read by name, for each file' "$(cost pass_by_name)" 23 "$files"
  costs_nothing 'a second one' pass_by_name
}

reads() {
  local before
  before=$(counter requests_read)
  cost pass_over read >/dev/null
  echo $(($(counter requests_read) - before))
}
checked() {
  cost pass_over read >/dev/null
  check_equal 'open=checked: an OPEN for each' "$(counter requests_open)" "$files"
  check_equal 'and one OPENDIR' "$(counter requests_opendir)" 1
  comes_to_nothing 'the page cache is kept' reads
}

undisturbed fresh
undisturbed by_name
undisturbed checked open=checked
