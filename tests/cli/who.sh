# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced by every script here, which is called with `root` or `user`: v runs vtree as
# that one, as_who any command.

. "$(dirname "${BASH_SOURCE[0]}")/../lib/lib.sh"

case ${1:-user} in
  root)
    [ "$(id -u)" = 0 ] || skip "needs root"
    as_who() { as_isolated_root "$@"; }
    config=/etc/vtree
    state=/var/lib/vtree
    repo=/var/lib/vtree/repo
    ;;
  user)
    as_who() { run_as_user "$@"; }
    config=$VTREE_USER_HOME/.config/vtree
    state=$VTREE_USER_HOME/.local/state/vtree
    repo=$VTREE_USER_HOME/.local/share/vtree/repo
    ;;
  *)
    echo "usage: $0 root|user" >&2
    exit 2
    ;;
esac
export config state repo

v() {
  as_who vtree "$@"
}

# make_tree DIR: a small tree with files, an empty one, a link, a hard link, odd names.
make_tree() {
  mkdir -p "$1/usr/bin" "$1/etc/empty"
  printf '#!/bin/sh\necho hello\n' >"$1/usr/bin/hello"
  chmod 0755 "$1/usr/bin/hello"
  ln "$1/usr/bin/hello" "$1/usr/bin/hi"
  ln -s ../usr/bin/hello "$1/etc/link"
  : >"$1/etc/zero"
  seq 1 200000 >"$1/usr/numbers"
  printf 'odd' >"$1/etc/a b"$'\n'"c"
  printf 'bytes' >"$1/etc/"$'\377'
}

# flip_byte FILE [OFFSET]: changes its first byte, or that one, whatever its mode is.
flip_byte() {
  local byte
  byte=$(od -An -tu1 -N1 -j"${2:-0}" "$1")
  chmod u+w "$1"
  # shellcheck disable=SC2059 # the octal escape is the format
  printf "\\$(printf %03o $((byte ^ 1)))" | dd of="$1" bs=1 seek="${2:-0}" \
    conv=notrunc status=none
}

# object_file DIGEST: the object's path in the repository.
object_file() {
  local hex=${1#sha256:}
  echo "$repo/objects/${hex:0:2}/${hex:2}"
}

# json EXPRESSION: evaluates it in python3 with `d`, the JSON on the last expect_exit's
# standard output (`e`: on standard error).
json() {
  python3 - "$1" "$VTREE_TMP/stdout" "$VTREE_TMP/stderr" <<'PYTHON'
import json, sys
d = e = None
with open(sys.argv[2]) as f:
    text = f.read()
    d = json.loads(text) if text.startswith("{") and text.endswith("}\n") else None
with open(sys.argv[3]) as f:
    text = f.read()
    e = json.loads(text) if text.startswith("{") else None
sys.exit(0 if eval(sys.argv[1]) else 1)
PYTHON
}
