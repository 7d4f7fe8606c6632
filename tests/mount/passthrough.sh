#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# io=passthrough, where the kernel enforces (simulated). With a kernel before 6.9, or a
# libfuse before 3.17, the other branch: the daemon serves all, and says why.
pack_threshold=0 # a slice of a pack has no descriptor to be passed
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper
use_simulated_kernel
# A file on a stacked filesystem can't back another one, and /tmp may lie on one.
umount /var/lib/vtree
mount -t tmpfs -o mode=0755 tmpfs "$VTREE_TMP/host/var/lib/vtree"
bind_over "$VTREE_TMP/host/var/lib/vtree" /var/lib/vtree

MANY=3000
mkdir src src/many
for f in $(seq $MANY); do
  echo "$f" >"src/many/$f"
done
for f in one two changing sealed-later; do
  head -c 9000 /dev/urandom >"src/$f"
done
head -c 3000001 /dev/urandom >src/large
head -c 3000001 /dev/urandom >src/large-plain
cp src/large src/duplicate
ln src/large src/hardlink
: >src/empty
cp "/bin/true" src/true
printf '#!/bin/sh\necho ran\n' >src/script
chmod 0755 src/script
commit_app src
daemons=(changing sealed-later large-plain)
for f in "${daemons[@]}"; do
  chmod u+w "$(object_of "src/$f")"
done

opens() {
  python3 "$VTREE_SOURCE_DIR/tests/mount/passthrough.py" "$@"
}
held_is() {
  [ "$(counter passthrough_held)" = "$1" ]
}
# serves_by FILE: who serves it: "kernel" if that needs no request.
serves_by() {
  local before
  before=$(counter passthrough_opens)
  head -c 1 "$1" >/dev/null || return
  if [ "$(counter passthrough_opens)" -gt "$before" ]; then echo kernel; else echo daemon; fi
}
fallback_lines() {
  grep -c 'io=passthrough: .*; the daemon serves the files$' "$VTREE_TMP/log" || true
}
capabilities() {
  sed -n 's/^CapEff:[^0-9a-f]*0*\([0-9a-f]\)/\1/p' "/proc/$(counter pid)/status"
}
descriptors() {
  find "/proc/$(counter pid)/fd" -mindepth 1 | wc -l
}
all_released() {
  [ "$(counter requests_release)" = "$(counter requests_open)" ]
}
# at_least VERSION VERSION
at_least() {
  [ "$(printf '%s\n' "$1" "$2" | sort -V | head -1)" = "$2" ]
}

library=$(fusermount3 --version | grep -o '[0-9][0-9.]*$')
mount_app io=passthrough 2>err
check_equal 'open(2) is checked' "$(vtree status "$m" | grep '^open:')" 'open: checked'
if ! at_least "$library" 3.17 || ! at_least "$(uname -r)" 6.9; then
  check_equal 'one line in the log' "$(fallback_lines)" 1
  check_equal 'the status says so' "$(counter passthrough)" False
  check_equal 'no capability is kept' "$(capabilities)" 0
  check 'everything can be read' diff -r src "$m"
  check 'a script runs' "$m/script"
  check_equal 'by the daemon' "$(counter passthrough_opens) $(counter passthrough_held)" '0 0'
  check 'all is released in the end' wait_until 10 all_released
  check_equal 'still one line' "$(fallback_lines)" 1
  unmount_app
  exit
fi
check_equal 'the status says so' "$(counter passthrough)" True
check_equal 'one capability is kept' "$(capabilities)" 200000

# who serves what
check_equal 'an enforced object' "$(serves_by "$m/one")" kernel
check_equal 'a plain one' "$(serves_by "$m/large-plain")" daemon
check_equal 'an empty file' "$(serves_by "$m/empty")" daemon
before=$(counter requests_read)
for f in one two large hardlink duplicate true; do
  check "$f, in every way" opens all "$m/$f" "src/$f"
done
check_equal 'without a READ' "$(counter requests_read)" "$before"
check 'a plain one, in every way' opens all "$m/large-plain" src/large-plain
check 'that takes READs' test "$(counter requests_read)" -gt "$before"
check 'a mapping outlives its descriptor' opens mapped "$m/large" src/large
check 'a program runs' "$m/true"
check_equal 'a script runs' "$("$m/script")" ran
check 'everything' diff -r src "$m"
check 'all is released in the end' wait_until 10 held_is 0
if fsverity measure "$m/one" >measured 2>err; then
  check_equal 'fsverity measure' "$(cut -d' ' -f1 measured)" \
    "sha256:$(fsverity digest --compact src/one)"
fi

