#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Signatures by X.509 certificates: made here and read by openssl, made by openssl and
# read here; the verbs that show and manage certificates.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

command -v openssl >/dev/null || skip "no openssl"
work=$VTREE_TMP/work
mkdir "$work"
make_tree "$VTREE_TMP/tree"
v init --quiet >/dev/null

# private_to_who FILE: only as_who may read it.
private_to_who() {
  chmod 0600 "$1"
  [ "$config" = /etc/vtree ] || [ "$(id -u)" != 0 ] || chown 65534 "$1"
}

# certify NAME SUBJECT OPTION...: NAME.key, which as_who may read, NAME.pem, NAME.id.
certify() {
  local name=$1 subject=$2
  shift 2
  openssl req -x509 -nodes -utf8 -subj "$subject" -keyout "$work/$name.key" \
    -out "$work/$name.pem" "$@" 2>/dev/null
  openssl x509 -in "$work/$name.pem" -outform DER | sha256sum | cut -d' ' -f1 \
    >"$work/$name.id"
  private_to_who "$work/$name.key"
}

id_of() {
  cat "$work/$1.id"
}

# signed_bytes REF VERSION: what a signature is over, in $work/message.
signed_bytes() {
  {
    printf 'vtree-root-statement-v1\0'
    cat "$repo/refs/$1/$2.root"
  } >"$work/message"
}

# line_of REF VERSION NAME: the PKCS #7 signature by that certificate, in $work/p7.
line_of() {
  sed -n "s/^pkcs7 $(id_of "$3") //p" "$repo/refs/$1/$2.sig" | base64 -d >"$work/p7"
}

certify ec /CN=Zoë/O=Example -newkey ec -pkeyopt ec_paramgen_curve:P-256
certify p521 /CN=p521 -newkey ec -pkeyopt ec_paramgen_curve:P-521
certify rsa /CN=rsa -newkey rsa:2048
certify ed /CN=ed -newkey ed25519
certify weak /CN=weak -newkey rsa:1024
certify mallory /CN=mallory -newkey ec -pkeyopt ec_paramgen_curve:P-256
openssl pkey -in "$work/ed.key" -pubout -out "$work/ed.pub"

# --- trust, and what is shown of it -----------------------------------------------------

expect_exit 0 v key show "$work/ec.pem"
expect_stdout "^id: $(id_of ec)\$"
expect_stdout '^subject: O=Example,CN=Zoë$'
expect_stdout '^algorithm: ECDSA P-256$'
expect_stdout '^valid: 20[0-9T:-]*Z to 20[0-9T:-]*Z$'
expect_stdout '^not trusted$'
for name in ec p521 rsa ed; do
  expect_exit 0 v key trust "$work/$name.pem" --ref=apps
  expect_stdout "^$(id_of $name)\$"
  check 'it says whose it is' grep -q 'certificate of .*CN=' "$VTREE_TMP/stderr"
  check 'it lies in certs.d' test -e "$config/certs.d/apps/$name.pem"
done
# What root makes for everybody, everybody can read.
if [ "$config" = /etc/vtree ]; then
  expect_exit 0 run_as_user vtree key show "$(id_of ec)"
  expect_stdout '^trusted: for apps by /etc/vtree/certs.d/apps/ec.pem$'
fi
expect_exit 0 v key trust "$work/ec.pem" --ref=apps
check_equal 'nothing twice' "$(find "$config/certs.d" -type f | wc -l)" 4
expect_exit 0 v key list
expect_stdout "^$(id_of ec) ec apps certificate trusted .*ec.pem \\(O=Example,CN=Zoë; until 20"
expect_exit 0 v key list --json
check 'as JSON' json "[(k['kind'], k['subject'], k['algorithm'], k['state']) for k in
  d['keys'] if k['id'] == '$(id_of rsa)'] == [('pkcs7', 'CN=rsa', 'RSA 2048', 'trusted')]"
check 'a key has no subject' json "[k['subject'] for k in d['keys']
  if k['kind'] == 'ed25519'] == [None]"
expect_exit 0 v key show "$(id_of ec | head -c 10)" --json
check 'shown as JSON' json "(d['subject'] == 'O=Example,CN=Zoë' and d['kind'] == 'pkcs7'
  and [t['prefix'] for t in d['trust']] == ['apps'])"
