#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What must not be mounted on the strength of a certificate: every way in which a PKCS #7
# signature can be the wrong one, through `vtree verify`, `vtree mount` and the mount
# helper. Certificates and signatures are made by openssl alone.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/../cli/who.sh"
# shellcheck source=tests/campaign/releases.sh
. "$(dirname "$0")/releases.sh"

# --- making certificates and signatures -------------------------------------------------

# identify NAME: the id of $work/NAME.pem, into $work/NAME.id.
identify() {
  openssl x509 -in "$work/$1.pem" -outform DER | sha256sum | cut -d' ' -f1 >"$work/$1.id"
  chmod 0644 "$work/$1.pem" "$work/$1.id"
}

id_of() {
  cat "$work/$1.id"
}

new_ec_key() {
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/$1.key"
}

# self_sign NAME SUBJECT SERIAL: a certificate for NAME.key.
self_sign() {
  openssl req -x509 -new -key "$work/$1.key" -subj "$2" -set_serial "$3" -days 30 \
    -out "$work/$1.pem"
  identify "$1"
}

# certify NAME: a new key, its certificate.
certify() {
  new_ec_key "$1"
  self_sign "$1" "/CN=$1" "${2:-1}"
}

# issue NAME BY: a new key, and a certificate for it that BY has issued.
issue() {
  new_ec_key "$1"
  openssl req -new -key "$work/$1.key" -subj "/CN=$1" -out "$work/$1.csr"
  openssl x509 -req -days 30 -in "$work/$1.csr" -CA "$work/$2.pem" -CAkey "$work/$2.key" \
    -set_serial 7 -out "$work/$1.pem" 2>/dev/null
  identify "$1"
}

# message FILE: the signed bytes of the statement FILE.
message() {
  printf 'vtree-root-statement-v1\0'
  cat "$1"
}

# cms NAME OPTION...: PKCS #7 by NAME over standard input, on stdout.
cms() {
  local name=$1
  shift
  cat >"$work/content"
  openssl cms -sign -binary -outform DER -signer "$work/$name.pem" \
    -inkey "$work/$name.key" -in "$work/content" "$@"
}

# line NAME: the line of a .sig for NAME's certificate, with standard input in it.
line() {
  printf 'pkcs7 %s ' "$(id_of "$1")"
  base64 --wrap=0
  echo
}

# certified NAME...: the lines of a .sig over $work/root, on stdout.
certified() {
  local name
  for name; do
    message "$work/root" | cms "$name" | line "$name"
  done
}

# signed_by REF VERSION TREE NAME: made, signed and published as it should be.
signed_by() {
  statement "$1" "$2" "$3" >"$work/root"
  certified "$4" >"$work/sig"
  place "$1" "$2"
}

# --- the world --------------------------------------------------------------------------

v init --quiet >/dev/null
for name in alice bob mallory vendor lost authority; do
  certify $name
done
new_key carol
make_manifest one
make_manifest two
for name in alice bob lost authority; do
  v key trust "$work/$name.pem" --quiet >/dev/null
done
v key trust "$work/vendor.pem" --ref=apps/vendor --quiet >/dev/null
v key trust "$work/carol.pem" --quiet >/dev/null

# --- the right one ----------------------------------------------------------------------

# Statements say that they were made in 2026-01-01, before these certificates were; that
# is noted, and no more. The others are of a time in between.
created=$(date --utc --date='+1 hour' +%Y-%m-%dT%H:%M:%SZ)
signed_by os/stable 5 one alice
accepted os/stable one
check_equal 'the mark' "$(mark_of os/stable | head -n 2 | tail -n 1)" 'version: 5'
expect_exit 0 v mount os/stable "$point" -o xattr=magic
check_equal 'the mount says who signed' \
  "$(as_who getfattr --only-values -n user.vtree.key "$point" 2>/dev/null)" "$(id_of alice)"
expect_exit 0 v status --json "$point"
check 'status too' json "d['mounts'][0]['signed_by'] == '$(id_of alice)'"
expect_exit 0 v umount "$point"

created=2001-01-01T00:00:00Z signed_by os/early 1 one alice
accepted os/early one \
  "version 1 was made at 2001-01-01T00:00:00Z, and the certificate of 'CN=alice' that"

# --- replay, another ref ----------------------------------------------------------------

signed_by os/stable 3 two bob
refused 4 os/stable 'version 3 is older than version 5'
statement os/testing 7 one >"$work/root"
certified alice >"$work/sig"
place os/stable 7
refused 3 os/stable "the statement is signed for another ref, 'os/testing'"
refused 3 os/stable "the statement is signed for another ref, 'os/testing'" --force
signed_by os/stable 8 one alice
accepted os/stable one

# --- who may sign -----------------------------------------------------------------------

