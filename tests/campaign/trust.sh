#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What must not be mounted: every way in which a release can be the wrong one, with the
# exit code and the message of its own, through `vtree verify`, `vtree mount` and the
# mount helper. Statements, keys and signatures are made by printf and openssl alone.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/../cli/who.sh"

command -v openssl >/dev/null || skip "no openssl"
[ -e /dev/fuse ] || skip "no /dev/fuse"
command -v fusermount3 >/dev/null || skip "no fusermount3"
point=$VTREE_USER_HOME/mnt
work=$VTREE_TMP/work
mkdir "$work"

# --- making releases ------------------------------------------------------------------

# new_key NAME: NAME.key and NAME.pem in $work; its id in NAME.id.
new_key() {
  (umask 077 && openssl genpkey -algorithm ed25519 -out "$work/$1.key")
  openssl pkey -in "$work/$1.key" -pubout -out "$work/$1.pem"
  openssl pkey -in "$work/$1.key" -pubout -outform DER | tail -c 32 | sha256sum |
    cut -d' ' -f1 >"$work/$1.id"
  chmod 0644 "$work/$1.pem" "$work/$1.id"
}

declare -A digest size

# make_manifest NAME: commits a tree that has the file `name` with NAME in it; the
# manifest is digest[NAME], its size is size[NAME].
make_manifest() {
  mkdir "$work/$1"
  printf '%s' "$1" >"$work/$1/name"
  digest[$1]=$(v commit "trees/$1" "$work/$1" --no-sign --quiet)
  size[$1]=$(stat -c %s "$(object_file "${digest[$1]}")")
}

# statement REF VERSION TREE [LINE...]: on stdout.
statement() {
  printf 'vtree-root 1\nref: %s\nversion: %s\n' "$1" "$2"
  printf 'created: %s\n' "${created:-2026-01-01T00:00:00Z}"
  printf 'manifest: %s\nsize: %s\n' "${digest[$3]}" "${size[$3]}"
  shift 3
  [ $# = 0 ] || printf '%s\n' "$@"
}

# signature FILE KEY...: the lines of a .sig over FILE, on stdout.
signature() {
  local file=$1 key
  shift
  {
    printf 'vtree-root-statement-v1\0'
    cat "$file"
  } >"$work/message"
  for key; do
    printf 'ed25519 %s ' "$(cat "$work/$key.id")"
    openssl pkeyutl -sign -rawin -inkey "$work/$key.key" -in "$work/message" |
      base64 --wrap=0
    echo
  done
}

# place NAME VERSION: puts $work/root and $work/sig there, and moves the head.
place() {
  local dir=$repo/refs/$1
  as_who mkdir -p "$dir"
  as_who tee "$dir/$2.root" <"$work/root" >/dev/null
  as_who tee "$dir/$2.sig" <"$work/sig" >/dev/null
  set_head "$1" "$2"
}

set_head() {
  echo "$2" | as_who tee "$repo/refs/$1/head" >/dev/null
}

# release REF VERSION TREE KEY [LINE...]: made, signed and published as it should be.
release() {
  local key=$4 ref=$1 version=$2 tree=$3
  shift 4
  statement "$ref" "$version" "$tree" "$@" >"$work/root"
  signature "$work/root" "$key" >"$work/sig"
  place "$ref" "$version"
}

mark_of() {
  as_who cat "$state/marks/$1/head" 2>/dev/null || echo none
}

# --- what must happen -----------------------------------------------------------------

not_mounted() {
  ! is_mounted "$point" && [ ! -e "$point/name" ]
}

# refused CODE REF REGEX [OPTION...]: by every way in, with one line, leaving no mount and
# no mark behind. The helper's exit code for a failed mount is always 32.
refused() {
  local code=$1 ref=$2 regex=$3 before
  shift 3
  before=$(mark_of "${ref%@*}")
  expect_exit "$code" v verify "$@" "$ref"
  expect_stderr_line "^vtree verify: .*$regex"
  expect_exit "$code" v mount "$@" "$ref" "$point"
  expect_stderr_line "^vtree mount: .*$regex"
  as_who mkdir -p "$point"
  expect_exit 32 as_who mount.fuse.vtree "$repo:$ref" "$point" \
    -o "ro${*:+,${*#--}}"
  expect_stderr_line "^mount.fuse.vtree: .*$regex"
  check "$ref is not mounted" not_mounted
  check_equal "the mark of $ref is what it was" "$(mark_of "${ref%@*}")" "$before"
}

# accepted REF TREE [REGEX [OPTION...]]: is mounted and shows TREE. REGEX is of the one
# note about it, on stderr and in the log; without it there is none.
accepted() {
  local ref=$1 tree=$2 regex=${3:-}
  shift $(($# < 3 ? $# : 3))
  expect_exit 0 v verify "$@" "$ref"
  if [ -n "$regex" ]; then
    check "verify says: $regex" grep -Eq -- "^vtree verify: .*$regex" "$VTREE_TMP/stderr"
  fi
  as_who rm -f "$VTREE_USER_HOME/log"
  expect_exit 0 v mount "$@" "$ref" "$point" -o "log=$VTREE_USER_HOME/log"
  [ -z "$regex" ] || expect_stderr_line "^(vtree mount|mount.fuse.vtree): .*$regex"
  check_equal "$ref shows its tree" "$(as_who cat "$point/name")" "$tree"
  expect_exit 0 v umount "$point"
  if [ -n "$regex" ]; then
    check "the log says: $regex" grep -Eq -- "$regex" "$VTREE_USER_HOME/log"
  else
    check 'the log has nothing to say' test ! -s "$VTREE_USER_HOME/log"
  fi
}

# forced REF TREE REGEX: refused without --force, which changes no mark.
forced() {
  local before
  before=$(mark_of "$1")
  accepted "$1" "$2" "forced: .*$3" --force
  check_equal "forcing leaves the mark of $1 alone" "$(mark_of "$1")" "$before"
}

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
