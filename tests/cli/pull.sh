#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# pull: from one repository into another, whatever state either is in.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

[ "$(id -u)" != 0 ] || chmod 1777 "$VTREE_TMP"
from=$VTREE_TMP/from
tree=$VTREE_TMP/tree
make_tree "$tree"

# src VERB...: in the repository that is pulled from.
src() {
  local verb=$1
  shift
  v "$verb" --repo="$from" "$@"
}

# fresh: an empty repository to pull into.
fresh() {
  rm -rf "$repo"
  v init --pack-threshold=0 --quiet >/dev/null
}

# source_object DIGEST
source_object() {
  local hex=${1#sha256:}
  echo "$from/objects/${hex:0:2}/${hex:2}"
}

src init --pack-threshold=0 --quiet >/dev/null
for i in 1 2 3; do
  echo "$i" >"$tree/number"
  src commit app/r "$tree" --quiet >"$VTREE_TMP/digest.$i"
done
src commit other "$tree" --quiet >/dev/null
numbers=$(fsverity digest "$tree/usr/numbers" | cut -d' ' -f1)
hello=$(fsverity digest "$tree/usr/bin/hello" | cut -d' ' -f1)

# one, and what it says
fresh
expect_exit 0 v pull "$from" app/r
check_equal 'stdout' "$(cat "$VTREE_TMP/stdout")" "app/r@3 $(cat "$VTREE_TMP/digest.3")"
expect_stderr_line '^vtree pull: app/r version 3: [0-9]+ objects \([0-9]+ bytes\) new, 0 '
check_equal 'its head' "$(v refs)" 'app/r 3 1'
check 'fsck' v fsck
check 'verify' v verify app/r
check 'checkout' v checkout app/r "$VTREE_TMP/out"
check 'the tree' diff -r --no-dereference "$tree" "$VTREE_TMP/out"
check 'a Merkle file came into being' test -n "$(find "$repo/merkle" -type f)"
expect_exit 0 v pull "$from" app/r
expect_stderr_line 'app/r version 3 was there already'
expect_exit 0 v pull --json "$from"
check 'JSON' json '[p["ref"] + " " + p["state"] for p in d["pulled"]] == [
  "app/r present", "other moved"]'
check 'nothing twice' json 'd["pulled"][1]["new_objects"] == 0'
check_equal 'all refs' "$(v refs)" $'app/r 3 1\nother 1 1'

# versions before it
expect_exit 0 v pull --depth=1 "$from" app/r
check_equal 'one before' "$(v refs | head -n 1)" 'app/r 3 2'
expect_exit 0 v pull --depth=-1 "$from" app/r
check_equal 'all before' "$(v refs | head -n 1)" 'app/r 3 3'
check 'fsck of all' v fsck
expect_exit 2 v pull --depth=x "$from"

# what the other one lacks
fresh
cp "$(source_object "$numbers")" "$VTREE_TMP/good"
flip_byte "$(source_object "$numbers")"
expect_exit 6 v pull "$from" app/r
expect_stderr_line "^vtree pull: app/r: object $numbers of $from: .*its contents are sha256:"
check_equal 'no version came' "$(v refs)" ''
check 'but all the rest' test -e "$(object_file "$hello")"
check 'the bad one did not' test ! -e "$(object_file "$numbers")"
rm -f "$(source_object "$numbers")"
expect_exit 7 v pull "$from" app/r
expect_stderr_line "object $numbers of .*: it is not there"
cp "$(source_object "$hello")" "$VTREE_TMP/hello"
rm -f "$(source_object "$hello")" "$(object_file "$hello")"
expect_exit 7 v pull "$from" app/r
expect_stderr_line '2 objects can.t be had, one of them: object'
cp "$VTREE_TMP/good" "$(source_object "$numbers")"
cp "$VTREE_TMP/hello" "$(source_object "$hello")"
[ "$(id -u)" != 0 ] || [ "${1:-}" != user ] || chown -R 65534:65534 "$from"
expect_exit 0 v pull "$from" app/r
expect_stderr_line 'app/r version 3: 2 objects '
check 'now it is whole' v fsck
manifest=$(cat "$VTREE_TMP/digest.3")
fresh
flip_byte "$(source_object "$manifest")"
expect_exit 6 v pull "$from" app/r
flip_byte "$(source_object "$manifest")"

