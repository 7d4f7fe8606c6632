#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# bench/scale as a smoke test, so that it does not rot: every figure is taken and every
# verdict given. Its figures mean nothing here, and nothing is expected of them.
. "$(dirname "$0")/../lib/lib.sh"

[ "$(id -u)" = 0 ] || skip "needs root"
export VTREE_BENCH_WORLD=1 # this is one
forest=$VTREE_BUILD_DIR/bin/bench-forest
check_equal 'a tree of so many inodes' '1000 1150' \
  "$("$forest" make "$VTREE_TMP/tree" 1000)"
check_equal 'and names' 1150 "$(find "$VTREE_TMP/tree" | wc -l)"
check_equal 'of so many inodes indeed' 1000 \
  "$(find "$VTREE_TMP/tree" -printf '%i\n' | sort -u | wc -l)"
"$forest" make "$VTREE_TMP/twin" 1000 >"$VTREE_TMP/out"
check 'the same each time' diff -r --no-dereference "$VTREE_TMP/tree" "$VTREE_TMP/twin"
expect_exit 0 as_isolated_root python3 "$VTREE_SOURCE_DIR/bench/scale" --quick \
  --scratch "$VTREE_TMP" --json "$VTREE_TMP/answer.json"
check 'every figure of every size, a verdict for each target' \
  python3 - "$VTREE_TMP/answer.json" <<'PYTHON'
import json, sys
with open(sys.argv[1]) as file:
    d = json.load(file)
assert [r["inodes"] for r in d["rows"]] == [100, 1000], d["rows"]
assert [r["names"] for r in d["rows"]] == [114, 1149], d["rows"]
assert all(len(r) == 18 for r in d["rows"]), d["rows"]
assert len(d["targets"]) == 14, d["targets"]
assert d["costs"]["inodes"] == 10000000, d["costs"]
PYTHON
check 'nothing is left mounted' sh -c "! grep -q vtree-scale /proc/self/mounts"
