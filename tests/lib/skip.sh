# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What it means that a test can't run: exit 77, or a failure where all must run.

# must_all_run: whether a skip is a failure.
must_all_run() {
  [ -n "${CI:-}${VTREE_REQUIRE_ALL:-}" ]
}

# skip REASON: ends the script because the machine lacks something.
skip() {
  if must_all_run; then
    echo "must run here, but: $*" >&2
    exit 1
  fi
  echo "skipped: $*" >&2
  exit 77
}
