#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Blocks of objects and of the manifest are overwritten on the block device behind ext4:
# data, Merkle tree, descriptor. Every read is the signed bytes or EIO, by the daemon and
# by passthrough, with read(2), O_DIRECT, mmap and execve; nothing else is harmed.
. "$(dirname "$0")/../../lib/guest.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
. "$VTREE_SOURCE_DIR/tests/guest/inside/disk.sh"
install_helper

# One file for each attack: where it strikes (Merkle tree and then descriptor begin at the
# next multiple of 64 KiB behind the contents), and how many pages must fail.
large=$((129 * 4096)) # a root, two leaf blocks
tree=$((9 * 65536))
attacks=(
  # name             size   offset                 value failing
  "data              $large 12288                  flip  1"
  "data-first        $large 0                      flip  1"
  "data-last         $large $((large - 1))         flip  1"
  "data-padding      5000   8190                   flip  1"
  "data-tiny         1      0                      flip  1"
  "tree-root         $large $tree                  flip  129"
  "tree-leaf         $large $((tree + 8192))       flip  1"
  "tree-padding      $large $((tree + 8192 + 400)) flip  1"
  "tree-small        5000   65600                  flip  2"
  "descriptor-root   5000   $((69632 + 16))        flip  2"
  "descriptor-size   5000   $((69632 + 8))         flip  2"
  "descriptor-salt   5000   $((69632 + 3))         1     2"
  "descriptor-sha512 5000   $((69632 + 1))         2     2"
  "descriptor-blocks 5000   $((69632 + 2))         10    2"
  "descriptor-end    5000   $((69632 + 4093))      0     2"
)

make_sources() {
  local attack name size
  mkdir src src/many
  for attack in "${attacks[@]}"; do
    read -r name size _ <<<"$attack"
    head -c "$size" /dev/urandom >"src/$name"
  done
  head -c "$large" /dev/urandom >src/untouched
  for name in program-first program-text program; do
    { cat "$page_probe" && echo "$name"; } >"src/$name"
    chmod 0755 "src/$name"
  done
  python3 -c 'for i in range(3000): open(f"src/many/{i:0200}", "x").close()'
}

# strike: all attacks on objects at once; again: they are undone where a bit was flipped.
strike() {
  local attack name offset value
  {
    for attack in "${attacks[@]}"; do
      read -r name _ offset value _ <<<"$attack"
      printf '%s %s %s\n' "$(object_of "src/$name")" "$offset" "$value"
    done
    printf '%s 0 flip\n%s 4196 flip\n' "$(object_of src/program-first)" \
      "$(object_of src/program-text)"
  } | raw extents
}

# What page-probe has to say.
expected_pages() {
  local attack name size failing
  for attack in "${attacks[@]}"; do
    read -r name size _ _ failing <<<"$attack"
    echo "$name good $(((size + 4095) / 4096 - failing)) failed $failing"
  done
  echo "untouched good 129 failed 0"
}

# check_attacks HOW DIR
check_attacks() {
  check_pages "$1" "$2" src "$expected"
  drop_caches
  check_equal "$1: a program runs" "$(exit_status "$2/program" self src/program)" 0
  check_equal "$1: execve of a bad first page" \
    "$(exit_status "$2/program-first" self src/program-first)" 126
  check "$1: and it says why" grep -q 'Input/output error' "$VTREE_TMP/stderr"
  check_equal "$1: a bad page of a running program is SIGBUS" \
    "$(exit_status "$2/program-text" self src/program-text)" 135
}

# named_in LOG NAME...: which of the files have no line with their name and their
# object's.
not_named_in() {
  local log=$1 name digests
  shift
  mapfile -t digests < <(cd src && fsverity digest "$@")
  for name in "${digests[@]}"; do
    grep -q " /${name#* }: .*${name% *}" "$log" || echo "${name#* }"
  done
}

# strike_manifest OFFSET...: flips a bit there; the second time it is as it was.
strike_manifest() {
  printf "$manifest %s flip\n" "$@" | raw extents
}

# Blocks of the manifest, from the one where names begin to be those of "many".
check_manifest() {
  local size blocks late half struck
  size=$(stat -c %s "$manifest")
  blocks=$(((size - 1) / 4096))
  half=$((blocks / 2))
  late=$((blocks * 3 / 4))
  struck=($((blocks * 4096)) $((late * 4096 + 77)) $((half * 4096)))
  find "$m/many" -printf '%f %m %s\n' | sort >"$VTREE_TMP/listed"
  umount "$m"

  # while it is mounted, and not in memory yet
  mount_app
  strike_manifest "${struck[@]}"
  drop_caches
  find "$m/many" -printf '%f %m %s\n' 2>"$VTREE_TMP/stderr" | sort >"$VTREE_TMP/found" || true
  check_equal 'no line of a listing is a wrong one' \
    "$(comm -13 "$VTREE_TMP/listed" "$VTREE_TMP/found")" ''
  check 'and what is missing is EIO' grep -q 'Input/output error' "$VTREE_TMP/stderr"
  check 'what does not need the bad blocks is there' cmp "$m/untouched" src/untouched
  check 'the log says so' grep -q "expected metadata: .*object $(cat "$VTREE_TMP/manifest"): " "$VTREE_TMP/log"
  umount "$m"
  strike_manifest "${struck[@]}"
  drop_caches

  # before it is mounted: what opening needs
  local tree=$(((size + 65535) / 65536 * 65536)) place
  for place in 16 "$tree" $((tree + 4096 * 3 + 16)); do
    strike_manifest "$place"
    drop_caches
    expect_exit 32 mount.fuse.vtree "$repo:app" "$m"
    expect_stderr_line "^mount.fuse.vtree: .*$(cat "$VTREE_TMP/manifest")"
    strike_manifest "$place"
  done
  drop_caches
  mount_app
  check 'as it was, it is mounted again' cmp "$m/untouched" src/untouched
  find "$m/many" -printf '%f %m %s\n' | sort | check 'and whole' cmp - "$VTREE_TMP/listed"
  umount "$m"
}

make_disk ext4 192M -O verity -b 4096
mount_disk
make_sources
mapfile -t names < <(printf '%s\n' "${attacks[@]}" | cut -d' ' -f1)
expected=$(expected_pages)
commit_app src --verity=require
manifest=$(sed 's/sha256:\(..\)/\1\//' "$VTREE_TMP/manifest")
manifest=$repo/objects/$manifest
sync
mount_app
pid=$(counter pid)
strike
check_attacks daemon "$m"
check_equal 'the log names all of them and their objects' \
  "$(not_named_in "$VTREE_TMP/log" "${names[@]}")" ''
check_equal 'the daemon is alive' "$(counter pid)" "$pid"
check_equal 'the kernel alone enforces' "$(counter objects_daemon)" 0
umount "$m"
mount_app verity=require,io=passthrough
check_attacks passthrough "$m"
check_equal 'it is passthrough' "$(counter passthrough)" True
check_equal 'no read came to the daemon' "$(counter requests_read)" 0
check 'the log names what could not be opened' grep -q ' /descriptor-end: ' "$VTREE_TMP/log"
check_manifest
