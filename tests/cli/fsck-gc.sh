#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# fsck, gc, and deleting refs.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

make_tree "$VTREE_TMP/tree"
v init --quiet >/dev/null
for i in 1 2 3 4; do
  echo "$i" >"$VTREE_TMP/tree/number"
  v commit r "$VTREE_TMP/tree" --quiet >/dev/null
done
v commit other "$VTREE_TMP/tree" --quiet >/dev/null
count_objects() {
  find "$repo/objects" -type f | wc -l
}
digest_of() {
  fsverity digest "$1" | cut -d' ' -f1
}

# fsck
expect_exit 0 v fsck
check 'nothing to tell' test ! -s "$VTREE_TMP/stdout"
expect_stderr_line '^vtree fsck: 5 versions of 2 refs, '
expect_exit 0 v fsck other --quiet --json
check 'fsck in JSON' json 'd["problems"] == [] and d["versions"] == 1'
expect_exit 7 v fsck absent
numbers=$(digest_of "$VTREE_TMP/tree/usr/numbers")
hello=$(digest_of "$VTREE_TMP/tree/usr/bin/hello")
flip_byte "$(object_file "$numbers")"
expect_exit 6 v fsck other --quiet
expect_stdout "^corrupt other@1 $numbers /usr/numbers: "
expect_stderr_line '^vtree fsck: check '
rm -f "$(object_file "$hello")"
expect_exit 6 v fsck r
expect_stdout "^missing r@4 $hello /usr/bin/hello: "
expect_stdout "^missing r@4 $hello /usr/bin/hi: "
expect_exit 6 v fsck --json
check 'problems in JSON' json \
  'any(p["kind"] == "missing" and p["path"] == "/usr/bin/hi" for p in d["problems"])'
check 'counted' json 'd["corrupt"] == 1 and d["missing"] == 1'
expect_exit 0 v fsck --repair-from="$VTREE_TMP/tree"
expect_stdout '^repaired '
expect_exit 0 v fsck
rm -f "$(object_file "$hello")"
expect_exit 7 v fsck other
expect_exit 0 v commit other "$VTREE_TMP/tree"
expect_exit 0 v fsck --threads=1
flip_byte "$(object_file "$numbers")"
expect_exit 0 v commit other "$VTREE_TMP/tree"
check 'a commit says what it replaced' grep -q "replaced $numbers" "$VTREE_TMP/stderr"
mv "$repo/refs/r/2.sig" "$VTREE_TMP/2.sig"
expect_exit 3 v fsck r
expect_stdout '^untrusted r@2 - -: '
mv "$VTREE_TMP/2.sig" "$repo/refs/r/2.sig"
flip_byte "$repo/refs/r/2.root"
expect_exit 6 v fsck r
expect_stdout '^corrupt r@2 - -: '
flip_byte "$repo/refs/r/2.root"

# gc
before=$(count_objects)
expect_exit 0 v gc --dry-run
expect_stdout 'r@1'
check_equal 'a rehearsal removes nothing' "$(count_objects)" "$before"
expect_exit 0 v gc --keep=3
expect_stderr_line '^vtree gc: removed 1 versions and '
expect_exit 7 v show r@1
expect_exit 0 v show r@2
expect_exit 0 v gc --json
check 'gc in JSON' json 'd["schema"] == 1 and d["versions"] == 2 and not d["dry_run"]'
check 'less than before' test "$(count_objects)" -lt "$before"
expect_exit 0 v fsck
expect_exit 2 v gc --keep=0
expect_exit 2 v gc --wait=soon
exec 9<"$repo/lock"
flock -s 9
expect_exit 8 v gc --wait=0
expect_stderr_line '^vtree gc: '
expect_exit 8 v refs --delete=other --wait=0
exec 9<&-

# refs --delete
expect_exit 0 v refs --delete=other
expect_exit 7 v refs --delete=other
expect_exit 2 v refs --delete=../r
expect_exit 0 v refs
check_equal 'one is left' "$(cat "$VTREE_TMP/stdout")" 'r 4 2'
expect_exit 0 v gc --keep=1 --quiet
expect_exit 0 v fsck
check_equal 'what one version needs' "$(count_objects)" 6
expect_exit 0 v refs --delete=r --quiet
expect_exit 0 v gc --quiet
check_equal 'nothing is left' "$(count_objects)" 0
