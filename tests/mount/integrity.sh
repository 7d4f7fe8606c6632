#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Objects that are not what was signed, while they are mounted: EIO, or SIGBUS for who has
# mapped them; a line in the log; everything else goes on.
pack_threshold=0 # what is done to an object is done to its file
prefetch=off
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper

mkdir src src/dir
for f in gone flipped cut swapped-a swapped-b fifo link directory; do
  head -c 9000 /dev/urandom >"src/dir/$f"
done
head -c 5000000 /dev/urandom >src/large
head -c 5000000 /dev/urandom >src/mapped
head -c 9000 /dev/urandom >src/good
printf 'x' >"src/odd
name"
commit_app src

logged() {
  grep -q "$1" "$VTREE_TMP/log"
}
good() {
  cmp "$m/good" src/good
}

for open in lazy checked; do
  rm -rf kept
  cp -a "$repo/objects" kept
  : >log
  mount_app "open=$open"
  rm "$(object_of src/dir/gone)"
  flip_byte "$(object_of src/dir/flipped)" 8999
  truncate -s 4096 "$(object_of src/dir/cut)"
  mv "$(object_of src/dir/swapped-a)" x
  mv "$(object_of src/dir/swapped-b)" "$(object_of src/dir/swapped-a)"
  mv x "$(object_of src/dir/swapped-b)"
  rm "$(object_of src/dir/fifo)"
  mkfifo "$(object_of src/dir/fifo)"
  rm "$(object_of src/dir/link)"
  cp src/dir/link x
  ln -s "$VTREE_TMP/x" "$(object_of src/dir/link)"
  rm "$(object_of src/dir/directory)"
  mkdir "$(object_of src/dir/directory)"
  flip_byte "$(object_of src/large)" 4000000
  for f in gone flipped cut swapped-a swapped-b fifo link directory; do
    check "open=$open: $f is EIO" read_fails "$m/dir/$f" EIO
    check "open=$open: $f is logged" logged "/dir/$f: expected object sha256:"
  done
  check "open=$open: large is EIO" read_fails "$m/large" EIO
  check_equal "open=$open: its good beginning" \
    "$(head -c 3900000 "$m/large" 2>/dev/null | sha256sum)" \
    "$(head -c 3900000 src/large | sha256sum)"
  rm "$(object_of $'src/odd\nname')"
  check "open=$open: an odd name is EIO" read_fails "$m/"$'odd\nname' EIO
  check "open=$open: and one line" logged '/odd\\nname: expected object'
  check "open=$open: the good file" good
  check "open=$open: they are counted" test "$(counter failures)" -ge 10

  # repaired: at once
  rm -rf "${repo:?}"/objects/*
  cp -a kept/. "$repo/objects/"
  check "open=$open: repaired" diff -r src "$m"
  unmount_app
done

# truncated under a mapping: SIGBUS for the reader alone
mount_app
exec 5<"$m/mapped"
head -c 4096 <&5 >/dev/null
truncate -s 4096 "$(object_of src/mapped)"
status=0
python3 - "$m/mapped" 2>/dev/null <<'END' || status=$?
import mmap, os, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
fd = os.open(sys.argv[1], os.O_RDONLY)
m = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
print(m[4000000])
END
check_equal 'a mapping of a cut object: SIGBUS' "$status" 135
exec 5<&-
check 'the daemon lives' good
cp -a --remove-destination kept/. "$repo/objects/"
check 'and the file is there again' cmp "$m/mapped" src/mapped
unmount_app

# the manifest, before and while it is mounted
hex=$(sed 's/sha256://' "$VTREE_TMP/manifest")
manifest=$repo/objects/${hex:0:2}/${hex:2}
cp -p "$manifest" kept-manifest
flip_byte "$manifest" 5000
mkdir -p "$m"
status=0
mount.fuse.vtree "$repo:app" "$m" -o "log=$VTREE_TMP/log" 2>err || status=$?
check_equal 'a bad manifest does not mount' "$status" 32
cp kept-manifest "$manifest"

# verity=off serves what there is, and says so
flip_byte "$(object_of src/good)" 10
mount_app
check 'verity=auto: EIO' read_fails "$m/good" EIO
unmount_app
mount_app verity=off 2>/dev/null
check 'verity=off: the wrong bytes' not cmp -s "$m/good" src/good
check 'of that length' test "$(wc -c <"$m/good")" = 9000
check 'measure: no verity' not fsverity measure "$m/good"
