#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What must not be mounted: every way in which a release can be the wrong one, with the
# exit code and the message of its own, through `vtree verify`, `vtree mount` and the
# mount helper. Statements, keys and signatures are made by printf and openssl alone.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/../cli/who.sh"

# shellcheck source=tests/campaign/releases.sh
. "$(dirname "$0")/releases.sh"

# --- the world ------------------------------------------------------------------------

v init --quiet >/dev/null
for key in alice bob mallory vendor lost; do
  new_key $key
done
make_manifest one
make_manifest two
for key in alice bob lost; do
  v key trust "$work/$key.pem" --quiet >/dev/null
done
v key trust "$work/vendor.pem" --ref=apps/vendor --quiet >/dev/null

# --- the right one --------------------------------------------------------------------

release os/stable 5 one alice
accepted os/stable one
check_equal 'the mark' "$(mark_of os/stable)" "vtree-mark 1
version: 5
manifest: ${digest[one]}
created: 1767225600"

# --- replay ---------------------------------------------------------------------------

release os/stable 3 two alice
refused 4 os/stable 'version 3 is older than version 5, which was accepted before'
forced os/stable two 'version 3 is older than version 5'
accepted os/stable@3 two 'version 3 is older than version 5, .* its version was given'
release os/stable 3 two bob
refused 4 os/stable 'version 3 is older than version 5'

# The old one's files in the place of the new one's.
as_who cp "$repo/refs/os/stable/3.root" "$repo/refs/os/stable/5.root"
as_who cp "$repo/refs/os/stable/3.sig" "$repo/refs/os/stable/5.sig"
set_head os/stable 5
refused 4 os/stable 'version 3 is older than version 5'
refused 6 os/stable@5 'in the place of version 5 is the statement of version 3'

# --- equal version with another manifest ----------------------------------------------

release os/stable 5 two alice
refused 4 os/stable "version 5 is another tree \\(${digest[two]}\\) than the one"
refused 4 os/stable@5 'version 5 is another tree'
forced os/stable two 'version 5 is another tree'
release os/stable 5 two bob
refused 4 os/stable 'version 5 is another tree'

# Only `mark reset` forgets, then the next one is a first one.
expect_exit 0 v mark reset os/stable
accepted os/stable two
release os/stable 5 one alice
refused 4 os/stable 'version 5 is another tree'

# --- another ref ----------------------------------------------------------------------

statement os/testing 7 one >"$work/root"
signature "$work/root" alice >"$work/sig"
place os/stable 7
refused 3 os/stable "the statement is signed for another ref, 'os/testing'"
refused 3 os/stable "the statement is signed for another ref, 'os/testing'" --force

# A statement that lies somewhere else, by its path.
mkdir "$work/away"
cp "$work/root" "$work/away/7.root"
cp "$work/sig" "$work/away/7.sig"
as_who mkdir -p "$point"
expect_exit 32 as_who mount.fuse.vtree "$work/away/7.root" "$point" \
  -o "ro,ref=os/stable,objects=$repo"
expect_stderr_line "signed for another ref, 'os/testing'"
expect_exit 1 as_who mount.fuse.vtree "$work/away/7.root" "$point" -o "ro,objects=$repo"
expect_stderr_line 'needs ref='
expect_exit 0 as_who mount.fuse.vtree "$work/away/7.root" "$point" \
  -o "ro,ref=os/testing,objects=$repo"
check_equal 'a statement by its path shows its tree' "$(as_who cat "$point/name")" one
expect_exit 0 v umount "$point"

# --- expired --------------------------------------------------------------------------

created=2001-01-01T00:00:00Z release os/old 1 one alice 'expires: 2002-01-01T00:00:00Z'
refused 5 os/old 'version 1 expired at 2002-01-01T00:00:00Z'
refused 5 os/old@1 'version 1 expired at 2002-01-01T00:00:00Z'
accepted os/old one 'forced: .*version 1 expired' --force

# A release from the future tells that the clock is behind, for its own ref alone.
release os/clock 1 one alice 'expires: 9000-01-01T00:00:00Z'
release os/other 1 one alice 'expires: 9000-01-01T00:00:00Z'
accepted os/clock one
created=9500-01-01T00:00:00Z release os/clock 2 two alice
accepted os/clock two
refused 5 os/clock@1 'judged by a release made at 9500-01-01T00:00:00Z'
accepted os/other one

