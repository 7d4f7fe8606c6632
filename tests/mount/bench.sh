#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# bench/run as a smoke test, so that it does not rot: every step is measured and every
# verdict given. Its figures mean nothing here, and nothing is expected of them.
. "$(dirname "$0")/../lib/lib.sh"

[ "$(id -u)" = 0 ] || skip "needs root"
export VTREE_BENCH_WORLD=1 # this is one
expect_exit 0 as_isolated_root python3 "$VTREE_SOURCE_DIR/bench/run" --quick \
  --tree "$VTREE_SOURCE_DIR" --scratch "$VTREE_TMP" --json "$VTREE_TMP/answer.json" \
  --report "$VTREE_TMP/report"
check 'every step of every peer, a verdict for each target' python3 - "$VTREE_TMP/answer.json" \
  <<'PYTHON'
import json, sys
with open(sys.argv[1]) as file:
    d = json.load(file)
steps = {(s["pinned"], s["peer"], s["step"]) for s in d["samples"]}
peers = {"native", "daemon-verified", "simulated-kernel"}
assert not d["absent"] and {p for _f, p, _s in steps} == peers, d["absent"]
assert len(steps) == 2 * len(peers) * 11, len(steps)
targets = {t["target"] for t in d["targets"]}
assert {"second pass", "requests a file", "mount, ms", "commit"} <= targets, targets
asked = [t for t in d["targets"] if t["target"].startswith("requests") and "second" in t["step"]]
assert asked and all(t["reached"] for t in asked), asked
PYTHON
check 'the same as Markdown, and again from what was written' sh -c \
  "python3 '$VTREE_SOURCE_DIR/bench/report.py' --markdown '$VTREE_TMP/answer.json' |
   cmp - '$VTREE_TMP/report/report.md' && grep -q '^walk, fresh | 0' '$VTREE_TMP/report/report.md'"
check 'nothing is left mounted' sh -c "! grep -q vtree-bench /proc/self/mounts"