signed_by os/who 1 one mallory
refused 3 os/who "signed by certificate $(id_of mallory), which is not trusted here"
refused 3 os/who 'which is not trusted here; .*.vtree key trust FILE.' --force

signed_by os/lost 1 one lost
accepted os/lost one
expect_exit 0 v key revoke "$(id_of lost)"
refused 3 os/lost "signed by certificate $(id_of lost), which is revoked \\(/.*\\)"
refused 3 os/lost 'which is revoked' --force
as_who rm "$config/revoked.d/$(id_of lost)"
accepted os/lost one
install -D -m 0644 "$work/lost.pem" "$config/revoked.d/some/where/stolen.pem"
[ "$config" = /etc/vtree ] || [ "$(id -u)" != 0 ] || chown -R 65534 "$config/revoked.d"
refused 3 os/lost 'which is revoked \(/.*/some/where/stolen.pem\)'

signed_by apps/vendor/editor 1 one vendor
accepted apps/vendor/editor one
for ref in os/vendor apps apps/vendors apps/vendor2/editor; do
  signed_by "$ref" 1 one vendor
  refused 3 "$ref" "\\('vendor: CN=vendor'\\), which may sign only refs under 'apps/vendor'"
done

# One certificate by its file alone; revocations count all the same.
signed_by os/file 1 one mallory
expect_exit 0 v mount os/file "$point" -o "key=$work/mallory.pem"
expect_exit 0 v umount "$point"
expect_exit 3 v mount os/stable "$point" -o "key=$work/mallory.pem"
expect_stderr_line 'which is not trusted here'
expect_exit 3 v mount os/lost "$point" -o "key=$work/lost.pem"
expect_stderr_line 'which is revoked'

# --- a certificate that is nearly the trusted one ---------------------------------------

# The same key and name, another serial number: another digest.
cp "$work/alice.key" "$work/renewed.key"
self_sign renewed /CN=alice 2
signed_by os/near 1 one renewed
refused 3 os/near "signed by certificate $(id_of renewed), which is not trusted here"
message "$work/root" | cms renewed | line alice >"$work/sig"
place os/near 1
refused 3 os/near "\\('alice: CN=alice'\\) does not count: it names another certificate"

# The same name and serial number, another key.
new_ec_key impostor
self_sign impostor /CN=alice 1
signed_by os/near 1 one impostor
refused 3 os/near 'which is not trusted here'
message "$work/root" | cms impostor | line alice >"$work/sig"
place os/near 1
refused 3 os/near 'does not count: it is not over these bytes, or not by this key'

# The same key, name and serial number, other dates.
cp "$work/alice.key" "$work/twin.key"
openssl req -x509 -new -key "$work/twin.key" -subj /CN=alice -set_serial 1 -days 99 \
  -out "$work/twin.pem"
identify twin
signed_by os/near 1 one twin
refused 3 os/near "signed by certificate $(id_of twin), which is not trusted here"

# --- what comes along -------------------------------------------------------------------

statement os/along 1 one >"$work/root"
message "$work/root" | cms mallory -certfile "$work/alice.pem" | line alice >"$work/sig"
place os/along 1
refused 3 os/along 'does not count: it names another certificate'
message "$work/root" | cms impostor -certfile "$work/alice.pem" | line alice >"$work/sig"
place os/along 1
refused 3 os/along 'does not count: it is not over these bytes, or not by this key'
message "$work/root" | cms mallory -certfile "$work/alice.pem" | line mallory >"$work/sig"
place os/along 1
refused 3 os/along 'which is not trusted here'

# --- authorities ------------------------------------------------------------------------

# One that is pinned speaks for itself, and for nobody that it has issued.
issue leaf authority
issue below leaf
signed_by os/chain 1 one authority
accepted os/chain one
for name in leaf below; do
  statement os/chain 2 one >"$work/root"
  message "$work/root" | cms $name -certfile "$work/authority.pem" | line $name >"$work/sig"
  place os/chain 2
  refused 3 os/chain "signed by certificate $(id_of $name), which is not trusted here"
  message "$work/root" | cms $name -certfile "$work/authority.pem" |
    line authority >"$work/sig"
  place os/chain 2
  refused 3 os/chain 'does not count: it names another certificate'
done
# Nor is the system's store asked.
certified leaf >"$work/sig"
place os/chain 2
expect_exit 3 as_who env SSL_CERT_FILE="$work/authority.pem" SSL_CERT_DIR="$work" \
  vtree verify os/chain
expect_stderr_line 'which is not trusted here'
# What an authority issued is trusted where it is pinned itself; its authority's end is
# not its own.
v key trust "$work/leaf.pem" --quiet >/dev/null
accepted os/chain one
expect_exit 0 v key revoke "$(id_of authority)"
accepted os/chain one

