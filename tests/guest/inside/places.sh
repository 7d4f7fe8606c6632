# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced by the scripts about repositories, after lib.sh: the filesystems that have
# fs-verity, as root and as a plain user.

# at_two_places FUNCTION: calls FUNCTION with a name for messages, in an empty directory
# ($place), as a plain user on ext4 and as root on btrfs; campaigns at a tenth do every
# other one in turn. There as_who runs a command as that one, v runs vtree on the
# repository $repo in $place; $ref is a ref that nobody had before.
at_two_places() {
  turns=$((turns + 1))
  [ "$VTREE_CAMPAIGN$((turns % 2))" = tenth0 ] || at_place "$GUEST_EXT4" user "$1"
  [ "$VTREE_CAMPAIGN$((turns % 2))" = tenth1 ] || at_place "$GUEST_BTRFS" root "$1"
}

turns=0
shopt -s dotglob
places=0
at_place() {
  is_mounted "$GUEST_BTRFS" || mount "$GUEST_BTRFS_DEV" "$GUEST_BTRFS"
  place=$(mktemp -d "$1/place.XXXXXX")
  repo=$place/repo
  places=$((places + 1))
  # shellcheck disable=SC2034 # for the function that is called
  ref=app$places
  who=$2
  [ "$who" = root ] || chown 65534:65534 "$place"
  chmod 0755 "$place"
  "$3" "${1#/} $who"
  rm -rf --one-file-system "$place"
  echo "$SECONDS seconds after $3, ${1#/} $who"
}

as_who() {
  if [ "$who" = root ]; then
    as_isolated_root "$@"
  else
    run_as_user "$@"
  fi
}

v() {
  as_who vtree --repo="$repo" "$@"
}

# make_tree DIR: small files and one that has a Merkle tree of several levels.
make_tree() {
  local i
  mkdir -p "$1/many"
  for i in $(seq 1 12); do
    echo "file $i" >"$1/many/$i"
  done
  seq 1 300000 >"$1/numbers"
  : >"$1/empty"
  chmod -R go+rX "$1"
}

# existing PATTERN: what matches, sorted, a line each.
existing() {
  compgen -G "$1" || true
}

# objects REPOSITORY: the paths of its objects.
objects() {
  existing "$1/objects/??/*"
}

# object_of FILE: the path of the object that has its contents, by the fsverity tool.
object_of() {
  local hex
  hex=$(fsverity digest --compact "$1")
  echo "$repo/objects/${hex:0:2}/${hex:2}"
}

# own_files REPOSITORY: what else is sealed.
own_files() {
  echo "$1/config"
  existing "$1/refs/*/*.root"
  existing "$1/refs/*/*.sig"
}

# has_verity FILE...
has_verity() {
  fsverity measure "$@" >/dev/null 2>&1
}

# check_sealed NAME REPOSITORY: every object is measured as its name says, as is what the
# repository has besides; all are read-only, none has a Merkle file, nothing is left over.
check_sealed() {
  local objects own object expected=
  mapfile -t objects < <(objects "$2")
  mapfile -t own < <(own_files "$2")
  for object in "${objects[@]}"; do
    expected+="sha256:${object: -65:2}${object##*/} $object"$'\n'
  done
  check_equal "$1: the objects are sealed, and measured as they are named" \
    "$(fsverity measure "${objects[@]}" 2>&1)" "${expected%$'\n'}"
  check_equal "$1: so are the files beside them" \
    "$(fsverity measure "${own[@]}" 2>&1)" "$(fsverity digest "${own[@]}")"
  check_equal "$1: objects are read-only" "$(stat -c %a "${objects[@]}" | sort -u)" 444
  check_equal "$1: no Merkle file, nothing unfinished" \
    "$(existing "$2/merkle/??/*" && existing "$2/tmp/*")" ''
}

inode() {
  stat -c %i "$1"
}
