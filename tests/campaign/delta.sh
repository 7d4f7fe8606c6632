#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The campaign of deltas (delta.py) as root, in namespaces of its own: 100 pairs of random
# trees and 2000 damaged deltas, or a tenth. Another run: delta.sh SEED
. "$(dirname "$0")/../lib/lib.sh"

[ "$(id -u)" = 0 ] || skip "needs root"
pairs=10
cases=200
if [ "$VTREE_CAMPAIGN" = full ]; then
  pairs=100
  cases=2000
fi
options=()
[ -z "${1:-}" ] || options+=(--seed "$1")

mkdir "$VTREE_TMP/delta"
check "$pairs pairs of trees, $cases damaged deltas" \
  as_isolated_root python3 "$VTREE_SOURCE_DIR/tests/campaign/delta.py" \
  --bindir "$VTREE_TMP/bin" --directory "$VTREE_TMP/delta" --pairs "$pairs" \
  --cases "$cases" "${options[@]}"
