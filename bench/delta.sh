#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What an update costs: bytes of a delta between two real trees, beside the new objects,
# `tar | zstd -19` of the files that are new, and ostree's static delta.
#
#   bench/delta.sh            python and openssl of Debian 12, then its cloud kernel: the
#                             two newest versions that apt has of each
#   bench/delta.sh OLD NEW    two directories
#
# Installs ostree and zstd where they are missing. Prints a table.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${VTREE_BINDIR:-$PWD/build/bin}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

need() {
  command -v "$1" >/dev/null && return
  sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
    --no-install-recommends "$2" >/dev/null
}
need ostree ostree
need zstd zstd
export HOME=$scratch/home XDG_DATA_HOME=$scratch/data XDG_CONFIG_HOME=$scratch/config
export XDG_STATE_HOME=$scratch/state XDG_CACHE_HOME=$scratch/cache

# In a mount namespace of its own root's keys and marks are scratch, too.
if [ "$(id -u)" = 0 ] && [ -z "${VTREE_BENCH_WORLD:-}" ]; then
  export VTREE_BENCH_WORLD=1
  exec unshare -m bash -c 'mkdir -p /etc/vtree /var/lib/vtree
    mount -t tmpfs -o mode=755 none /etc/vtree
    mount -t tmpfs -o mode=755 none /var/lib/vtree
    exec "$@"' - "$PWD/bench/delta.sh" "$@"
fi

size() {
  stat -c %s "$1"
}

# two PACKAGE: its two newest versions, the older one first.
two() {
  apt-cache madison "$1" | awk '{ print $3 }' | awk '!seen[$0]++' | head -n 2 | tac
}

# unpack DIR PACKAGE=VERSION...
unpack() {
  local dir=$1
  shift
  mkdir -p "$dir" "$scratch/debs"
  (cd "$scratch/debs" && rm -f ./*.deb && apt-get download -q "$@" >/dev/null)
  for deb in "$scratch"/debs/*.deb; do
    dpkg-deb -x "$deb" "$dir"
  done
}

# only_new OLD NEW DIR: the files of NEW whose contents no file of OLD has.
only_new() {
  python3 - "$@" <<'PYTHON'
import hashlib, os, shutil, sys
def files(top):
    for d, _ds, ns in os.walk(top):
        for n in ns:
            path = os.path.join(d, n)
            if not os.path.islink(path) and os.path.getsize(path):
                with open(path, "rb") as f:
                    yield path, hashlib.sha256(f.read()).digest()
old, new, out = sys.argv[1:]
seen = {h for _p, h in files(old)}
for path, h in files(new):
    if h not in seen:
        seen.add(h)
        to = os.path.join(out, os.path.relpath(path, new))
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy2(path, to)
PYTHON
}

# compare NAME OLD NEW
compare() {
  local name=$1 old=$2 new=$3 repo=$scratch/repo begin
  rm -rf "$repo" "$scratch/ostree" "$scratch/new"
  "$bin/vtree" --repo="$repo" init >/dev/null 2>&1
  "$bin/vtree" --repo="$repo" commit --quiet --owner=root "$name" "$old" >/dev/null
  "$bin/vtree" --repo="$repo" commit --quiet --owner=root "$name" "$new" >/dev/null
  begin=$(date +%s.%N)
  "$bin/vtree" --repo="$repo" delta create "$name@1" "$name" >"$scratch/delta" \
    2>"$scratch/said"
  local seconds
  seconds=$(echo "$(date +%s.%N) - $begin" | bc)
  "$bin/vtree" --repo="$repo" delta create --from-empty "$name" >"$scratch/full" \
    2>/dev/null
  only_new "$old" "$new" "$scratch/new"
  mkdir -p "$scratch/new"
  local bytes
  bytes=$(find "$scratch/new" -type f -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }')
  tar -C "$scratch/new" --sort=name --mtime=@0 --owner=0 --group=0 -cf - . \
    | zstd -19 -T0 -q -o "$scratch/tar.zst" -f
  tar -C "$new" --sort=name --mtime=@0 --owner=0 --group=0 -cf - . \
    | zstd -19 -T0 -q -o "$scratch/all.zst" -f
  ostree init --repo="$scratch/ostree" --mode=archive
  for tree in "$old" "$new"; do
    ostree commit --repo="$scratch/ostree" --branch=t --owner-uid=0 --owner-gid=0 \
      --tree=dir="$tree" >/dev/null
  done
  ostree static-delta generate --repo="$scratch/ostree" --inline --min-fallback-size=0 \
    --filename="$scratch/static" t >/dev/null 2>&1
  printf '%-10s new objects %9d  delta %9d (%ss)  tar|zstd -19 of these %9d  ostree %9d\n' \
    "$name" "$bytes" "$(size "$scratch/delta")" "${seconds%???????}" \
    "$(size "$scratch/tar.zst")" "$(size "$scratch/static")"
  printf '%-10s all of it: delta --from-empty %9d  tar|zstd -19 %9d\n' "$name" \
    "$(size "$scratch/full")" "$(size "$scratch/all.zst")"
}

if [ $# = 2 ]; then
  compare trees "$1" "$2"
  exit
fi
for side in 1 2; do
  words=()
  for package in python3.11 python3.11-minimal libpython3.11-stdlib \
    libpython3.11-minimal openssl libssl3 git perl-modules-5.36; do
    version=$(two "$package" | sed -n "${side}p")
    words+=("$package=$version")
  done
  unpack "$scratch/set$side" "${words[@]}"
done
compare packages "$scratch/set1" "$scratch/set2"
mapfile -t kernels < <(apt-cache search --names-only '^linux-image-6.1.0-[0-9]*-cloud-amd64$' \
  | awk '{ print $1 }' | sort -V | tail -n 2)
for side in 1 2; do
  kernel=${kernels[$((side - 1))]}
  unpack "$scratch/kernel$side" "$kernel"
done
compare kernel "$scratch/kernel1" "$scratch/kernel2"
