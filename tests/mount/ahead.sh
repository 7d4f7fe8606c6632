#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Large files that the daemon verifies, read in order: every byte is right or EIO, however
# far ahead it was verified; what nobody asks for is no failure.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper

mkdir src
head -c 20000001 /dev/urandom >src/large
head -c 20000001 /dev/urandom >src/other
commit_app src
object=$(object_of src/large)

# blocks FILE SIZE: reads FILE in order, SIZE bytes at a time; "OFFSET" of each that fails,
# after which it goes on. What is read has to be right.
blocks() {
  python3 - "$1" "src/${1##*/}" "$2" <<'END'
import os
import sys

path, source, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(source, "rb") as file:
    right = file.read()
fd = os.open(path, os.O_RDONLY)
for offset in range(0, len(right), size):
    end = min(offset + size, len(right))
    at = offset
    while at < end:  # what precedes a bad page is a short read
        try:
            got = os.pread(fd, end - at, at)
        except OSError as error:
            print(offset, os.strerror(error.errno))
            break
        if not got or got != right[at:at + len(got)]:
            print(offset, "is wrong")
            break
        at += len(got)
END
}
many() {
  [ "$(nproc)" -lt 2 ] || [ "$(counter reads_ahead)" -ge "$1" ]
}

for readahead in off auto; do
  for size in 4096 131072 1000000; do
    mount_app "readahead=$readahead"
    check_equal "$readahead, $size: right" "$(blocks "$m/large" "$size")" ''
    check "$readahead, $size: it was verified ahead" many 10
    check_equal "$readahead, $size: each byte handed out once" "$(counter bytes_read)" 20000001
    check "$readahead, $size: the same again" cmp "$m/large" src/large
    check_equal "$readahead, $size: no failure" "$(counter failures)" 0
    unmount_app
  done
done

# Two in order, and one here and there.
mount_app readahead=off
cmp "$m/large" src/large &
one=$!
cmp "$m/other" src/other &
two=$!
check 'in between' python3 "$VTREE_SOURCE_DIR/tests/mount/here-and-there.py" "$m/other" src/other
check 'the first' wait "$one"
check 'the second' wait "$two"
unmount_app

# A bad block is an error where it is, and nowhere else.
flip_byte "$object" 10000000
for size in 4096 131072; do
  : >log
  mount_app readahead=off
  blocks "$m/large" "$size" >failed
  check_equal "a bad block, $size: EIO" "$(sort -u -k2 failed | cut -d' ' -f2-)" \
    'Input/output error'
  check "a bad block, $size: it alone" test "$(wc -l <failed)" -le 2
  check_equal "a bad block, $size: where it is" "$(head -n 1 failed | cut -d' ' -f1)" \
    $((10000000 / size * size))
  check "a bad block, $size: a failure" test "$(counter failures)" -ge 1
  check "a bad block, $size: the log says so" grep -q '/large: .*block 2441 is wrong' \
    "$VTREE_TMP/log"
  unmount_app
done

# Who stops before it has not met it.
: >log
mount_app readahead=off
check 'up to there' cmp -n 9600000 "$m/large" src/large
check_equal 'nothing has failed' "$(counter failures)" 0
check_equal 'nothing is logged' "$(grep -c wrong "$VTREE_TMP/log")" 0
flip_byte "$object" 10000000
check 'repaired meanwhile' cmp "$m/large" src/large
unmount_app
