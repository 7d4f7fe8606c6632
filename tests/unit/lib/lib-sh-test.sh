#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The shell library itself: each way a test can fail must be a failure.
# shellcheck disable=SC2016 # the statements of the inner scripts expand there
. "$(dirname "$0")/../../lib/lib.sh"

# script STATEMENTS: runs them as a test of its own, without the forgiveness of CI.
script() {
  printf '. "%s/tests/lib/lib.sh"\n%s\n' "$VTREE_SOURCE_DIR" "$1" >inner.sh
  env -u VTREE_TEST_WORLD -u CI -u VTREE_REQUIRE_ALL "${@:2}" bash "$VTREE_TMP/inner.sh"
}

expect_exit 0 script 'check "true is true" true'
expect_stdout '^checks: 1 passed, 0 failed$'
expect_exit 1 script 'check "false is true" false; pass "goes on"'
expect_stdout '^checks: 1 passed, 1 failed$'
expect_exit 1 script 'pass "a"; expect_exit 0 false'
expect_exit 0 script 'expect_exit 3 bash -c "echo why >&2; exit 3"; expect_stderr_line "^why$"'
expect_exit 1 script 'expect_exit 3 bash -c "echo 1 >&2; echo 2 >&2; exit 3"; expect_stderr_line 1'
expect_exit 1 script ':'
expect_exit 3 script 'pass "a"; (exit 3); pass "not reached"'
expect_exit 1 script 'pass "a"; echo report >"$VTREE_TMP/sanitizer/report.1"'
expect_exit 77 script 'skip "no reason"'
expect_exit 1 script 'skip "no reason"' CI=true
expect_exit 1 script 'skip "no reason"' VTREE_REQUIRE_ALL=1
expect_exit 0 script 'check_equal home "$(run_as_user printenv XDG_STATE_HOME)" \
  "$VTREE_USER_HOME/.local/state"; check "writes at home" run_as_user mkdir -p "$VTREE_USER_HOME/x"'
expect_exit 0 script 'check "the build is in PATH" run_as_user vtree --version'
expect_exit 0 script 'echo "$VTREE_TMP"; pass "a"'
check 'the temporary directory is removed' test ! -e "$(head -n 1 stdout)"

if [ "$(id -u)" = 0 ]; then
  expect_exit 0 script 'check_equal uid "$(run_as_user id -u)" 65534
    check "no groups" run_as_user sh -c "! expr \"\$(id -G)\" : \".* \""'
  expect_exit 0 script 'as_isolated_root touch /etc/vtree/a /var/lib/vtree/b; pass "a"'
  check 'nothing came out of the isolation' test ! -e /etc/vtree/a -a ! -e /var/lib/vtree/b
  expect_exit 0 script 'mkdir "$VTREE_TMP/m n"; mount -t tmpfs none "$VTREE_TMP/m n"; pass "a"'
  expect_exit 0 script 'install_helper; check "found" test -x /sbin/mount.fuse.vtree
    check "works" run_as_user /sbin/mount.fuse.vtree --version; check "others too" which mke2fs losetup'
  expect_exit 0 script 'use_fstab "a /b c d"; use_fstab "e /f g h"; check "read" findmnt --fstab /f'
  expect_exit 0 script 'check "the user can open the device" run_as_user sh -c "exec 3<>/dev/fuse"'
  # A daemon that stays (it is no job of the script): noticed, and gone afterwards.
  expect_exit 1 script 'pass "a"; setsid sh -c "sleep 271 & exit 0"; sleep 0.1
    wait_until() { return 1; }'
  expect_stdout 'no process outlives its mount.*sleep 271'
fi
