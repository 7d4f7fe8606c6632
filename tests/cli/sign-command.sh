#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# --sign-command: programs that sign, that fail, that lie, that hang.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

command -v openssl >/dev/null || skip "no openssl"
work=$VTREE_TMP/work
mkdir "$work"
make_tree "$VTREE_TMP/tree"
v init --quiet >/dev/null

openssl genpkey -algorithm ed25519 -out "$work/ed.key"
openssl pkey -in "$work/ed.key" -pubout -out "$work/ed.pub"
openssl genpkey -algorithm ed25519 -out "$work/other.key"
openssl req -x509 -nodes -subj /CN=release -newkey rsa:2048 -keyout "$work/rsa.key" \
  -out "$work/rsa.pem" 2>/dev/null
chmod 0644 "$work"/*
raw="openssl pkeyutl -sign -rawin -inkey $work/ed.key -in /dev/stdin"
cms="openssl cms -sign -binary -outform DER -signer $work/rsa.pem -inkey $work/rsa.key"
v key trust "$work/ed.pub" --quiet >/dev/null
v key trust "$work/rsa.pem" --quiet >/dev/null

head_of() {
  v refs | sed -n "s,^$1 \\([^ ]*\\) .*,\\1,p"
}

digest=$(v commit r "$VTREE_TMP/tree" --no-sign --quiet)
sign() {
  v sign r --manifest="$digest" --quiet "$@"
}

# --- it signs ---------------------------------------------------------------------------

expect_exit 0 sign --key-file="$work/ed.pub" --sign-command="$raw"
check_equal 'the version is the head' "$(head_of r)" 1
expect_exit 0 v verify r
check 'by that key' grep -q '(ed.pub)' "$VTREE_TMP/stderr"
expect_exit 0 sign --cert="$work/rsa.pem" --sign-command="$cms -noattr -nocerts"
expect_exit 0 sign --cert="$work/rsa.pem" --sign-command="$cms"
expect_exit 0 v show r --json
check 'both are good' json "[(s['kind'], s['good']) for s in
  d['signatures']] == [('ed25519', True), ('pkcs7', True)]"

# A pipe of programs, and a commit.
expect_exit 0 v commit c "$VTREE_TMP/tree" --cert="$work/rsa.pem" \
  --sign-command="cat | $cms | cat" --quiet
expect_exit 0 v commit c "$VTREE_TMP/tree" --key-file="$work/ed.pub" \
  --sign-command="$raw" --quiet
check_equal 'both are heads' "$(head_of c)" 2
expect_exit 0 v verify c

# What it is told; its standard error is the person's.
expect_exit 1 v sign r --manifest="$digest" --key-file="$work/ed.pub" --quiet \
  --sign-command='cat >/dev/null; env | grep ^VTREE_SIGN_ | LC_ALL=C sort >&2; exit 1'
check 'kind' grep -qx VTREE_SIGN_KIND=ed25519 "$VTREE_TMP/stderr"
check 'file' grep -qx "VTREE_SIGN_FILE=$work/ed.pub" "$VTREE_TMP/stderr"
check 'ref' grep -qx VTREE_SIGN_REF=r "$VTREE_TMP/stderr"
check 'version' grep -qx VTREE_SIGN_VERSION=1 "$VTREE_TMP/stderr"
check 'id' grep -Eqx 'VTREE_SIGN_ID=[0-9a-f]{64}' "$VTREE_TMP/stderr"

# The bytes are the documented ones.
as_who sh -c "cat >$VTREE_USER_HOME/null" </dev/null
expect_exit 1 sign --key-file="$work/ed.pub" \
  --sign-command="cat >$VTREE_USER_HOME/got; false"
{
  printf 'vtree-root-statement-v1\0'
  cat "$repo/refs/r/1.root"
} >"$work/message"
check 'the bytes' cmp "$VTREE_USER_HOME/got" "$work/message"

# --- it does not ------------------------------------------------------------------------

before=$(cat "$repo/refs/r/1.sig")
# refused CODE REGEX WORD...: by sign, with one line, and nothing is kept.
refused() {
  local code=$1 regex=$2
  shift 2
  expect_exit "$code" sign "$@"
  expect_stderr_line "^vtree sign: $regex"
  check_equal 'nothing was kept' "$(cat "$repo/refs/r/1.sig")" "$before"
}
key=--key-file=$work/ed.pub
cert=--cert=$work/rsa.pem
refused 1 "sign command 'false': it failed with exit status 1" "$key" --sign-command=false
refused 1 "sign command 'true': it printed nothing" "$key" --sign-command=true
refused 1 '.*it was killed by signal 15' "$key" --sign-command='kill $$'
refused 1 '.*exit status 127' "$key" --sign-command='exec 2>/dev/null; no-such-program'
refused 1 '.*it printed more than 65536 bytes' "$key" --sign-command=yes
refused 3 '.*gave 65 bytes; a raw Ed25519 signature has 64' "$key" \
  --sign-command='head -c 65 /dev/zero'
refused 3 ".*not this key's signature over these bytes" "$key" \
  --sign-command="openssl pkeyutl -sign -rawin -inkey $work/other.key -in /dev/stdin"
refused 3 '.*gave [0-9]* bytes' "$key" --sign-command="$cms"
refused 3 '.*malformed PKCS #7' "$cert" --sign-command="$raw"
refused 3 '.*not over these bytes' "$cert" --sign-command="echo | $cms"
refused 3 '.*has its content inside' "$cert" --sign-command="$cms -nodetach"
refused 2 '.*to know for whom it signs' --sign-command="$raw"
refused 2 '.*to know for whom it signs' "$key" "$cert" --sign-command="$raw"
refused 2 '.*to know for whom it signs' --key=default --sign-command="$raw"
refused 2 '.*this is a private key' --key-file="$work/ed.key" --sign-command="$raw"

# A commit that can't be signed publishes nothing.
expect_exit 1 v commit c "$VTREE_TMP/tree" "$key" --sign-command=false --quiet
expect_stderr_line "^vtree commit: commit c: sign command 'false': "
check_equal 'the old head stays' "$(head_of c)" 2
check_equal 'no statement either' "$(find "$repo/refs/c" -name '*.root' | wc -l)" 2

# --- it hangs, and the person has enough ------------------------------------------------

# In a session of its own, whose process group is what a terminal would interrupt.
# shellcheck disable=SC2016 # the command's own variable
hang='echo $$ >"$HOME/new"; mv "$HOME/new" "$HOME/pid"; exec sleep 1000'
# shellcheck disable=SC2016 # that shell's
home=$(as_who sh -c 'echo "$HOME"')
as_who setsid env --default-signal=INT vtree sign r --manifest="$digest" --quiet \
  "$key" --sign-command="$hang" &
job=$!
wait_until 60 test -e "$home/pid"
pid=$(cat "$home/pid")
check 'it is waited for' kill -0 "$job"
kill -INT -- "-$(ps -o pgid= -p "$pid" | tr -d ' ')"
status=0
wait "$job" || status=$?
check_equal 'an interrupt ends vtree' $status 130
is_gone() {
  [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}
check 'and the command' wait_until 60 is_gone "$pid"
check_equal 'nothing was kept' "$(cat "$repo/refs/r/1.sig")" "$before"
expect_exit 0 v sign r --manifest="$digest" --key=default --quiet --wait=0
