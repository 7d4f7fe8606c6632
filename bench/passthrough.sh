#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# How fast is io=passthrough, beside the object read natively and beside the daemon? As
# root, where libfuse is 3.17 and the kernel 6.9 at least. A kernel without fs-verity does:
# the daemon is the one that takes every object for kernel-enforced (tests/simulated), and
# what is measured with it is labelled so.
#
#   tests/guest/run --debian13 bench/passthrough.sh [MIB [ROUNDS]]     default 1024, 7
. "$(dirname "$0")/../tests/lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper
use_simulated_kernel

mib=${1:-1024}
rounds=${2:-7}
repo=$VTREE_TMP/repo
daemon=$VTREE_TMP/daemon
mkdir src "$daemon"
head -c "${mib}M" /dev/urandom >src/file
commit_app src
object=$(object_of "$VTREE_TMP/src/file")
rm src/file
mount_app io=passthrough
mount -t fuse.vtree "$repo:app" "$daemon" -o "log=$VTREE_TMP/log.daemon"

cat "$m/file" >/dev/null
if [ "$(counter requests_read)" != 0 ]; then
  cat "$VTREE_TMP/log"
  skip "no passthrough here (see the log above)"
fi
echo "$mib MiB, $rounds rounds: medians, and their ratios to native"
"$VTREE_BINDIR/bench-read" "$rounds" "native=$object" \
  "simulated-kernel, io=passthrough=$m/file" "simulated-kernel, daemon=$daemon/file"
check_equal 'with io=passthrough the daemon was asked for nothing' "$(counter requests_read)" 0
