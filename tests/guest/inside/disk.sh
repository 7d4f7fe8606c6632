# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the attacks in the guest share: a disk of the test's own, an image on a loop
# device, so that what is written to the image is written behind the file system's back;
# and what a reader says of each page. Source it behind mounted.sh: $repo is on the disk.

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
  "mkfs.$disk_type" -q "$@" "$disk_image"
  mkdir -p "$disk"
}

# mount_disk [OPTION,...]
# shellcheck disable=SC2120 # options are optional
mount_disk() {
  mount -t "$disk_type" -o "loop${1:+,$1}" "$disk_image" "$disk"
}

# raw COMMAND: raw.py on the disk's image.
raw() {
  python3 "$VTREE_SOURCE_DIR/tests/guest/inside/raw.py" "$1" "$disk_image"
}

# check_pages NAME DIR SIGNED EXPECTED: by read(2), O_DIRECT and mmap, each file's pages
# are the signed ones or EIO (SIGBUS). EXPECTED: a line "NAME good N failed M" for each.
check_pages() {
  local mode names
  mapfile -t names <<<"$4"
  for mode in read direct mmap; do
    drop_caches
    check_equal "$1: $mode" \
      "$("$page_probe" "$mode" "$2" "$3" "${names[@]%% *}" 2>&1 || true)" "$4"
  done
}

# exit_status COMMAND...: what the shell makes of it: 126 can't be executed, 135 SIGBUS.
exit_status() {
  local status=0
  bash -c '"$@"' - "$@" >"$VTREE_TMP/stdout" 2>"$VTREE_TMP/stderr" || status=$?
  echo "$status"
}
