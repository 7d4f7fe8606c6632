#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `vtree digest` against the fsverity tool: sizes around every edge of the tree, and a
# sparse file of 5 GiB (a tenth of it, unless VTREE_CAMPAIGN=full).
. "$(dirname "$0")/../lib/lib.sh"

command -v fsverity >/dev/null || skip "no fsverity"
block=4096
mib=$((1024 * 1024))
sparse=$((5 * 1024 * mib))
[ "$VTREE_CAMPAIGN" = full ] || sparse=$((sparse / 10))

files=()
for size in 0 1 $((block - 1)) $block $((block + 1)) \
  $((128 * block - 1)) $((128 * block)) $((128 * block + 1)) \
  $((127 * block)) $((129 * block)) $((mib - 1)) $mib $((mib + 1)) \
  $((64 * mib)) $((64 * mib + 1)); do
  head -c "$size" /dev/urandom >"$VTREE_TMP/random-$size"
  files+=("random-$size")
done
truncate -s "$sparse" "$VTREE_TMP/sparse-$sparse"
# Some data, so that not every block is the same.
head -c 5000 /dev/urandom |
  dd of="$VTREE_TMP/sparse-$sparse" bs=5000 seek=12345 conv=notrunc status=none
files+=("sparse-$sparse")

for alg in sha256 sha512; do
  for file in "${files[@]}"; do
    check_equal "$alg of $file" "$(vtree digest --digest="$alg" "$file")" \
      "$(fsverity digest --hash-alg="$alg" "$file")"
  done
  check_equal "$alg of all at once" "$(vtree digest --digest="$alg" "${files[@]}")" \
    "$(fsverity digest --hash-alg="$alg" "${files[@]}")"
done
