# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced by the scripts about trust, after tests/cli/who.sh: releases made by printf and
# openssl alone, and what must happen to them in `vtree verify`, `vtree mount` and the
# mount helper.
# shellcheck disable=SC2154 # who.sh sets them

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
