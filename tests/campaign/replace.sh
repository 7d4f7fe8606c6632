#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A commit over a store whose objects and Merkle files were damaged in every way: each
# is replaced, and said.
. "$(dirname "$0")/repository.sh"

rounds=3
[ "$VTREE_CAMPAIGN" != full ] || rounds=20

make_random_tree "$VTREE_TMP/tree" tree 300
chmod -R a+rX "$VTREE_TMP/tree"
as_who vtree init --quiet >/dev/null 2>&1
expect_exit 0 v commit app "$VTREE_TMP/tree"
manifest=$(cat "$VTREE_TMP/stdout")

# damage FILE HOW
damage() {
  case $2 in
    0) flip_byte "$1" ;;
    1) truncate -s -1 "$1" ;;
    2) truncate -s +1 "$1" ;;
    3) rm "$1" && ln -s /etc/passwd "$1" ;;
    4) rm "$1" && mkfifo "$1" ;;
    5) rm "$1" && mkdir "$1" && touch "$1/inside" ;;
    6) : >"$1" ;;
  esac
}

for ((round = 1; round <= rounds; round++)); do
  mapfile -t victims < <(
    find "$repo/objects" "$repo/merkle" -type f ! -size 0 |
      sort | shuf -n 40 --random-source=<(yes "$VTREE_SEED-$round")
  )
  how=0
  for victim in "${victims[@]}"; do
    damage "$victim" $((how++ % 7))
  done
  wanted=$(printf '%s\n' "${victims[@]}" | sed "s,.*/\(..\)/,sha256:\1," | sort -u)
  v fsck >/dev/null 2>&1 && fail "round $round: fsck notices"
  expect_exit 0 v commit app "$VTREE_TMP/tree"
  check_equal "round $round: the same manifest" "$(cat "$VTREE_TMP/stdout")" "$manifest"
  check_equal "round $round: each replaced object is named, and no other" \
    "$(sed -n 's/.*replaced \(sha256:[0-9a-f]*\).*/\1/p' "$VTREE_TMP/stderr" | sort -u)" \
    "$wanted"
  expect_exit 0 v fsck
done
