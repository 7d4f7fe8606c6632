#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# sign: what it shows, what it refuses, detached signatures from elsewhere, the head.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

make_tree "$VTREE_TMP/tree"
v init --quiet >/dev/null
v key generate second >/dev/null 2>&1

head_of() {
  v refs | sed -n "s,^$1 \\([^ ]*\\) .*,\\1,p"
}

# An unsigned version is not the head.
expect_exit 0 v commit r "$VTREE_TMP/tree" --no-sign
digest=$(cat "$VTREE_TMP/stdout")
check_equal 'no head yet' "$(head_of r)" -
check 'it says how to sign' grep -q 'vtree sign r@1' "$VTREE_TMP/stderr"
expect_exit 7 v verify r
expect_exit 3 v verify r@1
expect_exit 0 v log r
expect_stdout '^unsigned$'
expect_exit 0 v show r
expect_stdout '^not accepted: unsigned$'

# Signing asks, or wants the digest.
expect_exit 2 v sign r
check 'it says what it needs' grep -q 'manifest=DIGEST is needed' "$VTREE_TMP/stderr"
wrong=sha256:$(printf '0%.0s' {1..64})
expect_exit 3 v sign r --manifest="$wrong" --quiet
expect_stderr_line '^vtree sign: .*nothing was signed'
check_equal 'still no head' "$(head_of r)" -
expect_exit 0 v sign r --manifest="$digest"
check 'it shows what is signed' grep -q "^  manifest: $digest" "$VTREE_TMP/stderr"
check 'and how much that is' grep -q '5 files of 1288' "$VTREE_TMP/stderr"
check_equal 'now it is the head' "$(head_of r)" 1
expect_exit 0 v verify r
expect_exit 0 v mark show r

# At a terminal the person decides.
v commit r "$VTREE_TMP/tree" --no-sign --quiet >/dev/null
expect_exit 0 as_who script -qec 'echo no | script -qec "vtree sign r@2" /dev/null; true' \
  /dev/null
expect_stdout 'Sign this\?'
check_equal 'no means no' "$(head_of r)" 1
expect_exit 0 as_who script -qec \
  '(sleep 1; echo yes) | script -qec "vtree sign r@2" /dev/null' /dev/null
check_equal 'yes means yes' "$(head_of r)" 2

# Detached, and attached again.
v commit r "$VTREE_TMP/tree" --no-sign --quiet >/dev/null
expect_exit 0 v sign r@3 --manifest="$digest" --key=second --detached --quiet
check 'one line of signature' grep -Exq 'ed25519 [0-9a-f]{64} [A-Za-z0-9+/]{86}==' \
  "$VTREE_TMP/stdout"
cp "$VTREE_TMP/stdout" "$VTREE_TMP/three.sig"
chmod 0644 "$VTREE_TMP/three.sig"
check_equal 'the repository is as it was' "$(head_of r)" 2

# openssl agrees about the bytes that are signed.
{
  printf 'vtree-root-statement-v1\0'
  cat "$repo/refs/r/3.root"
} >"$VTREE_TMP/message"
cut -d' ' -f3 "$VTREE_TMP/three.sig" | base64 -d >"$VTREE_TMP/raw.sig"
openssl pkey -in "$config/private/second.pem" -pubout -out "$VTREE_TMP/second.pem"
check 'openssl verifies it' openssl pkeyutl -verify -rawin -pubin \
  -inkey "$VTREE_TMP/second.pem" -in "$VTREE_TMP/message" -sigfile "$VTREE_TMP/raw.sig"

expect_exit 3 v sign r@2 --attach="$VTREE_TMP/three.sig" --quiet
expect_stderr_line '^vtree sign: attach .*three.sig: line 1: '
expect_exit 0 v sign r@3 --attach="$VTREE_TMP/three.sig"
check_equal 'the attached one moves the head' "$(head_of r)" 3
expect_exit 0 v verify r
expect_exit 0 v sign r@3 --manifest="$digest" --key=default --quiet
expect_exit 0 v show r@3 --json
check 'two signatures now' json '[s["good"] for s in d["signatures"]] == [True, True]'
expect_exit 0 v sign r@1 --manifest="$digest" --key=second --quiet
check_equal 'an older one does not move the head' "$(head_of r)" 3

# A signature that was spoilt is made good again.
sed -i 's/ [A-Za-z0-9+/]*==$/ '"$(head -c 64 /dev/zero | base64 -w0)"'/' "$repo/refs/r/1.sig"
expect_exit 3 v verify r@1
expect_exit 0 v sign r@1 --manifest="$digest" --key=default --quiet
expect_exit 0 v verify r@1 --quiet
check_equal 'no line twice' "$(grep -c . "$repo/refs/r/1.sig")" 2
echo 'rubbish' >"$repo/refs/r/1.sig"
expect_exit 0 v sign r@1 --manifest="$digest" --key=default
check 'rubbish makes room' grep -q 'replaced the old signature file' "$VTREE_TMP/stderr"
expect_exit 0 v verify r@1 --quiet

# What can't be signed.
v key trust "$VTREE_TMP/second.pem" --quiet >/dev/null
expect_exit 1 v sign r@3 --attach="$VTREE_TMP/absent"
expect_exit 3 v sign r@3 --attach=/dev/null --quiet
printf 'ed25519 nonsense\n' >"$VTREE_TMP/bad.sig"
expect_exit 6 v sign r@3 --attach="$VTREE_TMP/bad.sig" --quiet
expect_exit 2 v sign r@3 --attach="$VTREE_TMP/three.sig" --detached
expect_exit 2 v sign "$digest" --manifest="$digest"
expect_exit 7 v sign absent --manifest="$digest"
expect_exit 7 v sign r@9 --manifest="$digest"
expect_exit 7 v sign r@3 --manifest="$digest" --key=absent
expect_exit 2 v sign r@3 --manifest=nonsense
v commit r "$VTREE_TMP/tree" --no-sign --quiet >/dev/null
flip_byte "$(object_file "$digest")"
expect_exit 6 v sign r@4 --manifest="$digest" --quiet
check_equal 'a bad manifest is not signed' "$(head_of r)" 3