# what we have under the right name
v pull "$from" app/r --quiet >/dev/null
flip_byte "$(object_file "$numbers")"
expect_exit 0 v pull "$from" other
check 'a bad object is replaced' grep -q 'replaced 1 objects' "$VTREE_TMP/stderr"
check 'and is good' v fsck
rm -f "$repo/refs/other/1.sig"
expect_exit 3 v verify other
expect_exit 0 v pull "$from" other
check 'a lost signature comes back' v verify other

# trust
cp "$from/refs/other/1.sig" "$VTREE_TMP/sig"
fresh
rm "$from/refs/other/1.sig"
expect_exit 3 v pull "$from" other
expect_stderr_line '^vtree pull: other: '
expect_exit 7 v pull /nonexistent
expect_stderr_line '^vtree pull: /nonexistent is no repository; PATH is the directory of one'
expect_exit 7 v pull "$VTREE_TMP"
expect_stderr_line "^vtree pull: $VTREE_TMP is no repository; PATH is"
cp "$from/refs/app/r/1.sig" "$from/refs/other/1.sig"
expect_exit 3 v pull "$from" other
cp "$VTREE_TMP/sig" "$from/refs/other/1.sig"
mkdir "$from/refs/forged"
cp "$from"/refs/other/* "$from/refs/forged/"
expect_exit 3 v pull "$from" forged
check_equal 'nothing came' "$(v refs)" ''
rm -r "$from/refs/forged"
# one that fails does not keep the others
expect_exit 7 v pull "$from" absent app/r
check_equal 'the other came' "$(v refs)" 'app/r 3 1'

# never back
fresh
v pull "$from" --quiet >/dev/null
cp -a "$from" "$VTREE_TMP/old"
echo 2 >"$VTREE_TMP/old/refs/app/r/head"
expect_exit 4 v pull "$VTREE_TMP/old" app/r
expect_stderr_line 'app/r'
expect_exit 0 v pull "$VTREE_TMP/old" app/r@1
check 'the head stays' grep -q 'app/r stays at version 3' "$VTREE_TMP/stderr"
expect_exit 0 v pull --force "$VTREE_TMP/old" app/r
check_equal 'where it was' "$(v refs | head -n 1)" 'app/r 3 3'
check 'and is right' v verify app/r

# another statement as the same version
echo other >"$tree/number"
fresh
v mark reset app/r
v commit app/r "$tree" --version=3 --quiet >/dev/null
v mark reset app/r
expect_exit 1 v pull "$from" app/r
expect_stderr_line 'version 3 is there already and is another one; see .vtree show app/r@3'

# what can't be a source, or not here
expect_exit 2 v pull "$repo"
expect_exit 7 v pull "$VTREE_TMP/absent"
expect_exit 2 v pull
expect_exit 2 v pull "$from" "$manifest"
v init --repo="$VTREE_TMP/large" --digest=sha512 --quiet >/dev/null
v commit large "$tree" --repo="$VTREE_TMP/large" --quiet >/dev/null
expect_exit 2 v pull "$VTREE_TMP/large"
expect_stderr_line 'has sha512 digests, .* has sha256'
v init --repo="$VTREE_TMP/empty" --quiet >/dev/null
expect_exit 7 v pull "$VTREE_TMP/empty"
expect_stderr_line 'has no refs to pull'

# secrets
echo secret >"$tree/secret"
chmod 0600 "$tree/secret"
[ "${1:-}" != user ] || [ "$(id -u)" != 0 ] || chown 65534 "$tree/secret"
src commit secret "$tree" --quiet >/dev/null
v init --shared --repo="$VTREE_TMP/shared" --quiet >/dev/null
expect_exit 2 v pull --repo="$VTREE_TMP/shared" "$from" secret
expect_stderr_line '/secret is not readable for everybody'
expect_exit 0 v pull --repo="$VTREE_TMP/shared" --allow-secret "$from" secret

# a source that can't be written to
chmod -R a-w "$from"
if [ "$(id -u)" = 0 ]; then
  mount --bind "$from" "$from"
  mount -o remount,bind,ro "$from"
fi
fresh
expect_exit 0 v pull "$from" other
check 'from a read-only place' v fsck
