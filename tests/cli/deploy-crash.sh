#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# deploy, upgrade, rollback, undeploy and gc, killed at each system call that changes a
# name: `active` names a whole version or there is none, and the next command recovers.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

command -v strace >/dev/null || skip "no strace"
as_who strace -f -o /dev/null -e inject=getppid:signal=KILL true 2>/dev/null ||
  skip "no ptrace here, or a strace that can't kill"

deploy=$VTREE_USER_HOME/.local/share/vtree/deploy
tree=$VTREE_TMP/tree
mkdir "$tree"
v init --quiet >/dev/null
for i in 1 2 3 4; do
  echo "$i" >"$tree/number"
  v commit r "$tree" --quiet >/dev/null
  v deploy "at$i" r --quiet >/dev/null # keeps that version
done

# killed CALL N VERB...: kills it at its Nth call; fails when it had no so many.
killed() {
  local call=$1 n=$2 status=0
  shift 2
  # LeakSanitizer can't look at what another tracer holds.
  local -x ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
  as_who strace -f -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$n" \
    vtree "$@" >/dev/null 2>&1 || status=$?
  [ "$status" -ge 128 ]
}

# whole: what `active` names is there, with its origin and its manifest.
whole() {
  local version
  [ -L "$deploy/x/active" ] || return 0
  version=$(readlink "$deploy/x/active")
  grep -qx "version: $version" "$deploy/x/$version/origin" && v verify "r@$version"
}

# recovers VERB...: the same command, and then a deploy, an upgrade and an undeploy.
recovers() {
  { v "$@" || [ "$1" != upgrade ]; } && v list && v deploy x r && whole &&
    [ "$(readlink "$deploy/x/active")" = 4 ] && v undeploy x && v fsck
}

# every_moment NAME VERB...: from what NAME has prepared.
every_moment() {
  local prepare=$1 call n bad='' moments=0
  shift
  for call in renameat renameat2 symlinkat unlinkat mkdirat fsync; do
    for ((n = 1; ; n++)); do
      rm -rf "$deploy/x"
      "$prepare" >"$VTREE_TMP/out" 2>&1
      killed "$call" "$n" "$@" || break
      moments=$((moments + 1))
      whole >"$VTREE_TMP/out" 2>&1 || bad+=" $call:$n:active"
      recovers "$@" >"$VTREE_TMP/out" 2>&1 || bad+=" $call:$n:recovers"
    done
  done
  check_equal "$*: sound after each of $moments kills" "$bad" ''
  check "$*: there were some" [ "$moments" -ge 3 ]
}

nothing() { :; }
two() { v deploy x r@1 && v deploy x r@2; }
rolled() { two && v deploy x r@3; }

cp -a "$repo" "$VTREE_TMP/repo"
doomed() {
  rm -rf "$repo"
  cp -a "$VTREE_TMP/repo" "$repo"
  v undeploy at3 || true # the first time alone it is there
  two
}

every_moment nothing deploy x r
every_moment two upgrade x
every_moment rolled rollback x
every_moment rolled undeploy x
every_moment doomed gc --keep=1
