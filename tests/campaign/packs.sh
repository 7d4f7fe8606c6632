#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The campaign of packs (packs.py) as root, in namespaces of its own: 20 edits of a tree;
# repacks that are killed, 100 or a tenth; repacks under 4 readers. Another run:
# packs.sh SEED
. "$(dirname "$0")/../lib/lib.sh"

[ "$(id -u)" = 0 ] || skip "needs root"
kills=10
rounds=3
if [ "$VTREE_CAMPAIGN" = full ]; then
  kills=100
  rounds=15
fi
options=()
[ -z "${1:-}" ] || options+=(--seed "$1")

mkdir "$VTREE_TMP/packs"
check "20 edits, $kills killed repacks, $rounds repacks under readers" \
  as_isolated_root python3 "$VTREE_SOURCE_DIR/tests/campaign/packs.py" \
  --bindir "$VTREE_TMP/bin" --directory "$VTREE_TMP/packs" --kills "$kills" \
  --rounds "$rounds" "${options[@]}"
