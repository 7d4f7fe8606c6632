#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The tampering campaign (tamper.py) as root, in namespaces of its own: 2000 cases, or a
# tenth. A failing case is repeated with the seed that it prints:
#   tamper.sh SEED [CASE]
. "$(dirname "$0")/../lib/lib.sh"

[ "$(id -u)" = 0 ] || skip "needs root"
cases=200
[ "$VTREE_CAMPAIGN" != full ] || cases=2000
options=()
[ -z "${1:-}" ] || options+=(--seed "$1")
[ -z "${2:-}" ] || options+=(--only "$2")

mkdir "$VTREE_TMP/tamper"
if as_isolated_root python3 "$VTREE_SOURCE_DIR/tests/campaign/tamper.py" \
  --bindir "$VTREE_TMP/bin" --directory "$VTREE_TMP/tamper" --cases "$cases" \
  "${options[@]}"; then
  pass "every read gave the signed bytes or EIO in $cases cases"
else
  fail "every read gave the signed bytes or EIO in $cases cases"
fi
