#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is pulled and deployed where the kernel has fs-verity: sealed by the destination's
# own ability, whatever the source has; a deployment's origin is sealed as well.
. "$(dirname "$0")/../../lib/guest.sh"

top=$GUEST_EXT4/user
mkdir -p "$top"
chown 65534:65534 "$top"
from=$top/from
to=$top/data/vtree/repo
v() {
  run_as_user env XDG_DATA_HOME="$top/data" vtree "$@"
}

mkdir src
for i in 1 2 3; do echo "file $i" >"src/$i"; done
seq 1 200000 >src/numbers
chmod -R a+rX src
v init --repo="$from" --verity=off --quiet >/dev/null 2>&1
expect_exit 0 v commit --repo="$from" --quiet app src
check 'the source has no verity' bash -c \
  "! find '$from/objects' '$from/packs' -type f -exec fsverity measure {} + 2>/dev/null | grep ."
v init --quiet >/dev/null 2>&1
expect_exit 0 v pull "$from" app
count=0
for file in "$to"/objects/??/* "$to"/packs/??/*; do
  name=${file#"$to/"}
  name=${name#*/}
  check_equal "pulled: $name is measured by the kernel" \
    "$(fsverity measure "$file" | cut -d' ' -f1)" "sha256:${name%%/*}${name#*/}"
  count=$((count + 1))
done
check_equal 'the large one, the manifest, the pack' "$count" 3
check_equal 'no Merkle file' "$(find "$to/merkle" -type f | wc -l)" 0
for file in "$to"/refs/app/1.root "$to"/refs/app/1.sig; do
  check "${file##*/} is sealed" fsverity measure "$file"
done
expect_exit 0 v deploy hello app
origin=$(find "$top/data/vtree/deploy/hello" -name origin)
check 'the origin is sealed' fsverity measure "$origin"
expect_exit 1 run_as_user bash -c "echo x >>'$origin'"

# A source that is sealed into a repository that is not to be.
v init --repo="$top/off" --verity=off --quiet >/dev/null 2>&1
expect_exit 0 v pull --repo="$top/off" "$to" app
check 'verity=off seals nothing' bash -c \
  "! find '$top/off/objects' '$top/off/packs' -type f -exec fsverity measure {} + 2>/dev/null | grep ."
expect_exit 0 v pull --repo="$top/off" --verity=require "$from" app
expect_exit 0 v fsck --repo="$top/off"
