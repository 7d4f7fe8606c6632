#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Manifests that a trusted but hostile publisher signs, one of each kind that
# hostile-manifest knows: root mounts them, walks and reads everything, checks them out,
# and runs every verb that reads one. Each is refused or gives errors; nothing crashes,
# hangs, or is written outside of the target; an honest one of the same tree works.
. "$(dirname "$0")/../lib/lib.sh"

[ "$(id -u)" = 0 ] || skip "needs root"
hostile=$VTREE_BUILD_DIR/tests/programs/hostile-manifest
export VTREE_REPO=$VTREE_TMP/repo
PUBLISHED=2026-01-01T00:00:00Z

# The repository, as_isolated_root keeps VTREE_REPO away from what it runs.
vtree_here() {
  as_isolated_root timeout 60 vtree --repo="$VTREE_REPO" "$@"
}

# publish KIND: puts its manifest into the repository as a publisher's tools would, and
# signs it with openssl.
publish() {
  local kind=$1 file=$VTREE_TMP/manifest digest hex ref
  "$hostile" "$kind" "$file"
  digest=$(fsverity digest "$file" | cut -d' ' -f1)
  hex=${digest#sha256:}
  mkdir -p "$VTREE_REPO/objects/${hex:0:2}"
  cp "$file" "$VTREE_REPO/objects/${hex:0:2}/${hex:2}"
  ref=$VTREE_REPO/refs/hostile/$kind
  mkdir -p "$ref"
  printf '%s\n' 'vtree-root 1' "ref: hostile/$kind" 'version: 1' "created: $PUBLISHED" \
    "manifest: $digest" "size: $(stat -c %s "$file")" >"$ref/1.root"
  { printf 'vtree-root-statement-v1\0' && cat "$ref/1.root"; } >"$VTREE_TMP/signed"
  openssl pkeyutl -sign -rawin -inkey /etc/vtree/private/default.pem \
    -in "$VTREE_TMP/signed" -out "$VTREE_TMP/signature"
  printf 'ed25519 %s %s\n' "$key" "$(base64 -w0 "$VTREE_TMP/signature")" >"$ref/1.sig"
  echo 1 >"$ref/head"
}

# survives NAME COMMAND...: it ends in time, by itself, with an exit code of its own.
survives() {
  local name=$1 status=0
  shift
  "$@" >"$VTREE_TMP/out" 2>&1 || status=$?
  if [ "$status" -ge 124 ]; then
    fail "$name" "exit $status"
    head -5 "$VTREE_TMP/out"
  fi
  last_status=$status
}

# ask COMMAND...: errors are as good an answer as any; no answer is none (exit 124).
ask() {
  local status=0
  timeout 20 "$@" || status=$?
  [ "$status" -lt 124 ] || return "$status"
}

# Everything that a reader could ask of a mount.
read_everything() {
  ask find "$VTREE_TMP/mnt" -ls
  ask find "$VTREE_TMP/mnt" -type f -exec cat {} +
  ask find "$VTREE_TMP/mnt" -type l -exec readlink {} +
  ask getfattr -Rdm- "$VTREE_TMP/mnt"
  ask getfacl -R "$VTREE_TMP/mnt"
  ask stat -f "$VTREE_TMP/mnt"
  local name
  for name in . .. dir dir/sub dir/sub/loop/.. dir/zz acl xattr setid null fifo link; do
    ask stat "$VTREE_TMP/mnt/$name"
  done
}

# What lies around the target, without the target.
surroundings() {
  find "$VTREE_TMP/jail" -path "$VTREE_TMP/jail/target" -prune -o -print | sort
}

check_mount() {
  local kind=$1
  survives "mounting $kind" as_isolated_root timeout 60 mount.fuse.vtree \
    "$VTREE_REPO:hostile/$kind" "$VTREE_TMP/mnt" -o "log=$VTREE_TMP/daemon.log"
  if [ "$last_status" != 0 ]; then
    check_equal "mounting $kind fails with 32" "$last_status" 32
    check_equal "mounting $kind says why in one line" "$(wc -l <"$VTREE_TMP/out")" 1
    return
  fi
  survives "reading all of $kind" read_everything
  check "the daemon of $kind lives" stat "$VTREE_TMP/mnt"
  check "unmounting $kind" umount "$VTREE_TMP/mnt"
}

check_checkout() {
  local kind=$1 stage=$2 before
  rm -rf "$VTREE_TMP/jail"
  mkdir -p "$VTREE_TMP/jail/inner"
  before=$(surroundings)
  survives "checking out $kind" vtree_here checkout "hostile/$kind" \
    "$VTREE_TMP/jail/target"
  check_equal "checking out $kind writes nowhere else" "$(surroundings)" "$before"
  if [ "$stage" = good ]; then
    check_equal "checking out $kind" "$last_status" 0
    return
  fi
  case $last_status in
    1 | 6) pass "checking out $kind is refused" ;;
    *) fail "checking out $kind is refused" "exit $last_status" ;;
  esac
  check "nothing of $kind stays" test ! -e "$VTREE_TMP/jail/target"
}

check_verbs() {
  local kind=$1 stage=$2 verb
  for verb in "ls -lR" "stat" "verify" "show" "log" "fsck"; do
    # shellcheck disable=SC2086 # a verb and its option
    survives "$verb of $kind" vtree_here $verb "hostile/$kind"
  done
  if [ "$stage" = good ]; then
    check_equal "fsck of $kind" "$last_status" 0
  else
    check_equal "fsck of $kind finds it" "$last_status" 6
  fi
  survives "diff of $kind" vtree_here diff hostile/none "hostile/$kind"
  survives "gc beside $kind" vtree_here gc --dry-run
}

mkdir "$VTREE_TMP/mnt" "$VTREE_TMP/tree"
printf 'vtree\n' >"$VTREE_TMP/tree/file"
check "a repository" vtree_here init
check "with the object" vtree_here commit honest "$VTREE_TMP/tree"
key=$(vtree_here key list | cut -d' ' -f1)

"$hostile" --list >"$VTREE_TMP/kinds"
publish none
while read -r kind stage; do
  publish "$kind"
  check_mount "$kind"
  check_checkout "$kind" "$stage"
  check_verbs "$kind" "$stage"
  [ "$kind" = none ] || rm -r "$VTREE_REPO/refs/hostile/$kind"
done <"$VTREE_TMP/kinds"
