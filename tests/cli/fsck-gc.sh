#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# fsck, gc, and deleting refs.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

make_tree "$VTREE_TMP/tree"
v init --pack-threshold=0 --quiet >/dev/null
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

# what belongs to no ref
touch "$repo/refs/README" "$repo/refs/r/a note"
ln -s r "$repo/refs/alias"
mkdir "$repo/refs/bad" "$repo/refs/bad/head"
expect_exit 0 v refs
check_equal 'refs passes over it' "$(cat "$VTREE_TMP/stdout")" $'bad ? 0\nother 3 3\nr 4 4'
check_equal 'and says so once' "$(grep -c 'passed over refs/README and 2 more' "$VTREE_TMP/stderr")" 1
check 'and why a head is not shown' grep -q "head of ref 'bad': open head: not a" "$VTREE_TMP/stderr"
rm -r "$repo/refs/bad"
expect_exit 0 v fsck
expect_stdout '^stray - - -: refs/README belongs to no ref$'
expect_stdout '^stray - - -: refs/alias belongs to no ref$'
expect_stdout '^stray - - -: refs/r/a note belongs to no ref$'
expect_exit 0 v fsck --json --quiet
check 'in JSON' json 'd["stray"] == 3 and all(p["kind"] == "stray" for p in d["problems"])'
expect_exit 6 v gc --dry-run
expect_stderr_line 'nothing is deleted: refs/alias is a symbolic link'
rm "$repo/refs/alias"

# versions above the head that are none
echo 'no statement' >"$repo/refs/other/9.root"
mkdir "$repo/refs/other/4.root"
expect_exit 0 v commit other "$VTREE_TMP/tree" --quiet
expect_exit 0 v verify other --quiet
expect_exit 0 v refs
expect_stdout '^other 5 6$'
expect_exit 6 v fsck other
expect_stdout '^corrupt other@4 - -: '
expect_stdout '^corrupt other@9 - -: '
expect_exit 6 v gc
rm -r "$repo/refs/other/4.root" "$repo/refs/other/9.root"

# gc
before=$(count_objects)
expect_exit 0 v gc --dry-run
expect_stdout 'r@1'
check_equal 'a rehearsal removes nothing' "$(count_objects)" "$before"
expect_exit 0 v gc --keep=3
expect_stderr_line '^vtree gc: removed 2 versions'
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
expect_stderr_line '^vtree gc: .*: somebody else holds the lock; --wait=SEC waits longer$'
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
