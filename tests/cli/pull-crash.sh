#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# pull, killed at each system call that puts something into its place: the repository is
# sound, the ref names a whole version or none, and the next pull completes it.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

command -v strace >/dev/null || skip "no strace"
as_who strace -f -o /dev/null -e inject=getppid:signal=KILL true 2>/dev/null ||
  skip "no ptrace here, or a strace that can't kill"

from=$VTREE_USER_HOME/from
make_tree "$VTREE_TMP/tree"
v init --quiet --repo="$from" >/dev/null
v commit r "$VTREE_TMP/tree" --repo="$from" --quiet >/dev/null
v init --quiet >/dev/null
cp -a "$repo" "$VTREE_TMP/before"

# killed CALL N: runs the pull and kills it at its Nth call; fails when it had no so many.
killed() {
  local status=0
  # LeakSanitizer can't look at what another tracer holds.
  local -x ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
  as_who strace -f -o /dev/null -e trace="$1" -e inject="$1:signal=KILL:when=$2" \
    vtree pull --threads=1 "$from" r >/dev/null 2>&1 || status=$?
  [ "$status" -ge 128 ]
}

for call in renameat renameat2 syncfs fsync; do
  bad=''
  for ((n = 1; ; n++)); do
    rm -rf "$repo"
    cp -a "$VTREE_TMP/before" "$repo"
    killed "$call" "$n" || break
    refs=$(v refs)
    case $refs in
      '' | 'r - 0' | 'r - 1' | 'r 1 1') ;;
      *) bad+=" $n:$refs" ;;
    esac
    [ "$refs" != 'r 1 1' ] || v verify r >"$VTREE_TMP/out" 2>&1 || bad+=" $n:head"
    v fsck >"$VTREE_TMP/out" 2>&1 || bad+=" $n:sound"
    v pull "$from" r >"$VTREE_TMP/out" 2>&1 || bad+=" $n:again"
    [ "$(v refs)" = 'r 1 1' ] || bad+=" $n:whole"
    { v verify r && v fsck; } >"$VTREE_TMP/out" 2>&1 || bad+=" $n:fsck"
    [ -z "$(ls -A "$repo/tmp")" ] || bad+=" $n:tmp"
  done
  check_equal "$call: sound after each of $((n - 1)) kills" "$bad" ''
done
