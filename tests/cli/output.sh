#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is told, where, and what happens when nobody listens; digest and measure.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

make_tree "$VTREE_TMP/tree"
v init --quiet >/dev/null
v commit r "$VTREE_TMP/tree" --quiet >/dev/null

# Version and help.
expect_exit 0 v --version
expect_stdout '^vtree [0-9]+\.[0-9]+\.[0-9]+$'
expect_exit 0 v --help
expect_stdout '^  commit  '
expect_exit 0 v help commit
expect_stdout '^  vtree commit .OPTION'
expect_exit 0 v help key list
expect_exit 2 v help frobnicate
expect_exit 2 v
expect_exit 2 v frobnicate
expect_stderr_line "^vtree: there is no verb 'frobnicate'; see .vtree --help.$"
expect_exit 2 v $'bad\nverb'
expect_stderr_line '^vtree: '
expect_exit 2 v ls --frobnicate r
expect_stderr_line 'see .vtree ls --help.$'

# Errors in JSON.
expect_exit 7 v show absent --json
check 'an error in JSON' json 'e["error"]["code"] == 7 and e["error"]["kind"] == "missing"'
expect_exit 2 v show --json
check 'wrong usage too' json 'e["error"]["code"] == 2 and e["error"]["kind"] == "usage"'

# stdout that takes nothing.
to_full() {
  v "$@" >/dev/full
}
to_closed() {
  v "$@" >&-
}
expect_exit 1 to_full ls r
expect_stderr_line '^vtree ls: write standard output: No space left on device$'
expect_exit 1 to_full cat r:usr/numbers
expect_stderr_line '^vtree cat: '
expect_exit 1 to_full --version
expect_exit 1 to_closed ls r
expect_stderr_line '^vtree ls: write standard output'
expect_exit 1 to_closed digest "$VTREE_TMP/tree/usr/numbers"
expect_exit 7 to_full ls absent
gone() {
  local status
  # shellcheck disable=SC2216 # it does not read, and that is the point
  { v "$@" || echo $? >"$VTREE_TMP/status"; } | true
  status=$(cat "$VTREE_TMP/status")
  rm "$VTREE_TMP/status"
  return "$status"
}
expect_exit 1 gone cat r:usr/numbers
check_equal 'a reader who goes is no news' "$(cat "$VTREE_TMP/stderr")" ''
expect_exit 0 v fsck --quiet
closed_stdin() {
  v "$@" <&-
}
expect_exit 0 closed_stdin ls r

# Progress is for terminals alone.
expect_exit 0 v commit r "$VTREE_TMP/tree"
check 'no escapes in a pipe' test -z "$(tr -dc '\033\r' <"$VTREE_TMP/stderr")"

# digest and measure, beside the tool that says how.
for size in 0 1 4095 4096 4097 $((1 << 20)) $(((1 << 20) + 1)) $((128 * 4096)) \
  $((128 * 4096 + 1)); do
  head -c "$size" /dev/zero | tr '\0' 'x' >"$VTREE_TMP/file"
  chmod 0644 "$VTREE_TMP/file"
  for alg in sha256 sha512; do
    check_equal "$alg of $size bytes" "$(v digest --digest=$alg "$VTREE_TMP/file")" \
      "$(fsverity digest --hash-alg=$alg "$VTREE_TMP/file")"
  done
done
expect_exit 0 v digest "$VTREE_TMP/file" "$VTREE_TMP/tree/etc/zero"
check_equal 'a line each' "$(wc -l <"$VTREE_TMP/stdout")" 2
expect_exit 0 v digest --json "$VTREE_TMP/tree/etc/"$'\377'
check 'digest in JSON' json 'd["files"][0]["size"] == 5 and "path_bytes" in d["files"][0]'
expect_exit 1 v digest "$VTREE_TMP/absent"
expect_stderr_line '^vtree digest: .*absent: open: No such file'
expect_exit 1 v digest "$VTREE_TMP"
expect_exit 2 v digest --digest=md5 "$VTREE_TMP/file"
expect_exit 2 v digest
expect_exit 1 v measure "$VTREE_TMP/file"
expect_stderr_line '^vtree measure: .*file: measure: '
expect_exit 1 v measure "$VTREE_TMP/absent"

# An answer that an error cuts short is no half document, whatever failed.
for words in 'ls r:absent' 'ls -R r:absent' 'status /' 'status /absent' 'mark show absent' \
  'fsck absent' 'measure /absent' "digest $VTREE_TMP/file /absent"; do
  # shellcheck disable=SC2086 # words
  expect_exit "$(v $words >"$VTREE_TMP/out" 2>&1 && echo 0 || echo $?)" v $words --json
  check "nothing on stdout: $words" test ! -s "$VTREE_TMP/stdout"
  check "an error in JSON: $words" json 'e["error"]["message"] != ""'
done
expect_exit 2 v ls r --json --frobnicate
check 'a bad option in JSON' json 'e["error"]["kind"] == "usage"'

escape=$'\033[2J'
# What a script's unset variable leaves is no place.
mkdir "$VTREE_TMP/here"
in_here() {
  (cd "$VTREE_TMP/here" && v "$@")
}
expect_exit 2 in_here mount r ''
expect_stderr_line "argument 2 is empty; see .vtree mount --help"
expect_exit 2 in_here umount ''
expect_exit 2 in_here checkout r ''
expect_exit 2 in_here diff r ''
expect_exit 2 in_here commit r ''
expect_exit 2 in_here refs --repo=
expect_stderr_line 'refs: --repo: it is empty'

# No byte of an argument reaches a terminal as it is.
for words in "ls r --$escape" "ls r $escape" "ls r:$escape" "$escape" "status /$escape"; do
  # shellcheck disable=SC2086 # words
  as_who sh -c "vtree $words" 2>"$VTREE_TMP/stderr" >/dev/null || true
  check "an escape is escaped: ${words//$escape/ESC}" sh -c "grep -q x1b '$VTREE_TMP/stderr' &&
    ! grep -q '[[:cntrl:]]' '$VTREE_TMP/stderr'"
done
