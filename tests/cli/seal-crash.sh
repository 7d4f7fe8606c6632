#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# seal and unseal, killed at every system call that changes anything: the file keeps its
# contents, nothing false is said of it, and doing it again completes it.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

command -v strace >/dev/null || skip "no strace"
home=$VTREE_TMP/${1:-user}
as_who strace -f -o /dev/null -e inject=getppid:signal=KILL true 2>/dev/null ||
  skip "no ptrace here, or a strace that can't kill"

calls=(ioctl fsetxattr fremovexattr fsync '/^rename' unlinkat fchmod '/^mkdir' flock
  utimensat ftruncate pwrite64 write)
file=$home/file
text='a line of text'

# killed CALL N VERB...: runs vtree VERB and kills it at its Nth CALL; fails when it had
# no so many.
killed() {
  local call=$1 n=$2 status=0
  shift 2
  # LeakSanitizer can't look at what another tracer holds.
  local -x ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
  as_who strace -f -o /dev/null -e trace="$call" \
    -e inject="$call":signal=KILL:when="$n" vtree "$@" >/dev/null 2>&1 || status=$?
  [ "$status" -ge 128 ]
}

# fresh: the file, not sealed, in a state that knows nothing of it.
fresh() {
  rm -f "$home"/file* "$home"/.tmp-*
  rm -rf "${state:?}/sealed" "$state/marks"
  # shellcheck disable=SC2016 # expanded by that shell
  as_who sh -c 'umask 022; printf "%s\n" "$2" >"$1"' sh "$file" "$text"
}

# exit_of COMMAND...: its exit status.
exit_of() {
  local status=0
  "$@" >/dev/null 2>&1 || status=$?
  echo "$status"
}

# is_whole: the contents are as they were, and check says nothing worse than "unsealed".
is_whole() {
  local status
  [ "$(cat "$file")" = "$text" ] || return 1
  status=$(exit_of v check "$file")
  [ "$status" = 0 ] || [ "$status" = 7 ]
}

completes_seal() {
  [ "$(exit_of v seal "$@" "$file")" = 0 ] && [ "$(exit_of v check "$file")" = 0 ] &&
    [ "$(exit_of v check --all)" = 0 ] && [ "$(stat -c %a "$file")" = 644 ]
}

completes_unseal() {
  local status
  status=$(exit_of v unseal "$file") # 7: it had been done
  # shellcheck disable=SC2016 # expanded by that shell
  { [ "$status" = 0 ] || [ "$status" = 7 ]; } && [ "$(exit_of v check "$file")" = 7 ] &&
    [ ! -e "$file.vsig" ] && as_who sh -c 'echo more >>"$1"' sh "$file"
}

# every_call NAME PREPARE VERIFY VERB...: as the heading says.
every_call() {
  local name=$1 prepare=$2 verify=$3 call n kills=0 bad=''
  shift 3
  for call in "${calls[@]}"; do
    for ((n = 1; n < 60; n++)); do
      $prepare
      killed "$call" "$n" "$@" || break
      kills=$((kills + 1))
      $verify || bad+=" $call:$n"
    done
  done
  check_equal "$name, killed $kills times" "$bad" ''
  [ "$kills" -ge 8 ] || fail "$name is killed at all" "$kills times"
}

seal_first() {
  fresh
  v seal "${form[@]}" --quiet "$file" >/dev/null
}

verify_seal() {
  is_whole && completes_seal "${form[@]}"
}

verify_unseal() {
  is_whole && completes_unseal
}

v key generate --quiet >/dev/null
for form in '' --detached; do
  read -ra form <<<"$form"
  every_call "seal ${form[*]}" fresh verify_seal seal "${form[@]}" --quiet "$file"
  every_call "seal again ${form[*]}" seal_first verify_seal \
    seal "${form[@]}" --quiet "$file"
  every_call "unseal ${form[*]}" seal_first verify_unseal unseal --quiet "$file"
done
