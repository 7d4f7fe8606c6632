# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the scripts of the host's side share: where things are kept, and how to run
# something in the Debian 13 root. They exit 77 (see tests/lib/skip.sh) where the machine
# can't have a guest.
#
# $cache/root-KEY/     the root: tree/, root.img, vmlinuz, initrd, ext4.img, btrfs.img;
#                      KEY is a hash of what makes it
# $cache/ccache/       compiled files of all checkouts
# $cache/work-ID/      one checkout's: source/, build/, vtree.img (both, for the guest)

set -euo pipefail
shopt -s inherit_errexit

guest_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(cd "$guest_dir/../.." && pwd)
. "$checkout/tests/lib/skip.sh"

cache=${VTREE_GUEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/vtree-guest}
root=$cache/root-$(cat "$guest_dir/root.sh" "$guest_dir/initrd-init" \
  | sha256sum | cut -c1-12)
work=$cache/work-$(printf '%s\n' "$checkout" | sha256sum | cut -c1-12)

# require_machine COMMAND...: skips unless this is root of a PC that has the commands.
require_machine() {
  local command
  [ "$(id -u)" = 0 ] || skip 'the guest needs root: its root is entered by chroot'
  [ "$(uname -m)" = x86_64 ] || skip "the guest is for x86_64, not $(uname -m)"
  for command; do
    command -v "$command" >/dev/null || skip "no $command (scripts/deps installs it)"
  done
  unshare --mount true 2>/dev/null || skip 'no private mount namespace'
}

# lock NAME: waits until nobody else holds that lock, and keeps it to the script's end.
lock() {
  local fd
  mkdir -p "$cache"
  exec {fd}>"$cache/$1.lock"
  flock "$fd"
}

# mirror: the one that apt uses on this machine.
mirror() {
  local suite
  suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  # shellcheck disable=SC2016 # apt expands it
  apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' \
    | awk -v suite="$suite" '$1 == suite { print $2; exit }'
}

# in_root NAME=VALUE... COMMAND...: in the Debian 13 root, this checkout's source and
# build at /vtree, in a mount namespace of its own. What it writes elsewhere in the root
# is forgotten (an overlay), but /tmp is a directory on the host's own disk. A process
# that stays behind is killed.
in_root() {
  local tmp status=0
  [ -d "$root/tree" ] || skip 'there is no root (guest/root makes it)'
  mkdir -p "$work/source" "$work/build" "$cache/ccache"
  tmp=$(mktemp -d "${TMPDIR:-/tmp}/vtree-root.XXXXXX")
  ROOT="$root/tree" WORK="$work" CCACHE="$cache/ccache" TMP_OF_ROOT="$tmp" \
    unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
    -- "$BASH" "$guest_dir/enter-root" "$@" </dev/null || status=$?
  rm -rf --one-file-system "$tmp"
  return "$status"
}

# what_tests_get: what the environment says of tests, for in_root.
what_tests_get() {
  printf '%s\n' VTREE_SOURCE_DIR=/vtree/source VTREE_BINDIR=/vtree/build/bin \
    VTREE_BUILD_DIR=/vtree/build "VTREE_CAMPAIGN=${VTREE_CAMPAIGN:-tenth}" \
    "CI=${CI:-}" "VTREE_REQUIRE_ALL=${VTREE_REQUIRE_ALL:-}" G_SLICE=always-malloc
}