expect_exit 0 v key show "$work/ed.pub"
expect_stdout '^kind: ed25519$'
expect_exit 2 v key trust "$work/weak.pem"
expect_stderr_line 'its RSA key has 1024 bits'
expect_exit 2 v key trust "$work/ec.key"
expect_stderr_line 'this is a private key'
cat "$work/ec.pem" "$work/rsa.pem" >"$work/two.pem"
expect_exit 2 v key trust "$work/two.pem"
expect_exit 7 v key show 0123456789abcdef

# OpenSSL 3.0 has no Ed25519 in CMS, later ones have, with attributes.
cms_has_ed25519=
if openssl cms -sign -binary -md sha512 -signer "$work/ed.pem" -inkey "$work/ed.key" \
  -in "$work/ed.pem" -out /dev/null 2>/dev/null; then
  cms_has_ed25519=yes
fi

# --- ours, and what openssl says to them ------------------------------------------------

for name in ec p521 rsa ed; do
  expect_exit 0 v commit "apps/$name" "$VTREE_TMP/tree" --cert="$work/$name.pem" \
    --key-file="$work/$name.key" --quiet
  expect_exit 0 v verify "apps/$name"
  check 'verify names it, with its dates' grep -Eq \
    "signed by certificate $(id_of $name) \\($name: .*, valid 20.*Z to 20.*Z\\)" \
    "$VTREE_TMP/stderr"
  line_of "apps/$name" 1 $name
  signed_bytes "apps/$name" 1
  [ $name != ed ] || [ -n "$cms_has_ed25519" ] || continue
  check "openssl cms verifies $name" openssl cms -verify -binary -inform DER \
    -in "$work/p7" -content "$work/message" -certfile "$work/$name.pem" -nointern \
    -noverify -out /dev/null
  [ $name != ed ] || continue
  check "openssl smime verifies $name" openssl smime -verify -binary -inform DER \
    -in "$work/p7" -content "$work/message" -certfile "$work/$name.pem" -nointern \
    -noverify -out /dev/null
done
expect_exit 0 v log apps/ec
expect_stdout "^signed by: certificate $(id_of ec) \\(ec: O=Example,CN=Zoë, valid"
expect_exit 0 v show apps/ec
expect_stdout "^signature: pkcs7 $(id_of ec) good\$"
expect_exit 0 v verify apps/ec --json
check 'as JSON' json "(d['signed_by'] == '$(id_of ec)' and d['signer'] == 'ec'
  and d['certificate']['subject'] == 'O=Example,CN=Zoë'
  and d['certificate']['not_before'] < d['certificate']['not_after'])"

# --- openssl's, and what we say to them ------------------------------------------------

digest=$(v commit apps/theirs "$VTREE_TMP/tree" --no-sign --quiet)
signed_bytes apps/theirs 1
# made_with NAME TOOL OPTION...: $work/p7 over $work/message.
made_with() {
  local name=$1 tool=$2
  shift 2
  openssl "$tool" -sign -binary -outform DER -signer "$work/$name.pem" \
    -inkey "$work/$name.key" -in "$work/message" -out "$work/p7" "$@"
  chmod 0644 "$work/p7"
}
for name in ec p521 rsa; do
  for options in '' -noattr -nocerts -keyid '-md sha384' '-md sha512 -noattr -nocerts'; do
    # shellcheck disable=SC2086 # words
    made_with $name cms $options
    expect_exit 0 v sign apps/theirs --attach="$work/p7" --quiet
  done
  made_with $name smime
  expect_exit 0 v sign apps/theirs --attach="$work/p7" --quiet
  expect_exit 0 v verify apps/theirs
done
if [ -n "$cms_has_ed25519" ]; then
  made_with ed cms -md sha512
  expect_exit 0 v sign apps/theirs --attach="$work/p7" --quiet
  sed -i "/$(id_of ed)/d" "$repo/refs/apps/theirs/1.sig"
fi
check_equal 'a line a signer' "$(grep -c ^pkcs7 "$repo/refs/apps/theirs/1.sig")" 3

made_with mallory cms
expect_exit 3 v sign apps/theirs --attach="$work/p7" --quiet
expect_stderr_line '^vtree sign: attach .*p7: no PKCS #7 signature by a certificate that is'
made_with rsa cms -md sha1
expect_exit 3 v sign apps/theirs --attach="$work/p7" --quiet
made_with rsa cms -keyopt rsa_padding_mode:pss -nocerts
expect_exit 3 v sign apps/theirs --attach="$work/p7" --quiet
made_with ec cms -nodetach
expect_exit 3 v sign apps/theirs --attach="$work/p7" --quiet
echo more >>"$work/message"
made_with ec cms
expect_exit 3 v sign apps/theirs --attach="$work/p7" --quiet
expect_stderr_line 'does not count: it is not over these bytes, or not by this key'
printf '0\200' >"$work/p7"
expect_exit 3 v sign apps/theirs --attach="$work/p7" --quiet

