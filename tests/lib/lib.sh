# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The library of every mount test. Source it first:
#
#   . "$(dirname "$0")/../lib/lib.sh"
#   check 'init makes a repository' run_as_user vtree init
#   expect_exit 7 run_as_user vtree show absent
#   expect_stderr_line '^vtree: .*absent'
#
# As root the script is started again in mount and PID namespaces of its own, so that
# nothing it mounts is seen outside, and no daemon survives it. In there /dev/fuse may be
# used by everybody, and /etc/vtree, /var/lib/vtree and /run/mount are empty directories
# of the test. What is left mounted at the end is unmounted, also after a failure; a
# process that is left then, and a report by a sanitizer, are failures.
#
# For the test: VTREE_TMP (an empty directory that all may enter), VTREE_SOURCE_DIR,
# VTREE_BUILD_DIR, VTREE_BINDIR (which build to test: any preset's bin directory; it is
# first in PATH, by a bind mount that the unprivileged user can reach), VTREE_CAMPAIGN
# (`tenth` or `full`).

set -euo pipefail
shopt -s inherit_errexit

VTREE_SOURCE_DIR=${VTREE_SOURCE_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
VTREE_BINDIR=${VTREE_BINDIR:-$VTREE_SOURCE_DIR/build/bin}
VTREE_BUILD_DIR=${VTREE_BUILD_DIR:-$(dirname "$VTREE_BINDIR")}
VTREE_CAMPAIGN=${VTREE_CAMPAIGN:-tenth}
export VTREE_SOURCE_DIR VTREE_BINDIR VTREE_BUILD_DIR VTREE_CAMPAIGN

vtree_passed=0
vtree_failed=0

. "$VTREE_SOURCE_DIR/tests/lib/skip.sh"

if [ "$EUID" = 0 ] && [ -z "${VTREE_TEST_WORLD:-}" ]; then
  unshare --mount --pid --fork true 2>/dev/null || skip "no private mount namespace"
  export VTREE_TEST_WORLD=1
  exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
    -- "$BASH" "$0" "$@"
fi

# --- named checks ---------------------------------------------------------------------

pass() {
  vtree_passed=$((vtree_passed + 1))
  echo "ok: $1"
}

# fail NAME [DETAIL]: counted; the script goes on.
fail() {
  vtree_failed=$((vtree_failed + 1))
  echo "FAILED: $1${2:+: $2}"
}

# check NAME COMMAND...: passes if the command succeeds; shows its output if it does not.
check() {
  local name=$1
  shift
  if "$@" >"$VTREE_TMP/check.log" 2>&1; then
    pass "$name"
  else
    fail "$name" "exit $? of: $*"
    sed 's/^/    /' "$VTREE_TMP/check.log"
  fi
}

# check_equal NAME GOT EXPECTED
check_equal() {
  if [ "$2" = "$3" ]; then
    pass "$1"
  else
    fail "$1" "got '$2', expected '$3'"
  fi
}

# expect_exit CODE COMMAND...: passes if that is the exit status. What it printed is in
# $VTREE_TMP/stdout and $VTREE_TMP/stderr afterwards.
expect_exit() {
  local expected=$1 status=0
  shift
  "$@" >"$VTREE_TMP/stdout" 2>"$VTREE_TMP/stderr" || status=$?
  if [ "$status" = "$expected" ]; then
    pass "exit $expected of: $*"
  else
    fail "exit $expected of: $*" "exit $status"
    sed 's/^/    /' "$VTREE_TMP/stdout" "$VTREE_TMP/stderr"
  fi
}

# expect_stderr_line REGEX: the last expect_exit's command wrote exactly one line there,
# and it matches (extended regular expression).
expect_stderr_line() {
  if [ "$(wc -l <"$VTREE_TMP/stderr")" = 1 ] && grep -Eq -- "$1" "$VTREE_TMP/stderr"; then
    pass "one line like: $1"
  else
    fail "one line like: $1"
    sed 's/^/    /' "$VTREE_TMP/stderr"
  fi
}

# expect_stdout REGEX: some line of the last expect_exit's standard output matches.
expect_stdout() {
  if grep -Eq -- "$1" "$VTREE_TMP/stdout"; then
    pass "output like: $1"
  else
    fail "output like: $1"
    sed 's/^/    /' "$VTREE_TMP/stdout"
  fi
}

# wait_until SECONDS COMMAND...: succeeds as soon as the command does.
wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.05
  done
}

# --- mounts ---------------------------------------------------------------------------

# is_mounted DIR
is_mounted() {
  findmnt --noheadings --mountpoint "$1" >/dev/null
}

# bind_over SOURCE TARGET: shows SOURCE in TARGET's place, for this script only.
bind_over() {
  [ "$EUID" = 0 ] || skip "needs root"
  mount --bind "$1" "$2"
}

