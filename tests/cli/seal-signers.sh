#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# seal with a certificate and with a sign command, checked by certs.d; openssl is the
# oracle both ways. Built-in signatures: what is refused without fs-verity; and the line
# of progress.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

command -v openssl >/dev/null || skip "no openssl"
work=$VTREE_TMP/work
d=$VTREE_TMP/${1:-user}/d
mkdir "$work"
as_who mkdir -p "$d"
attr=user.vtree-seal

# certify NAME OPTION...: NAME.key, which as_who may read, NAME.pem, NAME.id.
certify() {
  local name=$1
  shift
  openssl req -x509 -nodes -subj "/CN=$name" -keyout "$work/$name.key" \
    -out "$work/$name.pem" "$@" 2>/dev/null
  openssl x509 -in "$work/$name.pem" -outform DER | sha256sum | cut -d' ' -f1 \
    >"$work/$name.id"
  chmod 0600 "$work/$name.key"
  [ "$config" = /etc/vtree ] || [ "$(id -u)" != 0 ] || chown 65534 "$work/$name.key"
}

put() {
  # shellcheck disable=SC2016 # expanded by that shell
  as_who sh -c 'echo text >"$1" && chmod 0644 "$1"' sh "$1"
}

# verdict CODE WORD ARGUMENT...
verdict() {
  local code=$1 word=$2
  shift 2
  expect_exit "$code" v check "$@"
  expect_stdout "^$word "
}

