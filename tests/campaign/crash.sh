#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of a commit at 50 random moments (a tenth: 5): half of them by the clock, half
# at a system call chosen by chance, where strace can do that. After each: the head is
# a whole version, fsck finds nothing, the next commit succeeds, fsck finds nothing still,
# and gc leaves no temporary file.
. "$(dirname "$0")/repository.sh"

moments=5
[ "$VTREE_CAMPAIGN" != full ] || moments=50
calls=(openat pwrite64 fchmod renameat renameat2 syncfs fsync mkdirat unlinkat close)

trees=("$VTREE_TMP/a" "$VTREE_TMP/b")

# commit_whole NAME TREE: a commit that is not killed; how long it takes is the measure
# for the next moment.
commit_whole() {
  local started
  started=$(date +%s%N)
  check "$1" v commit app "$2"
  milliseconds=$((($(date +%s%N) - started) / 1000000))
}

as_who vtree init --quiet >/dev/null 2>&1
for tree in "${trees[@]}"; do
  make_random_tree "$tree" "$tree" 800
  commit_whole "a commit of ${tree##*/}" "$tree"
done
echo "a commit takes $milliseconds ms"

injects=0
if strace -f -o /dev/null -e inject=getppid:signal=KILL true 2>/dev/null; then
  injects=1
  make_random_tree "${trees[0]}" counted 800
  : >"$VTREE_TMP/calls"
  chmod 0666 "$VTREE_TMP/calls"
  as_who strace -f -c -o "$VTREE_TMP/calls" vtree commit app "${trees[0]}" --quiet \
    >/dev/null
else
  echo "no strace, or no ptrace: all moments are chosen by the clock"
fi

# kill_by_clock TREE: within the time that the last whole commit took.
kill_by_clock() {
  local after=$((RANDOM * milliseconds / 32768))
  how="after $after ms"
  as_who timeout --foreground --signal=KILL \
    "$((after / 1000)).$(printf %03d $((after % 1000)))" \
    vtree commit app "$1" --quiet >/dev/null 2>&1
}

# kill_at_call TREE: when some thread makes its Nth call of a kind (most kinds are made
# by several threads, and counted for each).
kill_at_call() {
  local call=${calls[RANDOM % ${#calls[@]}]} count
  count=$(awk -v call="$call" '$NF == call { print $4 }' "$VTREE_TMP/calls")
  how="at $call number $((1 + RANDOM * ${count:-1} / 2 / 32768))"
  as_who strace -f -o /dev/null -e trace="$call" \
    -e inject="$call:signal=KILL:when=${how##* }" \
    vtree commit app "$1" --quiet >/dev/null 2>&1
}

# one_moment NUMBER
one_moment() {
  local status=0 how tree=${trees[$1 % 2]} next=${trees[($1 + 1) % 2]}
  rm -rf "$VTREE_TMP/out"
  make_random_tree "$tree" "$1" 800
  make_random_tree "$next" "$1" 800
  if [ "$injects" = 1 ] && [ $(($1 % 2)) = 0 ]; then
    kill_at_call "$tree" || status=$?
  else
    kill_by_clock "$tree" || status=$?
  fi
  case $status in
    0) finished=$((finished + 1)) ;;
    137) killed=$((killed + 1)) ;;
    *) fail "moment $1 ($how): killed or done" "exit $status" ;;
  esac
  check "moment $1 ($how): the head is a whole version" v verify app
  check "moment $1 ($how): fsck finds nothing" v fsck
  commit_whole "moment $1 ($how): the next commit succeeds" "$next"
  check "moment $1 ($how): fsck finds nothing beside it" v fsck
  check "moment $1 ($how): gc succeeds" v gc --keep=1
  no_temporary_files "moment $1 ($how): no temporary file is left"
  check "moment $1 ($how): fsck finds nothing after gc" v fsck
  check "moment $1 ($how): checkout" v checkout app "$VTREE_TMP/out"
  same_tree "moment $1 ($how): what was committed is there" "$next" "$VTREE_TMP/out"
}

killed=0
finished=0
[ "$(id -u)" != 0 ] || chmod 1777 "$VTREE_TMP"
# More moments, where chance or a busy machine let too many commits be done.
for ((i = 1; i <= moments || (killed * 3 < moments && i <= moments * 4); i++)); do
  one_moment "$i"
done
echo "killed $killed commits, $finished were done before"
check 'at least one in three was really killed' [ "$((killed * 3))" -ge "$moments" ]
