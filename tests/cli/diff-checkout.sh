#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# diff and checkout.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

make_tree "$VTREE_TMP/one"
cp -a "$VTREE_TMP/one" "$VTREE_TMP/two"
rm "$VTREE_TMP/two/etc/zero"
echo more >>"$VTREE_TMP/two/usr/numbers"
touch -r "$VTREE_TMP/one/usr/numbers" "$VTREE_TMP/two/usr/numbers"
touch -r "$VTREE_TMP/one/etc" "$VTREE_TMP/two/etc"
echo new >"$VTREE_TMP/two/usr/bin/new"
touch -r "$VTREE_TMP/one/usr/bin" "$VTREE_TMP/two/usr/bin"
chmod 0700 "$VTREE_TMP/one/etc/empty"
chmod 0755 "$VTREE_TMP/two/etc/empty"
v init --pack-threshold=0 --quiet >/dev/null
if [ "${1:-user}" = user ]; then
  chown -R 65534:65534 "$VTREE_TMP/one" "$VTREE_TMP/two" 2>/dev/null || true
fi
one=$(v commit r "$VTREE_TMP/one" --quiet)
two=$(v commit r "$VTREE_TMP/two" --quiet)

# diff
expect_exit 0 v diff r@1 r
check_equal 'what differs, by path' "$(cat "$VTREE_TMP/stdout")" \
  "M	etc/empty	mode
D	etc/zero
A	usr/bin/new
M	usr/numbers	content"
expect_exit 1 v diff r@1 r --exit-code
check_equal 'a difference is no error' "$(cat "$VTREE_TMP/stderr")" ''
expect_exit 0 v diff r@2 "$two" --exit-code
check 'nothing differs' test ! -s "$VTREE_TMP/stdout"
expect_exit 0 v diff "$one" r --json
check 'diff in JSON' json \
  '[c["kind"] for c in d["changes"]] == ["modified", "deleted", "added", "modified"]'
check 'both sides' json \
  'd["changes"][0]["from"]["mode"] == "0700" and d["changes"][0]["to"]["mode"] == "0755"'
expect_exit 0 v diff r@2 "$VTREE_TMP/two" --exit-code
expect_exit 1 v diff r "$VTREE_TMP/one" --exit-code
cd "$VTREE_TMP"
expect_exit 0 v diff r@2 ./two --exit-code --threads=3
expect_exit 1 v diff r@2 two/ --exit-code --exclude=numbers
expect_stdout '^D	usr/numbers$'
expect_exit 7 v diff r two
expect_exit 1 v diff r ./absent
expect_exit 2 v diff r
expect_exit 2 v diff r r:etc
expect_exit 2 v diff r ./two --mtime=never

# checkout
out=$VTREE_TMP/${1:-user}/out
expect_exit 0 v checkout r@1 "$out"
expect_exit 0 v diff r@1 "$out/" --exit-code
check 'the same as the source' diff -r --no-dereference "$VTREE_TMP/one" "$out"
expect_exit 1 v checkout r "$out"
expect_stderr_line '^vtree checkout: .*out'
expect_exit 0 v checkout r "$out" --update
expect_exit 0 v diff r "$out/" --exit-code
check 'the same as the newer source' diff -r --no-dereference "$VTREE_TMP/two" "$out"
expect_exit 0 v checkout r:usr/bin "$out.bin" --threads=1 --quiet
check 'a part' diff -r "$VTREE_TMP/two/usr/bin" "$out.bin"
expect_exit 0 v commit again "$out"
check_equal 'it commits to the same manifest' "$(cat "$VTREE_TMP/stdout")" "$two"
expect_exit 7 v checkout r:absent "$out.2"
expect_exit 7 v checkout absent "$out.2"
expect_exit 2 v checkout r
flip_byte "$(object_file "$(fsverity digest "$VTREE_TMP/two/usr/bin/new" | cut -d' ' -f1)")"
expect_exit 6 v checkout r "$out.3"
expect_stderr_line 'usr/bin/new'
check 'and nothing is left of it' test ! -e "$out.3"