# --- keys -----------------------------------------------------------------------------

release os/keys 1 one mallory
refused 3 os/keys "signed by key $(cat "$work/mallory.id"), which is not trusted here"
refused 3 os/keys 'which is not trusted here; .*.vtree key trust FILE.' --force

release os/keys 1 one lost
accepted os/keys one
expect_exit 0 v key revoke "$(cat "$work/lost.id")"
refused 3 os/keys "signed by key $(cat "$work/lost.id"), which is revoked \\(/.*\\)"
refused 3 os/keys 'which is revoked' --force
expect_exit 32 as_who mount.fuse.vtree "$repo:os/keys" "$point" \
  -o "ro,key=$work/lost.pem"
expect_stderr_line 'which is revoked'

release apps/vendor/editor 1 one vendor
accepted apps/vendor/editor one
for ref in os/vendor apps apps/vendors apps/vendor2/editor; do
  release "$ref" 1 one vendor
  refused 3 "$ref" "\\('.*'\\), which may sign only refs under 'apps/vendor'"
done
refused 3 os/vendor "may sign only refs under 'apps/vendor'" --force

# One of several signatures suffices, whatever stands beside it.
statement os/both 1 one >"$work/root"
signature "$work/root" mallory lost bob >"$work/sig"
place os/both 1
accepted os/both one

# --- signatures -----------------------------------------------------------------------

statement os/sig 1 one >"$work/root"
signature "$work/root" alice >"$work/sig"
statement os/sig 2 one >"$work/root"
place os/sig 2
refused 3 os/sig "signature by key $(cat "$work/alice.id") \\('.*'\\) is not over this"
refused 3 os/sig 'is not over this statement' --force

# A signature by somebody else under Alice's name.
signature "$work/root" mallory >"$work/sig"
sed -i "s/$(cat "$work/mallory.id")/$(cat "$work/alice.id")/" "$work/sig"
place os/sig 2
refused 3 os/sig 'is not over this statement'

: >"$work/sig"
place os/sig 2
refused 3 os/sig "'os/sig' is not signed"
as_who rm "$repo/refs/os/sig/2.sig"
refused 3 os/sig "'os/sig' is not signed"
echo "ml-dsa-65 something" >"$work/sig"
place os/sig 2
refused 3 os/sig "has only signatures of kinds that this vtree can't check"
echo "rubbish" >"$work/sig"
place os/sig 2
refused 6 os/sig 'signature file, line 1: '

# Nothing is parsed before it is verified; then it is, and strictly.
printf 'vtree-root 1\nrubbish\n' >"$work/root"
signature "$work/root" mallory >"$work/sig"
place os/sig 2
refused 3 os/sig 'which is not trusted here'
signature "$work/root" alice >"$work/sig"
place os/sig 2
refused 6 os/sig 'root statement, line 2: '

# --- a trust store that others can write is none --------------------------------------

chmod g+w "$config/keys.d"
refused 3 os/stable 'is writable by others'
chmod g-w "$config/keys.d"

# --- the policy comes from options, else /etc, else the user's own file ---------------

# mounts_as CODE [OPTION...]: what mounting os/policy (version 5) ends with.
mounts_as() {
  expect_exit "$1" v mount os/policy "$point" "${@:2}"
  [ "$1" = 0 ] || expect_stderr_line 'version 5 is older than min_version=9'
  [ "$1" != 0 ] || expect_exit 0 v umount "$point"
}

# settings FILE VERSION
settings() {
  printf '[mount]\nmin_version=%s\n' "$2" >"$1"
  chmod 0644 "$1"
}

release os/policy 5 one alice
mounts_as 0
settings "$config/vtree.conf" 9
mounts_as 4
mounts_as 0 -o min_version=5
if [ "$config" != /etc/vtree ] && [ "$(id -u)" = 0 ]; then
  settings /etc/vtree/vtree.conf 5
  mounts_as 0
  settings /etc/vtree/vtree.conf 9
  settings "$config/vtree.conf" 5
  mounts_as 4
  rm /etc/vtree/vtree.conf
fi
chmod 0666 "$config/vtree.conf"
expect_exit 3 v mount os/policy "$point"
expect_stderr_line 'vtree.conf is writable by others'