# install_helper: mount(8) finds this build's mount.fuse.vtree, for this script only.
install_helper() {
  local host=$VTREE_TMP/host/usr
  mkdir -p "$VTREE_TMP/sbin" "$host/sbin"
  ln -s /usr/bin "$host/bin" # some names in there are links to ../bin
  bind_over /usr/sbin "$host/sbin"
  ln -s "$host"/sbin/* "$VTREE_TMP/sbin/"
  ln -sf "$VTREE_TMP/bin/mount.fuse.vtree" "$VTREE_TMP/sbin/mount.fuse.vtree"
  ln -sf mount.fuse.vtree "$VTREE_TMP/sbin/mount.vtree"
  bind_over "$VTREE_TMP/sbin" /usr/sbin
}

# use_fstab LINE...: mount(8) reads these lines as /etc/fstab, for this script only.
use_fstab() {
  printf '%s\n' "$@" >"$VTREE_TMP/fstab"
  is_mounted /etc/fstab || bind_over "$VTREE_TMP/fstab" /etc/fstab
}

# --- who runs it ----------------------------------------------------------------------

# in_home DIR COMMAND...: with HOME and the XDG directories below DIR. (A subshell costs
# less than env does, in the guest.)
in_home() (
  unset VTREE_REPO
  HOME=$1 XDG_CONFIG_HOME=$1/.config XDG_DATA_HOME=$1/.local/share \
    XDG_STATE_HOME=$1/.local/state XDG_CACHE_HOME=$1/.cache XDG_RUNTIME_DIR=$1/run \
    exec "${@:2}"
)

# run_as_user COMMAND...: as uid and gid 65534 without groups and capabilities (the
# caller itself, if that is not root); home directory $VTREE_USER_HOME.
run_as_user() {
  if [ "$EUID" != 0 ]; then
    in_home "$VTREE_USER_HOME" "$@"
    return
  fi
  in_home "$VTREE_USER_HOME" \
    setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$@"
}

# as_isolated_root COMMAND...: as root with an empty /etc/vtree and /var/lib/vtree (the
# same ones all through the script).
as_isolated_root() {
  [ "$EUID" = 0 ] || skip "needs root"
  in_home "$VTREE_TMP/root" "$@"
}

# --- beginning and end ----------------------------------------------------------------

vtree_enter_world() {
  local options dir
  VTREE_TMP=$(mktemp -d "${TMPDIR:-/tmp}/vtree-test.XXXXXX")
  VTREE_USER_HOME=$VTREE_TMP/user
  export VTREE_TMP VTREE_USER_HOME
  trap vtree_leave EXIT
  trap 'exit 143' TERM INT HUP
  trap 'echo "line $LINENO: exit $? of: $BASH_COMMAND" >&2' ERR
  chmod 0755 "$VTREE_TMP"
  mkdir -p "$VTREE_TMP/root" "$VTREE_TMP/sanitizer" "$VTREE_USER_HOME/run"
  chmod 1777 "$VTREE_TMP/sanitizer"
  options="log_path=$VTREE_TMP/sanitizer/report"
  export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}$options"
  export UBSAN_OPTIONS="${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}$options:print_stacktrace=1"
  # where users can read it, too
  install -m 0444 "$VTREE_SOURCE_DIR/tests/lib/tsan.supp" "$VTREE_TMP/tsan.supp"
  options+=":suppressions=$VTREE_TMP/tsan.supp"
  export TSAN_OPTIONS="${TSAN_OPTIONS:+$TSAN_OPTIONS:}$options"
  if [ "$EUID" != 0 ]; then
    ln -s "$VTREE_BINDIR" "$VTREE_TMP/bin"
  else
    chown -R 65534:65534 "$VTREE_USER_HOME"
    mkdir "$VTREE_TMP/bin" "$VTREE_TMP/host"
    mount --bind "$VTREE_BINDIR" "$VTREE_TMP/bin"
    for dir in /etc/vtree /var/lib/vtree /run/mount; do
      mkdir -p "$dir" "$VTREE_TMP/host$dir"
      mount --bind "$VTREE_TMP/host$dir" "$dir"
    done
    if [ -e /dev/fuse ]; then
      mknod -m 0666 "$VTREE_TMP/host/fuse" c 10 229
      mount --bind "$VTREE_TMP/host/fuse" /dev/fuse
    fi
  fi
  PATH=$VTREE_TMP/bin:$PATH
  cd "$VTREE_TMP"
}

# The mount points below $VTREE_TMP, the newest first.
vtree_mount_points() {
  local point
  while read -r _ point _; do
    point=$(printf '%b' "${point//\\/\\0}")
    case $point in "$VTREE_TMP"/*) printf '%s\n' "$point" ;; esac
  done </proc/self/mounts | tac
}

vtree_unmount_all() {
  local point
  while read -r point; do
    if [ "$EUID" = 0 ]; then
      umount "$point" 2>/dev/null || umount -l "$point"
    else
      fusermount3 -u "$point" 2>/dev/null || fusermount3 -u -z "$point"
    fi || echo "cannot unmount $point" >&2
  done < <(vtree_mount_points)
}

# The other processes of this PID namespace, whose first one is this script. Its own
# subshells are not left over: they are what asks.
vtree_others() {
  local dir
  for dir in /proc/[0-9]*; do
    [ "$dir" != /proc/1 ] || continue
    { tr '\0' ' ' <"$dir/cmdline"; } 2>/dev/null | grep -v "^$BASH $0" || true
  done
}

vtree_nobody_left() {
  [ -z "$(vtree_others)" ]
}

vtree_reap() {
  local job
  for job in $(jobs -p); do
    kill "$job" 2>/dev/null || true
  done
  [ "$$" = 1 ] || return 0
  wait_until 20 vtree_nobody_left || fail "no process outlives its mount" "$(vtree_others)"
}

vtree_leave() {
  local status=$? report
  trap - EXIT ERR
  set +e
  cd /
  vtree_unmount_all
  vtree_reap
  for report in "$VTREE_TMP"/sanitizer/report*; do
    [ -e "$report" ] || continue
    fail "no report of a sanitizer" "${report##*/}"
    cat "$report"
  done
  rm -rf --one-file-system "$VTREE_TMP"
  echo "checks: $vtree_passed passed, $vtree_failed failed"
  if [ "$status" = 0 ] && [ "$vtree_failed" -gt 0 ]; then
    status=1
  elif [ "$status" = 0 ] && [ "$vtree_passed" = 0 ]; then
    echo "no check was made" >&2
    status=1
  fi
  exit "$status"
}

vtree_enter_world
