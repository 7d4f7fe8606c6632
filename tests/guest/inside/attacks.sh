#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A repository on ext4 is attacked on the block device behind the file system (data, Merkle
# trees, descriptors, the manifest), in its inodes by somebody whose disk it is, and in the
# store while it is mounted. Every read is the signed bytes or EIO, by the daemon and by
# passthrough, with read(2), O_DIRECT, mmap and execve; fsck finds and repairs it all.
pack_threshold=0 # what is done to an object is done to its file
. "$(dirname "$0")/../../lib/guest.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
. "$VTREE_SOURCE_DIR/tests/guest/inside/disk.sh"

# In src/raw, one file for each attack: where it strikes (Merkle tree and then descriptor
# begin at the next multiple of 64 KiB behind the contents), and how many pages must fail.
large=$((129 * 4096)) # a root, two leaf blocks
tree=$((9 * 65536))
raw_attacks=(
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
mapfile -t raw_names < <(printf '%s\n' "${raw_attacks[@]%% *}")

# In src/image, what is done to the inode <N> of the file that has the name, as debugfs has
# it; DATA and TREE are the first blocks of another object's contents and of its Merkle
# tree; how many pages fail with verity=auto, and with require.
EXTENTS_FL=0x80000
image_attacks=(
  "verity-gone    0 3 sif <N> flags $EXTENTS_FL"
  "verity-wrong   3 3 sif <N> flags $EXTENTS_FL; sif <N> block[5] DATA"
  "size-less      3 3 sif <N> size 8999"
  "size-more      3 3 sif <N> size 9001"
  "size-huge      3 3 sif <N> size 0xffffffffff"
  "size-unsealed  3 3 sif <N> flags $EXTENTS_FL; sif <N> size 8999"
  "hole           1 1 punch <N> 1 1"
  "no-data        3 3 punch <N> 0 2"
  "no-tree        3 3 punch <N> 16 16"
  "no-descriptor  3 3 punch <N> 17 17"
  "other-data     3 3 sif <N> block[5] DATA"
  "other-tree     3 3 sif <N> block[8] TREE"
  "other-file     3 3 sif <N> block[5] DATA; sif <N> block[8] TREE"
)
mapfile -t image_names < <(printf '%s\n' "${image_attacks[@]%% *}")

# In src/fresh, opened after they were replaced, and in src/held, before.
ways=(other-verity other-plain right-plain right-longer sha512 block-size salt symlink gone)
size=9000
pages=3

make_sources() {
  local name sizes=() attack
  mkdir src src/{raw,image,fresh,held,many}
  for attack in "${raw_attacks[@]}" "untouched $large"; do
    read -ra attack <<<"$attack"
    sizes+=("${attack[0]}:${attack[1]}")
  done
  "$page_probe" make src/raw "${sizes[@]}"
  "$page_probe" make src/image "${image_names[@]/%/:$size}" "untouched:$size"
  "$page_probe" make src/fresh "${ways[@]/%/:$size}"
  "$page_probe" make src/held "${ways[@]/%/:$size}"
  # shellcheck disable=SC2046 # words
  "$page_probe" make src/many $(printf '%0200d:0 ' {1..1500})
  for name in program-first program-text program; do
    { cat "$page_probe" && echo "$name"; } >"src/raw/$name"
  done
  chmod 0755 src/raw/program*
  learn raw image fresh held
}

# --- blocks ---------------------------------------------------------------------------

strike_objects() {
  local attack
  {
    for attack in "${raw_attacks[@]}"; do
      read -ra attack <<<"$attack"
      locate "raw/${attack[0]}"
      echo "$object ${attack[2]} ${attack[3]}"
    done
    locate raw/program-first
    echo "$object 0 flip"
    locate raw/program-text
    echo "$object 4196 flip"
  } | raw extents
}

# What page-probe has to say.
raw_pages() {
  local attack name size failing
  for attack in "${raw_attacks[@]}"; do
    read -r name size _ _ failing <<<"$attack"
    echo "$name good $(((size + 4095) / 4096 - failing)) failed $failing"
  done
  echo 'untouched good 129 failed 0'
}

# check_objects HOW
check_objects() {
  check_pages "$1" "$m/raw" src/raw "$expected"
  drop_caches
  check_equal "$1: a program runs" "$(exit_status "$m/raw/program" self src/raw/program)" 0
  check_equal "$1: execve of a bad first page" \
    "$(exit_status "$m/raw/program-first" self src/raw/program-first)" 126
  check "$1: and it says why" grep -q 'Input/output error' "$VTREE_TMP/stderr"
  check_equal "$1: a bad page of a running program is SIGBUS" \
    "$(exit_status "$m/raw/program-text" self src/raw/program-text)" 135
}

attack_objects() {
  local pid expected
  expected=$(raw_pages)
  serve "$m" "$VTREE_TMP/log"
  pid=$(counters pid)
  strike_objects
  check_objects daemon
  check_equal 'the log names all of them and their objects' \
    "$(not_named "$VTREE_TMP/log" / "${raw_names[@]/#/raw\/}")" ''
  check_equal 'the daemon is alive; the kernel alone enforces' \
    "$(counters pid objects_daemon)" "$pid"$'\n''objects_daemon 0'
  umount "$m"
  serve "$m" "$VTREE_TMP/log.passthrough" verity=require,io=passthrough
  pid=$(counters pid)
  check_objects passthrough
  check_equal 'it is passthrough; the daemon is alive; no read came to it' \
    "$(counters pid passthrough requests_read)" \
    "$pid"$'\n''passthrough true'$'\n''requests_read 0'
  check_equal 'the log names what could not be opened' \
    "$(not_named "$VTREE_TMP/log.passthrough" / raw/descriptor-{sha512,blocks,end})" ''
}

# --- blocks of the manifest -----------------------------------------------------------

# strike_manifest OFFSET...: flips a bit there; the second time it is as it was.
strike_manifest() {
  printf "$manifest %s flip\n" "$@" | raw extents
  drop_caches
}

list_many() {
  find "$m/many" -printf '%f %m %s\n' | sort
}

# Blocks from the one where names begin to be those of "many"; $m is mounted.
attack_manifest() {
  local bytes blocks place manifest named
  named=$(<"$VTREE_TMP/manifest")
  manifest=${named#sha256:}
  manifest=$repo/objects/${manifest:0:2}/${manifest:2}
  bytes=$(stat -c %s "$manifest")
  blocks=$(((bytes - 1) / 4096))
  list_many >listed
  umount "$m"

  # while it is mounted, and not in memory yet
  serve "$m" "$VTREE_TMP/log.manifest"
  # shellcheck disable=SC2017 # whole blocks
  local places=($((blocks * 4096)) $((blocks * 3 / 4 * 4096 + 77)) $((blocks / 2 * 4096)))
  strike_manifest "${places[@]}"
  list_many >found 2>"$VTREE_TMP/stderr" || true
  check_equal 'no line of a listing is a wrong one' "$(comm -13 listed found)" ''
  check 'and what is missing is EIO' grep -q 'Input/output error' "$VTREE_TMP/stderr"
  check 'what does not need the bad blocks is there' cmp "$m/raw/untouched" src/raw/untouched
  check 'the log says so' \
    grep -q "expected metadata: .*object $named: " "$VTREE_TMP/log.manifest"
  umount "$m"
  strike_manifest "${places[@]}"

  # before it is mounted: what opening needs, the tree's root, the descriptor
  local tree=$(((bytes + 65535) / 65536 * 65536)) hashes=$((blocks / 128 + 1))
  [ "$hashes" = 1 ] || hashes=$((hashes + 1))
  for place in 16 "$tree" $((tree + hashes * 4096 + 16)); do
    strike_manifest "$place"
    expect_exit 32 mount.fuse.vtree "$repo:app" "$m"
    expect_stderr_line "^mount.fuse.vtree: .*$named"
    strike_manifest "$place"
  done
  serve "$m" "$VTREE_TMP/log"
  list_many | check 'as it was, it is mounted again, and whole' cmp - listed
  umount "$m"
}

# --- inodes ---------------------------------------------------------------------------

# image_pages COLUMN
image_pages() {
  local attack
  for attack in "${image_attacks[@]}"; do
    read -ra attack <<<"$attack"
    echo "${attack[0]} good $((pages - attack[$1])) failed ${attack[$1]}"
  done
  echo "untouched good $pages failed 0"
}

# Makes what debugfs has to do; the disk is still mounted.
write_commands() {
  local data tree attack name commands inodes=() paths=() i=0
  for name in untouched "${image_names[@]}"; do
    locate "image/$name"
    paths+=("$object")
  done
  mapfile -t inodes < <(stat -c %i "${paths[@]}")
  sync
  read -rd '' data tree < <(printf "bmap <${inodes[0]}> %d\n" 0 16 \
    | debugfs -f - "$disk_image" 2>/dev/null | grep -v '^debugfs') || true
  for attack in "${image_attacks[@]}"; do
    i=$((i + 1))
    read -r name _ _ commands <<<"$attack"
    commands=${commands//<N>/<${inodes[i]}>}
    commands=${commands//DATA/$data}
    commands=${commands//TREE/$tree}
    echo "${commands//; /$'\n'}"
  done >debugfs.commands
}

attack_inodes() {
  local verity column=0 pid
  write_commands
  unmount_disk
  debugfs -w -f debugfs.commands "$disk_image" >debugfs.log 2>&1
  check_equal 'debugfs does it' "$(grep -v '^debugfs' debugfs.log)" ''
  mount_disk errors=continue
  for verity in auto require; do
    column=$((column + 1))
    serve "$m" "$VTREE_TMP/log" "verity=$verity"
    pid=$(counters pid)
    check_pages "inodes, $verity" "$m/image" src/image "$(image_pages "$column")"
    check_equal "inodes, $verity: the daemon is alive" "$(counters pid)" "$pid"
    umount "$m"
  done
}

# untangle_disk: several inodes have the same blocks now. Replaced, each would free what the
# others have, and new files would be written over untouched ones.
untangle_disk() {
  unmount_disk
  expect_exit 1 e2fsck -fy "$disk_image"
  expect_stdout 'multiply-claimed'
  mount_disk errors=continue
}

# check_fsck WHAT FILE...: fsck names all these objects.
check_fsck() {
  local what=$1
  shift
  expect_exit 6 as_isolated_root vtree --repo="$repo" fsck
  cat "$VTREE_TMP/stdout" "$VTREE_TMP/stderr" >fsck.log
  check_equal "fsck finds all $what" "$(not_named fsck.log - "$@")" ''
}

# --- other objects --------------------------------------------------------------------

# replacement WAY FILE: makes ./new of what FILE should be.
replacement() {
  cp "$2" new
  case $1 in
    other-*) printf '\377\0\377' | dd of=new bs=1 seek=5000 conv=notrunc status=none ;;&
    other-verity) fsverity enable new ;;
    right-longer) echo x >>new ;;
    sha512) fsverity enable --hash-alg=sha512 new ;;
    block-size) fsverity enable --block-size=1024 new ;;
    salt) fsverity enable --salt=5a17 new ;;
    symlink) fsverity enable new && mv new "aside.$set" && ln -s "$disk/aside.$set" new ;;
  esac
}

