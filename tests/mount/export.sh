#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# File handles, as an NFS server uses them: stable over time, over eviction, over another
# daemon for the same tree.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
install_helper

make_tree src
commit_app src
mount_app

handle() {
  python3 "$VTREE_SOURCE_DIR/tests/mount/handle.py" "$@"
}
paths=(hello dir dir/deep dir/deep/deeper dir/deep/deeper/file .)
for path in "${paths[@]}"; do
  handle encode "$m" "$path" >>handles
done
check 'opened by handle' handle check "$m" handles
unmount_app
mount_app
check 'by the handles of the daemon before' handle check "$m" handles
echo 2 >/proc/sys/vm/drop_caches
check 'after the kernel forgot' handle check "$m" handles
check 'a node that is none: ESTALE' handle stale "$m" handles
check_equal 'the parent of the mounted root' "$(stat -c %i "$m/dir/..")" 1
