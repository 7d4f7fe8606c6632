#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `fsverity measure` on the mount says what `fsverity digest` says of the source.
prefetch=off
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper

mkdir src src/dir
for size in 0 1 4095 4096 4097 524288 524289 3000000; do
  head -c "$size" /dev/urandom >"src/$size"
done
ln -s 1 src/link
commit_app src
mount_app

if ! fsverity measure "$m/1" >/dev/null 2>err; then
  # Kernels before 6.10 do not give FUSE room for the answer.
  check 'an old kernel: ENOTTY' grep -q 'Inappropriate ioctl\|not supported' err
  skip 'this kernel does not pass FS_IOC_MEASURE_VERITY on to FUSE'
fi
for size in 0 1 4095 4096 4097 524288 524289 3000000; do
  check_equal "$size bytes" "$(fsverity measure "$m/$size" | cut -d' ' -f1)" \
    "sha256:$(fsverity digest --compact "src/$size")"
done
check 'a directory has none' not fsverity measure "$m/dir"
check 'room for half a digest is too little' python3 - "$m/1" <<'END'
import errno, fcntl, os, struct, sys
MEASURE = 0xc0046686
fd = os.open(sys.argv[1], os.O_RDONLY)
try:
    fcntl.ioctl(fd, MEASURE, bytearray(struct.pack("HH", 0, 16) + bytes(16)), True)
except OSError as e:
    sys.exit(e.errno != errno.EOVERFLOW)
sys.exit("it succeeded")
END
check 'other ioctls: ENOTTY' python3 - "$m/1" "$m/dir" <<'END'
import errno, fcntl, os, sys
for path in sys.argv[1:]:
    fd = os.open(path, os.O_RDONLY)
    for request in (0x5401, 0x80086601, 0x80045699):
        try:
            fcntl.ioctl(fd, request, bytearray(64), True)
        except OSError as e:
            if e.errno != errno.ENOTTY:
                sys.exit(f"{request:#x}: {errno.errorcode[e.errno]}")
        else:
            sys.exit(f"{request:#x} succeeded")
END