certify ec -newkey ec -pkeyopt ec_paramgen_curve:P-256
certify rsa -newkey rsa:2048
openssl genpkey -algorithm ed25519 -out "$work/ed.key"
openssl pkey -in "$work/ed.key" -pubout -out "$work/ed.pub"
chmod 0644 "$work"/*.pem "$work/ed.key" "$work/ed.pub"
cms="openssl cms -sign -binary -outform DER -signer $work/rsa.pem -inkey $work/rsa.key"
raw="openssl pkeyutl -sign -rawin -inkey $work/ed.key -in /dev/stdin"

# --- a certificate ----------------------------------------------------------------------
put "$d/ec"
expect_exit 0 v seal "$d/ec" --cert="$work/ec.pem" --key-file="$work/ec.key"
check 'nobody here trusts it' grep -q 'will refuse it' "$VTREE_TMP/stderr"
verdict 3 untrusted "$d/ec"
check 'whose it is' grep -q "by certificate $(cat "$work/ec.id"), which is not trusted" \
  "$VTREE_TMP/stderr"
verdict 0 sealed "$d/ec" --key-file="$work/ec.pem"
verdict 3 untrusted "$d/ec" --key-file="$work/rsa.pem"
v key trust --ref=apps "$work/ec.pem" --quiet >/dev/null
verdict 3 untrusted "$d/ec"
check 'what it may sign' grep -q "only refs under 'apps'" "$VTREE_TMP/stderr"
expect_exit 0 v key trust --ref=@files "$work/ec.pem" --quiet
check 'it lies in certs.d' test -e "$config/certs.d/@files/ec.pem"
verdict 0 sealed "$d/ec"
expect_exit 0 v check "$d/ec" --json
check 'JSON' json "(d['files'][0]['seal']['signed_by'] == '$(cat "$work/ec.id")'
  and d['files'][0]['seal']['signer'] == 'ec')"
getfattr --only-values -n $attr -- "$d/ec" >"$work/seal"
sed -n "s/^pkcs7 $(cat "$work/ec.id") //p" "$work/seal" | base64 -d >"$work/p7"
{ printf 'vtree-file-seal-v1\0' && sed '/^$/,$d' "$work/seal"; } >"$work/message"
check 'openssl verifies it' openssl cms -verify -binary -inform DER -in "$work/p7" \
  -content "$work/message" -certfile "$work/ec.pem" -nointern -noverify -out /dev/null
# Another's signature by the same certificate, over a statement of a ref.
{ printf 'vtree-root-statement-v1\0' && sed '/^$/,$d' "$work/seal"; } |
  openssl cms -sign -binary -outform DER -signer "$work/ec.pem" -inkey "$work/ec.key" \
    -out "$work/p7"
{ sed '/^$/q' "$work/seal" && echo "pkcs7 $(cat "$work/ec.id") $(base64 -w0 "$work/p7")"; } \
  >"$work/forged"
setfattr -n $attr -v "0s$(base64 -w0 "$work/forged")" "$d/ec"
verdict 3 untrusted "$d/ec"
check 'it is not over this' grep -q 'is not over th' "$VTREE_TMP/stderr"
setfattr -n $attr -v "0s$(base64 -w0 "$work/seal")" "$d/ec"
verdict 0 sealed "$d/ec"
v key revoke "$(cat "$work/ec.id")" --quiet
verdict 3 untrusted "$d/ec"
verdict 3 untrusted "$d/ec" --key-file="$work/ec.pem"
check 'revoked' grep -q 'is revoked' "$VTREE_TMP/stderr"

# --- a command --------------------------------------------------------------------------
put "$d/rsa"
v key trust --ref=@files "$work/rsa.pem" --quiet >/dev/null
v key trust --ref=@files "$work/ed.pub" --quiet >/dev/null
expect_exit 0 v seal "$d/rsa" --cert="$work/rsa.pem" --sign-command="$cms" --quiet --detached
verdict 0 sealed "$d/rsa"
check 'beside the file' grep -q "^pkcs7 $(cat "$work/rsa.id") " "$d/rsa.vsig"
expect_exit 0 v seal "$d/rsa" --key-file="$work/ed.pub" --quiet --sign-command="
  env | grep ^VTREE_SIGN >&2; $raw"
check 'what it is told' grep -qx 'VTREE_SIGN_REF=@files' "$VTREE_TMP/stderr"
check 'and the version' grep -qx 'VTREE_SIGN_VERSION=2' "$VTREE_TMP/stderr"
verdict 0 sealed "$d/rsa"
before=$(getfattr --only-values -n $attr -- "$d/rsa")
expect_exit 1 v seal "$d/rsa" --key-file="$work/ed.pub" --sign-command=false
expect_stderr_line "^vtree seal: $d/rsa: sign command 'false'"
expect_exit 3 v seal "$d/rsa" --key-file="$work/ed.pub" --sign-command="echo x; $raw"
check_equal 'the seal is as it was' "$(getfattr --only-values -n $attr -- "$d/rsa")" "$before"
verdict 0 sealed "$d/rsa"

# --- built-in signatures ----------------------------------------------------------------
put "$d/built"
words=(--key-file="$work/ed.pub" --sign-command="$raw" --object-key="$work/rsa.key")
expect_exit 2 v seal "$d/built" "${words[@]}"
expect_stderr_line 'object-key and --object-cert belong together'
expect_exit 1 v seal "$d/built" "${words[@]}" --object-cert="$work/rsa.pem"
expect_stderr_line 'built: (it is to have a built-in signature, but .* has no fs-verity|this kernel has no built-in)'
verdict 7 unsealed "$d/built"

# --- progress ---------------------------------------------------------------------------
# A file that takes more than a second; its line is wiped out.
as_who truncate -s 4G "$d/big"
expect_exit 0 as_who script -qec "vtree seal --key-file='$work/ed.pub' \
  --sign-command='$raw' '$d/big' >/dev/null" /dev/null
check 'a line' grep -aq 'seal \[[.#]*\] *[0-9]*% 0 files, ' "$VTREE_TMP/stdout"
check_equal 'wiped out' "$(tr -d '\r\n' <"$VTREE_TMP/stdout" | grep -ao $'\033\\[K' | tail -n 1)" \
  $'\033[K'
expect_exit 0 as_who script -qec "vtree check --quiet '$d/big'" /dev/null
check 'none when quiet' test -z "$(grep -ao 'check \[' "$VTREE_TMP/stdout")"
