#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# io_uring: used where libfuse and the kernel have it, /dev/fuse otherwise, and either way
# the tree is the same. The kernel's parameter is for the whole machine: it is turned on
# and off in here, and put back. Where libfuse has no io_uring, the rest.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper

parameter=/sys/module/fuse/parameters/enable_uring
was=
put_back() {
  local status=$?
  set +e
  [ -z "$was" ] || echo "$was" >"$parameter"
  (exit "$status")
  vtree_leave
}
trap put_back EXIT

# turn on|off: the parameter. One test at a time.
turn() {
  case $1 in on) echo Y ;; off) echo N ;; esac >"$parameter"
}
# libfuse was built with it (3.18 may be without: then this is the same as an older one).
library_has_it() {
  grep -q liburing <<<"$(ldd "$(command -v mount.fuse.vtree)")"
}
# ThreadSanitizer has a thread of its own, which keeps what it began with.
has_tsan() {
  grep -q libtsan <<<"$(ldd "$(command -v mount.fuse.vtree)")"
}
# check_tree NAME WAY: mounted with the options of $options, requests come by WAY.
check_tree() {
  mount_app "$options"
  check "$1: the same tree" diff -r --no-dereference src "$m"
  expect_exit 0 vtree status "$m"
  expect_stdout "^requests by: $2\$"
  check_equal "$1: as JSON" "$(counter io_uring)" "$3"
  check "$1: two at a time" read_twice
  check_equal "$1: no failure" "$(counter failures)" 0
  check "$1: no capabilities" grep -q '^CapEff:[^0-9a-f]*0*$' "/proc/$(counter pid)/status"
  has_tsan || check_equal "$1: nor in any thread" "$(threads_with_capabilities)" 0
}
threads_with_capabilities() {
  grep -L '^CapEff:[^0-9a-f]*0*$' "/proc/$(counter pid)/task/"*/status | wc -l
}
read_twice() {
  local first
  cmp src/large "$m/large" &
  first=$!
  cmp src/large2 "$m/large2" && wait "$first"
}

read_unmounted() (
  cd "$m"
  umount -l "$m"
  cmp large "$VTREE_TMP/src/large"
)

mkdir src src/dir
for f in $(seq 300); do
  head -c "$((f * 37))" /dev/urandom >"src/dir/$f"
done
head -c 9000000 /dev/urandom >src/large
head -c 9000000 /dev/urandom >src/large2
: >src/empty
ln -s dir/1 src/link
commit_app src

options=io_uring=off
check_tree off /dev/fuse False
unmount_app
options=io_uring=auto
if [ -w "$parameter" ] && library_has_it; then
  was=$(cat "$parameter")
  turn on
  check_tree on io_uring True
  # a bad block is EIO this way too
  object=$(object_of src/large)
  chmod u+w "$object"
  flip_byte "$object" 5000000
  unmount_app
  mount_app
  check 'a bad block' read_fails "$m/large" EIO
  flip_byte "$object" 5000000
  unmount_app

  mount_app
  kill -TERM "$(counter pid)"
  check 'SIGTERM unmounts' wait_until 10 not is_mounted "$m"
  check 'SIGTERM ends all' wait_until 10 nobody_serves
  mount_app
  check 'unmounted lazily: it goes on' read_unmounted
  check 'and ends then' wait_until 10 nobody_serves

  mount_app
  turn off
  check 'turned off meanwhile: it goes on' cmp src/large "$m/large"
  unmount_app
  mount_app io=passthrough
  check 'io=passthrough' diff -r --no-dereference src "$m"
  unmount_app
else
  echo 'libfuse or the kernel has no io_uring'
fi
[ -z "$was" ] || turn off
check_tree 'not offered' /dev/fuse False
unmount_app