# Detached lines and both kinds side by side.
expect_exit 0 v sign apps/theirs --manifest="$digest" --key=default --quiet
expect_exit 0 v sign apps/theirs --manifest="$digest" --cert="$work/ed.pem" \
  --key-file="$work/ed.key" --detached --quiet
cp "$VTREE_TMP/stdout" "$work/line.sig"
chmod 0644 "$work/line.sig"
check 'one line' grep -Exq "pkcs7 $(id_of ed) [A-Za-z0-9+/=]+" "$work/line.sig"
expect_exit 0 v sign apps/theirs --attach="$work/line.sig" --quiet
check_equal 'five signers' "$(grep -c . "$repo/refs/apps/theirs/1.sig")" 5
expect_exit 0 v show apps/theirs --json
check 'all are good' json "[s['good'] for s in d['signatures']] == [True] * 5"

# --- words that don't go together -------------------------------------------------------

sign() {
  v sign apps/theirs --manifest="$digest" --quiet "$@"
}
expect_exit 2 sign --cert="$work/ec.pem"
expect_stderr_line 'cert needs its private key in one --key-file'
expect_exit 2 sign --cert="$work/ec.pem" --key=default
expect_exit 2 sign --cert="$work/ec.pem" --key-file="$work/rsa.key"
expect_stderr_line "not that of the certificate 'O=Example,CN=Zoë'"
expect_exit 2 sign --key-file="$work/ec.key"
expect_stderr_line 'not an Ed25519 key; RSA and ECDSA keys sign with a certificate'
expect_exit 2 sign --cert="$work/weak.pem" --key-file="$work/weak.key"
expect_exit 2 sign --cert="$work/ed.pub" --key-file="$work/ed.key"
expect_exit 1 sign --cert="$work/absent" --key-file="$work/ed.key"
expect_exit 2 v commit apps/x "$VTREE_TMP/tree" --no-sign --cert="$work/ec.pem"
expect_exit 2 sign --attach="$work/line.sig" --cert="$work/ec.pem"

# --- no longer trusted ------------------------------------------------------------------

expect_exit 0 v key distrust "$(id_of rsa)"
expect_exit 3 v verify apps/rsa
expect_stderr_line "signed by certificate $(id_of rsa), which is not trusted here"
expect_exit 0 v key revoke "$(id_of ec)"
expect_exit 3 v verify apps/ec
expect_stderr_line "signed by certificate $(id_of ec), which is revoked"
expect_exit 0 v key list
expect_stdout "^$(id_of ec) ec apps certificate revoked "
expect_exit 0 v key show "$(id_of ec)"
expect_stdout '^revoked: by /'
expect_exit 0 v verify apps/theirs

# The Ed25519 key within a certificate, revoked as a key.
expect_exit 0 v verify apps/ed
expect_exit 0 v key show "$work/ed.pub"
v key revoke "$(sed -n 's/^id: //p' "$VTREE_TMP/stdout")" --quiet
expect_exit 3 v verify apps/ed
expect_stderr_line 'which is revoked'

# --- dates are shown, and refuse nothing ------------------------------------------------

# Past already; each OpenSSL has its own way to make one.
openssl req -new -nodes -newkey ed25519 -subj /CN=old -keyout "$work/old.key" \
  -out "$work/old.csr" 2>/dev/null
past() {
  openssl x509 -req -in "$work/old.csr" -signkey "$work/old.key" -out "$work/old.pem" "$@" \
    2>/dev/null
}
past -days -1 || past -not_before 20200101000000Z -not_after 20210101000000Z
private_to_who "$work/old.key"
expect_exit 0 v key trust "$work/old.pem"
check 'it says that it is past' grep -q 'it was valid until .* only' "$VTREE_TMP/stderr"
expect_exit 0 v commit os/old "$VTREE_TMP/tree" --cert="$work/old.pem" \
  --key-file="$work/old.key" --quiet
expect_exit 0 v verify os/old
check 'it says so of the statement' grep -Eq \
  "version 1 was made at .*, and the certificate of 'CN=old' that signed it is valid from" \
  "$VTREE_TMP/stderr"
expect_exit 0 v verify os/old --json
check 'in JSON too' json "len(d['notes']) == 1 and 'CN=old' in d['notes'][0]"
