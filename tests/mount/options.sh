#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the helper refuses, with which exit status and in how many lines; and what it
# passes over.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper

mkdir src "$m"
echo hello >src/hello
commit_app src
manifest=$(cat "$VTREE_TMP/manifest")
other="sha256:$(printf '%064d' 0)"

# refused STATUS REGEX ARGUMENT...: the helper says why, in one line.
refused() {
  local status=$1 regex=$2
  shift 2
  expect_exit "$status" mount.fuse.vtree "$@"
  expect_stderr_line "^mount.fuse.vtree: $regex"
}

# usage
refused 1 'a source and a directory'
refused 1 'too many arguments' a b c
refused 1 'bad option: "-x"' "$repo:app" "$m" -x
refused 1 'mount option bogus: unknown' "$repo:app" "$m" -o rw,bogus=1
refused 1 'mount option verity: "maybe"' "$repo:app" "$m" -o verity=maybe
refused 1 'mount option setuid: ' "$repo:app" "$m" -o setuid=nobody
refused 1 'mount option objects: ' "$repo:app" "$m" -o objects=/x
refused 1 'source nonsense: ' nonsense "$m"
refused 1 'source /x.root: .*ref=' /x.root "$m"
refused 1 'source /r:../x: ' /r:../x "$m"
refused 1 'source /r:a.nb: ' $'/r:a\nb' "$m"

# what can't be mounted
refused 32 '.*' /nonexistent:app "$m"
refused 32 '.*absent' "$repo:absent" "$m"
refused 32 '.*' "$repo:app@99" "$m"
refused 32 '.*' "$repo:$other" "$m"
refused 32 '.*' "$repo:app" "$m" -o "digest=$other"
refused 32 '.*' "$repo:app" "$m" -o min_version=2
refused 32 '.*/nonexistent.pem' "$repo:app" "$m" -o key=/nonexistent.pem
refused 32 'mount point /nonexistent/m: ' "$repo:app" /nonexistent/m
refused 32 'mount point .*/src/hello: Not a directory' "$repo:app" src/hello
refused 32 'open the log /nonexistent/log: ' "$repo:app" "$m" -o log=/nonexistent/log
refused 32 'enter the mount namespace ' "$repo:app" "$m" -N /nonexistent
refused 32 '.*verity' "$repo:app" "$m" -o verity=require
check 'nothing has been mounted' not is_mounted "$m"
check 'nobody was left' nobody_serves

# settings: options come first, then vtree.conf
printf '[mount]\nverity=require\n' >/etc/vtree/vtree.conf
refused 32 '.*verity' "$repo:app" "$m"
check 'an option beats a setting' mount_app verity=auto
unmount_app
printf '[mount]\nallow_suid=1\n' >/etc/vtree/vtree.conf
refused 32 '.*/etc/vtree/vtree.conf: .mount.: .*allow_suid' "$repo:app" "$m"
rm /etc/vtree/vtree.conf
chmod g+w /etc/vtree
refused 32 'read settings /etc/vtree/vtree.conf: /etc/vtree is writable by others' "$repo:app" "$m"
chmod g-w /etc/vtree

# tolerated
tolerated=rw,defaults,noauto,nofail,_netdev,user=root,group,owner,suid,dev,exec,noatime
tolerated+=,relatime,x-systemd.automount,X-mount.mkdir,comment=a,helper=b,drop_privileges
check 'tolerated options' mount.fuse.vtree "$repo:app" "$m" -o "$tolerated"
check 'nosuid all the same' has_options nosuid nodev
unmount_app
check 'sloppy' mount.fuse.vtree "$repo:app" "$m" -sn -o bogus=1
unmount_app
check 'verbose' mount.fuse.vtree "$repo:app" "$m" -v -t fuse.vtree
unmount_app
mount_app noexec,nosymfollow,allow_suid,allow_dev
check 'noexec, nosymfollow' has_options noexec nosymfollow
check 'allow_suid' not has_options nosuid
check 'allow_dev' not has_options nodev
unmount_app
check 'fsname' mount.fuse.vtree "$repo:app" "$m" -o 'fsname=a\,b c'
check_equal 'fsname is shown' "$(findmnt -no SOURCE --mountpoint "$m")" 'a,b c'
unmount_app
check 'a pinned digest' mount_app "digest=$manifest"
unmount_app
check 'by digest alone' mount.fuse.vtree "$repo:$manifest" "$m"
check_equal 'which has no version' "$(counter version)" None
unmount_app
mount_app uid=77,gid=88
check_equal 'uid=, gid=' "$(stat -c %u,%g "$m/hello")" 77,88
unmount_app

# readahead=: what the kernel is told, if there is a /sys to tell it through.
readahead() {
  cat "/sys/class/bdi/$(mountpoint -d "$m")/read_ahead_kb"
}
mount_app readahead=off
own=$(readahead) || own=
unmount_app
if [ -w /sys/class/bdi ] && [ -n "$own" ]; then
  for row in ":512" "readahead=auto:512" "readahead=256:256" "readahead=off:$own"; do
    mount_app "${row%:*}"
    check_equal "readahead, ${row%:*}" "$(readahead)" "${row#*:}"
    unmount_app
  done
fi
unshare --mount sh -c "mount -o remount,bind,ro /sys 2>/dev/null
  mount.fuse.vtree '$repo:app' '$m' && umount '$m'"
check_equal 'without a /sys to write to it mounts' $? 0

# -N: another mount namespace
unshare --mount --propagation private sleep 60 &
sleeper=$!
wait_until 10 test ! /proc/self/ns/mnt -ef "/proc/$sleeper/ns/mnt"
check 'in another namespace' mount.fuse.vtree "$repo:app" "$m" -N "$sleeper"
check 'not in ours' not is_mounted "$m"
check_equal 'but there' "$(nsenter -m -t "$sleeper" cat "$m/hello")" hello
nsenter -m -t "$sleeper" umount "$m"
kill "$sleeper"

# inherited descriptors, and none at all
exec 7>"$VTREE_TMP/inherited"
mount_app
check 'nothing is inherited' not grep -q inherited \
  <(ls -l "/proc/$(counter pid)/fd" "/proc/$(pgrep -x vtree-keeper)/fd")
exec 7>&-
unmount_app
check 'without standard descriptors' \
  bash -c "exec mount.fuse.vtree '$repo:app' '$m' <&- >&- 2>&-"
unmount_app
check 'without environment' env -i "$VTREE_TMP/bin/mount.fuse.vtree" "$repo:app" "$m"
unmount_app

# a pipe whose other end waits for us is let go
check 'who waits for our output goes on' \
  timeout 20 bash -c "mount.fuse.vtree '$repo:app' '$m' 2>&1 | cat"
unmount_app