# many opens of one inode, and of one object
state="vtree status --json $m | python3 -c 'import json, sys
o = json.load(sys.stdin)[\"mounts\"][0]
print(o[\"passthrough_held\"])' >held"
opens hold "$state" "$m/large" "$m/large" "$m/hardlink" "$m/large"
check_equal 'one inode, one backing file' "$(cat held)" 1
opens hold "$state" "$m/large" "$m/duplicate" "$m/large-plain"
check_equal 'two inodes of one object' "$(cat held)" 2
opens hold "vtree status --json '$m/one' >held" "$m/one"
check 'the file says who enforces it' grep -q '"state":"verified","enforcer":"kernel"' held
check 'released' wait_until 10 held_is 0
check 'eight processes' opens race 400 "$m/one" "$m/two" "$m/large" "$m/duplicate" \
  "$m/hardlink" "$m/large-plain" "$m/changing" "$m/many/1" "$m/many/2"
check 'released' wait_until 10 held_is 0

# Thousands: no descriptor and no backing file is left over. Whoever leaked one would
# leave its file open: all files that are open on this machine are counted.
all=("$m"/many/*)
opens hold "$state; find /proc/$(counter pid)/fd -mindepth 1 | wc -l >fds" "${all[@]}"
check_equal 'thousands at once' "$(cat held)" $MANY
check 'the daemon holds few descriptors' test "$(cat fds)" -le 600
check 'released' wait_until 10 held_is 0
before=$(cut -f1 /proc/sys/fs/file-nr)
check 'thousands, again and again' opens again 5 "${all[@]}"
check 'released' wait_until 10 held_is 0
after=$(cut -f1 /proc/sys/fs/file-nr)
check 'no file is left open' test $((after - before)) -lt $((2 * MANY))
check 'few descriptors' test "$(descriptors)" -le 600

# An object that becomes enforced while it is open: the kernel allows no change before
# the last one has closed it. What fails is not kept, hence the empty file in between.
unmount_app
mount_app io=passthrough 2>err
object=$(object_of src/changing)
exec 5<"$m/changing"
cp "$object" changing.good
: >"$object"
check 'spoilt: EIO' read_fails "$m/changing" EIO
cp changing.good "$object.new"
chmod 0444 "$object.new"
mv "$object.new" "$object"
check_equal 'sealed while it is open: as before' "$(serves_by "$m/changing")" daemon
check 'and right' cmp "$m/changing" src/changing
check 'also by the first descriptor' cmp - src/changing <&5
exec 5<&-
released() {
  [ "$(serves_by "$m/changing")" = kernel ]
}
check 'closed and opened: by the kernel' wait_until 10 released

# The other way round: replaced by a plain file, after the daemon has let go of it.
exec 5<"$m/changing"
opens again 1 "${all[@]}"
cp changing.good "$object.new"
mv "$object.new" "$object"
check_equal 'plain while it is open: as before' "$(serves_by "$m/changing")" kernel
: >"$object"
check 'the open one is what was measured' cmp "$m/changing" src/changing
check 'also by the first descriptor' cmp - src/changing <&5
exec 5<&-
check 'released' wait_until 10 held_is 0
check 'closed: what is there now is opened, and is EIO' read_fails "$m/changing" EIO
cp changing.good "$object"
check_equal 'repaired: by the daemon' "$(serves_by "$m/changing")" daemon

# removed while it is open
exec 5<"$m/two"
cp -a "$(object_of src/two)" two.kept
rm "$(object_of src/two)"
check 'removed: the open one is read' cmp - src/two <&5
exec 5<&-
cp -a two.kept "$(object_of src/two)"

# unmounted while it is open
exec 5<"$m/one"
check 'busy' not umount "$m"
check 'lazily' umount -l "$m"
check 'what is open is read' cmp - src/one <&5
exec 5<&-
check 'then the daemon ends' wait_until 10 nobody_serves
mount_app io=passthrough 2>err
exec 5<"$m/one"
daemon=$(counter pid)
kill "$daemon"
check 'told to end while it is open' wait_until 10 nobody_serves
exec 5<&-
umount -l "$m" 2>/dev/null || true
mount_app io=passthrough 2>err
exec 5<"$m/one"
kill -KILL "$(counter pid)"
check 'killed while it is open: ENOTCONN' wait_until 10 says_not_connected
exec 5<&-
umount "$m"
check 'nobody is left' wait_until 10 nobody_serves

# policies
mount_app verity=require,io=passthrough 2>err
check_equal 'require: by the kernel' "$(serves_by "$m/one")" kernel
check 'require: open(2) of a plain one fails' not opens again 1 "$m/large-plain"
unmount_app
mount_app verity=off,io=passthrough 2>err
check_equal 'off: nothing is enforced' "$(serves_by "$m/one")" daemon
unmount_app
mount_app io=auto 2>err
check_equal 'io=auto: the daemon' "$(counter passthrough)" False
check_equal 'with lazy opens' "$(vtree status "$m" | grep '^open:')" 'open: lazy'
check_equal 'and no capability' "$(capabilities)" 0
unmount_app
check_equal 'no line of a fallback' "$(fallback_lines)" 0

# Without the privilege: the kernel is not even asked.
mount_unprivileged() {
  run_as_user mount.fuse.vtree "$1" "$2" -o "io=passthrough,log=$3"
}
run_as_user mkdir -p "$VTREE_USER_HOME/src" "$VTREE_USER_HOME/m"
echo hello >"$VTREE_USER_HOME/src/hello"
run_as_user vtree init >/dev/null 2>&1
run_as_user vtree commit app "$VTREE_USER_HOME/src" >/dev/null 2>&1
check 'a plain user mounts' mount_unprivileged \
  "$VTREE_USER_HOME/.local/share/vtree/repo:app" "$VTREE_USER_HOME/m" "$VTREE_USER_HOME/log"
check_equal 'and reads' "$(run_as_user cat "$VTREE_USER_HOME/m/hello")" hello
check_equal 'by the daemon, with one line' \
  "$(grep -c 'io=passthrough: .*CAP_SYS_ADMIN; the daemon serves the files$' "$VTREE_USER_HOME/log")" 1
umount "$VTREE_USER_HOME/m"
