# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the attacks in the guest share: a disk of the test's own, an image on a loop
# device, so that what is written to the image is written behind the file system's back;
# and what a reader says of each page. Programs are slow to start here: each is asked for
# as much as it can say. Source it behind mounted.sh: $repo is on the disk.

disk_image=$VTREE_TMP/disk.img
disk=$VTREE_TMP/disk
# shellcheck disable=SC2034 # for mounted.sh
repo=$disk/repo
page_probe=$VTREE_BUILD_DIR/tests/programs/page-probe

# make_disk TYPE SIZE [MKFS-OPTION...]: an image with an empty file system.
make_disk() {
  local size=$2
  disk_type=$1
  shift 2
  modprobe -aq loop "$disk_type" || true
  rm -f "$disk_image"
  truncate -s "$size" "$disk_image"
  "mkfs.$disk_type" "$@" "$disk_image" >"$VTREE_TMP/mkfs.log"
  mkdir -p "$disk"
}

# mount_disk [OPTION,...]
# shellcheck disable=SC2120 # options are optional
mount_disk() {
  mount -t "$disk_type" -o "loop${1:+,$1}" "$disk_image" "$disk"
}

# unmount_disk: when the daemons that were served from it are gone.
unmount_disk() {
  wait_until 30 umount "$disk" 2>/dev/null
}

# serve DIR LOG [OPTIONS]: "app" on DIR, without mount(8).
serve() {
  mkdir -p "$1"
  mount.fuse.vtree "$repo:app" "$1" -o "log=$2,prefetch=off${3:+,$3}"
}

# raw extents|btrfs: raw-strike on the disk's image.
raw() {
  "$VTREE_BUILD_DIR/tests/programs/raw-strike" "$1" "$disk_image"
}

# learn DIR...: the digests of the files in src/DIR, in ${digests[DIR/FILE]}.
declare -A digests
learn() {
  local value name dir files=()
  for dir; do files+=("src/$dir"/*); done
  while read -r value name; do
    digests[${name#src/}]=$value
  done < <(fsverity digest "${files[@]}")
}

# locate FILE: the path of its object, in $object.
locate() {
  object=${digests[$1]#sha256:}
  object=$repo/objects/${object:0:2}/${object:2}
}

# not_named LOG PREFIX FILE...: those of the files that have no line with their path
# (PREFIX$FILE, if PREFIX is not -) and their digest.
not_named() {
  local log prefix=$2 path name
  log=$(<"$1")
  shift 2
  for name; do
    path=
    [ "$prefix" = - ] || path=" $prefix$name: "
    [[ $log =~ "$path"[^$'\n']*"${digests[$name]}" ]] || echo "$name"
  done
}

# counters NAME...: those numbers of the status of $m, as "NAME VALUE".
counters() {
  local json name
  # shellcheck disable=SC2154 # mounted.sh has it
  json=$(vtree status --json "$m")
  for name; do
    [[ $json =~ \"$name\":[[:space:]]*([a-z0-9]+) ]] || BASH_REMATCH=('' absent)
    printf '%s %s\n' "$name" "${BASH_REMATCH[1]}"
  done
}

# check_pages NAME DIR SIGNED EXPECTED: by read(2), O_DIRECT and mmap, with caches dropped
# before each, the files' pages are the signed ones or EIO (SIGBUS). EXPECTED: a line
# "FILE good N failed M" for each.
check_pages() {
  local names expected mode
  mapfile -t names <<<"$4"
  for mode in read direct mmap; do
    expected+=$(printf "$mode %s\n" "${names[@]}")$'\n'
  done
  check_equal "$1: read, direct, mmap" \
    "$("$page_probe" read,direct,mmap "$2" "$3" "${names[@]%% *}" 2>&1 || true)" \
    "${expected%$'\n'}"
}

# exit_status COMMAND...: what the shell makes of it: 126 can't be executed, 135 SIGBUS.
exit_status() {
  local status=0
  bash -c '"$@"' - "$@" >"$VTREE_TMP/stdout" 2>"$VTREE_TMP/stderr" || status=$?
  echo "$status"
}