# --- lines ------------------------------------------------------------------------------

statement os/lines 1 one >"$work/root"
{
  certified mallory bob
  signature "$work/root" carol
  echo 'ml-dsa-65 something'
} >"$work/sig"
place os/lines 1
accepted os/lines one

# The ids of two signers, exchanged.
certified alice bob | sed "s/$(id_of alice)/-/; s/$(id_of bob)/$(id_of alice)/;
  s/-/$(id_of bob)/" >"$work/sig"
place os/lines 1
refused 3 os/lines 'does not count: '

# A signature of one kind under the other kind's name and id.
certified alice | sed "s/$(id_of alice)/$(id_of carol)/" >"$work/sig"
place os/lines 1
refused 3 os/lines "signed by certificate $(id_of carol), which is not trusted here"
signature "$work/root" carol | sed "s/$(id_of carol)/$(id_of alice)/" >"$work/sig"
place os/lines 1
refused 3 os/lines "signed by key $(id_of alice), which is not trusted here"
signature "$work/root" carol | sed "s/^ed25519 .* /pkcs7 $(id_of alice) /" >"$work/sig"
place os/lines 1
refused 3 os/lines 'does not count: malformed PKCS #7'
certified alice | sed 's/^pkcs7/ed25519/' >"$work/sig"
place os/lines 1
refused 6 os/lines 'signature file, line 1: an ed25519 signature has 64 bytes'
certified alice alice >"$work/sig"
place os/lines 1
refused 6 os/lines 'signature file, line 2: a second signature by the same key'

# One good line makes up for all the others.
{
  echo | cms alice | line alice
  signature "$work/root" carol
} >"$work/sig"
place os/lines 1
accepted os/lines one

# --- other bytes, other forms -----------------------------------------------------------

# bytes_refused REGEX: what is in $work/p7 is no signature by Alice.
bytes_refused() {
  line alice <"$work/p7" >"$work/sig"
  place os/bytes 1
  refused 3 os/bytes "$1"
}
statement os/bytes 2 one >"$work/root"
message "$work/root" | cms alice >"$work/p7"
statement os/bytes 1 one >"$work/root"
bytes_refused 'does not count: it is not over these bytes'
cms alice <"$work/root" >"$work/p7"
bytes_refused 'does not count: it is not over these bytes'
{
  printf 'vtree-something-else-v1\0'
  cat "$work/root"
} | cms alice -noattr >"$work/p7"
bytes_refused 'does not count: it is not over these bytes'
message "$work/root" | cms alice -nodetach >"$work/p7"
bytes_refused 'does not count: it has its content inside'
message "$work/root" | cms alice -signer "$work/mallory.pem" -inkey "$work/mallory.key" \
  >"$work/p7"
bytes_refused 'does not count: it has more than one signer'
message "$work/root" | cms alice -stream >"$work/p7"
if grep -q 'l=inf' <<<"$(openssl asn1parse -inform DER -in "$work/p7")"; then
  bytes_refused 'does not count: malformed PKCS #7'
fi
message "$work/root" | cms alice -md sha1 >"$work/p7"
bytes_refused 'does not count: its hash is none of SHA-256'
message "$work/root" | cms alice -econtent_type pkcs7-encryptedData >"$work/p7"
bytes_refused 'does not count: it signs another type of content'
openssl crl2pkcs7 -nocrl -certfile "$work/alice.pem" -outform DER -out "$work/p7"
bytes_refused 'does not count: malformed PKCS #7: it has no signer'
printf '0' >"$work/p7"
bytes_refused 'does not count: malformed PKCS #7'
head -c 70000 /dev/zero >"$work/p7"
bytes_refused 'does not count: malformed PKCS #7: more than 65536 bytes'
message "$work/root" | cms alice -noattr -nocerts -keyid >"$work/p7"
line alice <"$work/p7" >"$work/sig"
place os/bytes 1
accepted os/bytes one

# --- a trust store that others can write is none ----------------------------------------

chmod g+w "$config/certs.d"
refused 3 os/stable 'is writable by others'
chmod g-w "$config/certs.d"
chmod o+w "$config/certs.d/alice.pem"
refused 3 os/stable 'is writable by others'
chmod o-w "$config/certs.d/alice.pem"
as_who ln -s alice.pem "$config/certs.d/again.pem"
refused 3 os/stable 'a symlink, which is not followed here'
as_who rm "$config/certs.d/again.pem"
install -m 0644 "$work/carol.pem" "$config/certs.d/carol.pem"
[ "$config" = /etc/vtree ] || [ "$(id -u)" != 0 ] || chown 65534 "$config/certs.d/carol.pem"
refused 3 os/stable 'a public key, and those belong into keys.d'
rm "$config/certs.d/carol.pem"
accepted os/stable one
