#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# gc and refs --delete, killed before each removal: the repository is sound, and the next
# gc leaves nothing of what they were at.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

command -v strace >/dev/null || skip "no strace"
as_who strace -f -o /dev/null -e inject=getppid:signal=KILL true 2>/dev/null ||
  skip "no ptrace here, or a strace that can't kill"

make_tree "$VTREE_TMP/tree"
v init --quiet >/dev/null
for i in 1 2 3; do
  echo "$i" >"$VTREE_TMP/tree/number"
  v commit r "$VTREE_TMP/tree" --quiet >/dev/null
  v commit some/other "$VTREE_TMP/tree" --quiet >/dev/null
done
cp -a "$repo" "$VTREE_TMP/before"

# killed N VERB...: runs vtree VERB and kills it at its Nth removal; fails when it had no
# so many.
killed() {
  local n=$1 status=0
  shift
  # LeakSanitizer can't look at what another tracer holds.
  local -x ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
  as_who strace -f -o /dev/null -e trace=unlinkat \
    -e inject=unlinkat:signal=KILL:when="$n" vtree "$@" >/dev/null 2>&1 || status=$?
  [ "$status" -ge 128 ]
}

# orphans: signatures without their statement.
orphans() {
  local sig
  find "$repo/refs" -name '*.sig' | while read -r sig; do
    [ -e "${sig%.sig}.root" ] || echo "$sig"
  done
}

# every_removal EXPECTED VERB...: as the heading says; what refs says in the end.
every_removal() {
  local expected=$1 n left=0 bad=''
  shift
  for ((n = 1; ; n++)); do
    rm -rf "$repo"
    cp -a "$VTREE_TMP/before" "$repo"
    killed "$n" "$@" || break
    [ -z "$(orphans)" ] || left=$((left + 1))
    { v fsck && v gc --keep=1 && v fsck; } >"$VTREE_TMP/out" 2>&1 || bad+=" $n:sound"
    [ -z "$(orphans)" ] || bad+=" $n:orphan"
    if [ "$1" = refs ]; then
      v "$@" --quiet >/dev/null 2>&1 || true # 7: nothing was left of it
      v gc --keep=1 --quiet
      [ ! -e "$repo/refs/some" ] || bad+=" $n:directory"
    fi
    [ "$(v refs 2>&1)" = "$expected" ] || bad+=" $n:refs"
  done
  check_equal "$*: sound after each of $((n - 1)) kills" "$bad" ''
  check "$*: some of them were between a statement and its signature" [ "$left" -ge 2 ]
}

every_removal $'r 3 1\nsome/other 3 1' gc --keep=1
every_removal 'r 3 1' refs --delete=some/other
