#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# forky.sh SCRIPT [ARGUMENT...]: runs SCRIPT (its path below the checkout) in a root of
# Debian testing on the host's kernel, with a build of this checkout there. Debian's
# libfuse is built without io_uring: in here it is built again, with it.
#
# The kernel's parameter fuse.enable_uring is for the whole machine: with VTREE_URING=1 it
# is on while SCRIPT runs.
. "$(dirname "${BASH_SOURCE[0]}")/host.sh"
require_machine mmdebstrap apt-get rsync

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
root=$cache/root-forky-$(sha256sum <"$guest_dir/forky.sh" | cut -c1-12)
work=$work-forky
packages=(
  # to build vtree, and libfuse
  ccache cmake gcc libc6-dev libcap-dev libfsverity-dev libfuse3-dev libglib2.0-dev
  libnuma-dev libssl-dev liburing-dev libxxhash-dev libzstd-dev meson ninja-build pkgconf
  # for the tests
  acl attr bubblewrap composefs dosfstools e2fsprogs erofs-utils erofsfuse fsverity fuse3 iproute2
  libcap2-bin mount openssl ostree procps python3 rsync squashfs-tools squashfuse strace util-linux
)

# build_libfuse TREE: Debian's source, with what Debian leaves out; mmdebstrap's hook.
build_libfuse() {
  cd "$1/usr/src"
  APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -q source --download-only fuse3
  mkdir libfuse
  tar -x -f fuse3_*.orig.tar.gz -C libfuse --strip-components=1
  # shellcheck disable=SC2016 # the inner shell expands it
  chroot "$1" sh -euc '
    cd /usr/src/libfuse
    meson setup build --prefix=/usr/local --libdir=lib/"$(gcc -print-multiarch)" \
      --buildtype=release -Denable-io-uring=true -Dutils=false -Dexamples=false -Dtests=false
    ninja -C build install
    ldconfig
    ldconfig -p | grep "libfuse3.*/usr/local"'
}
if [ "${1:-}" = --build-libfuse ]; then
  build_libfuse "$2"
  exit
fi

make_root() {
  local mirror staging=$root.new.$$
  mirror=$(mirror)
  [ -n "$mirror" ] || skip 'apt knows no mirror of this system'
  rm -rf --one-file-system "$cache"/root-forky-*.new.*
  mkdir -p "$staging"
  echo "making the root of Debian testing in $root"
  # shellcheck disable=SC2016 # mmdebstrap's shell expands it
  if ! unshare --mount --propagation private mmdebstrap --variant=apt --quiet \
    --include="$(IFS=, && echo "${packages[*]}")" \
    --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='cd "$1" && mkdir -p vtree/source vtree/build vtree/ccache ext4 btrfs' \
    --customize-hook="'$guest_dir/forky.sh' --build-libfuse \"\$1\"" \
    forky "$staging/tree" "deb [signed-by=$keyring] $mirror forky main" \
    "deb-src [signed-by=$keyring] $mirror forky main" >"$staging/log" 2>&1; then
    cat "$staging/log"
    rm -rf --one-file-system "$staging"
    skip 'mmdebstrap could not make the root'
  fi
  mv "$staging" "$root"
}

build() {
  mkdir -p "$work/source"
  rsync --recursive --links --perms --checksum --delete --exclude='/build*/' \
    --exclude=/.git --exclude=/.cache --exclude=__pycache__ "$checkout/" "$work/source/"
  in_root sh -euc '
    cd /vtree/source
    [ -f ../build/build.ninja ] || cmake --preset dev -B ../build \
      -DCMAKE_C_COMPILER_LAUNCHER=ccache
    ninja -C ../build' >"$work/log" 2>&1 || { cat "$work/log" && exit 1; }
}

parameter=/sys/module/fuse/parameters/enable_uring
was=
# shellcheck disable=SC2317 # the trap calls it
put_back() {
  [ -z "$was" ] || echo "$was" >"$parameter"
}

lock "${root##*/}"
[ -d "$root" ] || make_root
touch "$root"
build
trap put_back EXIT
trap 'exit 143' TERM INT HUP
if [ -n "${VTREE_URING:-}" ] && [ -w "$parameter" ]; then
  was=$(cat "$parameter")
  echo Y >"$parameter"
fi
mapfile -t environment < <(what_tests_get)
script=$1
shift
interpreter=()
[ -x "$checkout/$script" ] || interpreter=(bash)
status=0
in_root "${environment[@]}" "${interpreter[@]}" "/vtree/source/$script" "$@" || status=$?
exit "$status"