replace() {
  local way set
  cd "$disk"
  for way in "${ways[@]}"; do
    for set in fresh held; do
      locate "$set/$way"
      replacement "$way" "$VTREE_TMP/src/$set/$way"
      if [ "$way" = gone ]; then rm "$object" new; else mv -f new "$object"; fi
    done
  done
  cd "$VTREE_TMP"
}

# replaced_pages [WAY]: all are EIO but this.
replaced_pages() {
  local way
  for way in "${ways[@]}"; do
    if [ "$way" = "${1:-}" ]; then
      echo "$way good $pages failed 0"
    else
      echo "$way good 0 failed $pages"
    fi
  done
}

serve_both() {
  serve "$m" "$VTREE_TMP/log.auto" verity=auto
  serve "$r" "$VTREE_TMP/log.require" verity=require
}

attack_store() {
  local r=$VTREE_TMP/require
  serve_both
  check 'all is well again' diff -r --exclude=many --exclude=fresh src "$m"
  check 'also with require' diff -r --exclude=many --exclude=fresh src "$r"
  replace
  check_pages 'replaced, auto' "$m/fresh" src/fresh "$(replaced_pages right-plain)"
  check_pages 'replaced, require' "$r/fresh" src/fresh "$(replaced_pages)"
  # What is held is served from what was measured.
  check 'held, auto: never wrong' "$page_probe" read,mmap "$m/held" src/held "${ways[@]}"
  check 'held, require: never wrong' "$page_probe" read,mmap "$r/held" src/held "${ways[@]}"
  check_equal 'the log names all of them' "$(not_named "$VTREE_TMP/log.require" / \
    fresh/{other-verity,other-plain,right-plain,right-longer,sha512,block-size,salt})" ''
  check 'and what the kernel measured' \
    grep -q '/fresh/sha512: .*the kernel measured sha512:' "$VTREE_TMP/log.auto"
  check 'and what it does not enforce' \
    grep -q '/fresh/right-plain: .*does not enforce' "$VTREE_TMP/log.require"
  umount "$m" "$r"
  serve_both
  check_pages 'replaced, auto, mounted again' "$m/held" src/held \
    "$(replaced_pages right-plain)"
  check_pages 'replaced, require, mounted again' "$r/held" src/held "$(replaced_pages)"
  check_fsck 'that were replaced' {fresh,held}/{other-verity,other-plain,right-longer} \
    {fresh,held}/{sha512,block-size,salt,symlink,gone}
  commit_app src --verity=require
  check 'a commit heals it' diff -r --exclude=many src "$m"
  check 'also for require' diff -r --exclude=many src "$r"
}

make_disk ext4 192M -q -O verity -b 4096
mount_disk
make_sources
commit_app src --verity=require
sync
attack_objects
attack_manifest
attack_inodes
check_fsck 'that were attacked on the disk' "${raw_names[@]/#/raw\/}" \
  image/{verity-wrong,size-less,size-more,size-huge,size-unsealed,hole} \
  image/{no-data,no-tree,no-descriptor,other-data,other-tree,other-file}
untangle_disk
expect_exit 0 as_isolated_root vtree --repo="$repo" fsck --repair-from=src
expect_exit 0 as_isolated_root vtree --repo="$repo" fsck --seal
attack_store
umount "$m" "$VTREE_TMP/require"
unmount_disk
expect_exit 0 e2fsck -fn "$disk_image"
