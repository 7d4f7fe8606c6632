#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A commit syncs the filesystem twice in all, however many files there are, and only
# what it publishes by itself (statement, signatures, head and mark) one by one: counted
# by strace.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

command -v strace >/dev/null || skip "no strace"
as_who strace -o "$VTREE_USER_HOME/probe" true 2>/dev/null || skip "no ptrace here"

# count CALL: how often the last traced command made it.
count() {
  awk -v call="$1" '$NF == call { n += $4 } END { print n + 0 }' "$VTREE_TMP/calls"
}

# traced ARGUMENT...: runs vtree, counting its system calls. A traced process can't look
# for leaks: LeakSanitizer traces itself.
traced() {
  local -x ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
  : >"$VTREE_TMP/calls"
  chmod 0666 "$VTREE_TMP/calls"
  expect_exit 0 as_who strace -f -c -o "$VTREE_TMP/calls" vtree "$@"
}

v init --quiet >/dev/null 2>&1
for files in 1 10 400; do
  mkdir "$VTREE_TMP/tree-$files"
  for ((i = 0; i < files; i++)); do
    echo "$files-$i" >"$VTREE_TMP/tree-$files/$i"
  done
  traced commit "app$files" "$VTREE_TMP/tree-$files" --quiet
  check_equal "$files files: syncfs" "$(count syncfs)" 2
  fsyncs=$(($(count fsync) + $(count fdatasync)))
  echo "$files files: $fsyncs times fsync"
  : "${expected:=$fsyncs}"
  check_equal "$files files: fsync, as for one file" "$fsyncs" "$expected"
done
