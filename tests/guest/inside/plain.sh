#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A plain user, with no privilege at all, commits, mounts, reads and looks, on ext4 and on
# btrfs; the kernel enforces every object, and `fsverity measure` on the mount agrees.
. "$(dirname "$0")/../../lib/guest.sh"

# answer KEY DIR: what `vtree status --json` says.
answer() {
  run_as_user vtree status --json "$2" | python3 -c 'import json, sys
print(json.load(sys.stdin)["mounts"][0][sys.argv[1]])' "$1"
}

measured() {
  run_as_user fsverity measure "$1" | cut -d' ' -f1
}

nobody_serves() {
  ! pgrep -x mount.fuse.vtre >/dev/null
}

# all_enforced REPO: each object has the digest that it is named for, and the kernel's word.
all_enforced() {
  local object hex
  while read -r object; do
    hex=${object#"$1/objects/"}
    [ "$(measured "$object")" = "sha256:${hex/\//}" ] || return 1
  done < <(find "$1/objects" -type f)
}

# life NAME DIR: all of it in the user's home directory below DIR.
life() {
  local repo file m
  VTREE_USER_HOME=$2/home
  repo=$VTREE_USER_HOME/.local/share/vtree/repo
  m=$VTREE_USER_HOME/m
  mkdir "$VTREE_USER_HOME"
  chown 65534:65534 "$VTREE_USER_HOME"
  run_as_user mkdir -p "$VTREE_USER_HOME/src/dir" "$m" "$VTREE_USER_HOME/run"
  # shellcheck disable=SC2016 # the user's shell expands it
  run_as_user sh -c 'cd "$1" && echo hello >hello && : >empty &&
    head -c 1000000 /dev/urandom >dir/large && cp /bin/true run' sh "$VTREE_USER_HOME/src"

  check "$1: no capability" run_as_user grep -q '^CapEff:.*0000000000000000$' /proc/self/status
  expect_exit 0 run_as_user vtree init --pack-threshold=0
  expect_exit 0 run_as_user vtree commit --verity=require app "$VTREE_USER_HOME/src"
  check_equal "$1: a manifest and three objects, nothing for the empty file" \
    "$(find "$repo/objects" -type f | wc -l)" 4
  check "$1: the kernel has measured every object" all_enforced "$repo"
  expect_exit 0 run_as_user vtree mount --options=verity=require app "$m"
  check "$1: the same tree" run_as_user diff -r "$VTREE_USER_HOME/src" "$m"
  check "$1: a program runs" run_as_user "$m/run"
  for file in hello empty dir/large run; do
    check_equal "$1: fsverity measure $file" "$(measured "$m/$file")" \
      "$(fsverity digest "$VTREE_USER_HOME/src/$file" | cut -d' ' -f1)"
  done
  check_equal "$1: status: the policy" "$(answer verity "$m")" require
  check_equal "$1: status: the manifest" "$(answer manifest_kernel "$m")" True
  check_equal "$1: status: objects of the daemon" "$(answer objects_daemon "$m")" 0
  check "$1: status: objects of the kernel" test "$(answer objects_kernel "$m")" -ge 3
  check_equal "$1: status: failures" "$(answer failures "$m")" 0
  expect_exit 0 run_as_user vtree umount "$m"
  check "$1: the daemon ends" wait_until 60 nobody_serves
}

life ext4 "$GUEST_EXT4"
use_btrfs
life btrfs "$GUEST_BTRFS"
