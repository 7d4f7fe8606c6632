#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Deltas as a person meets them: what is said of them, what is refused, and that apply is
# a pull. The test runs as root and as a plain user (who.sh); campaign/delta has random
# trees and damaged deltas.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/cli/who.sh"

said() {
  check "said: $1" grep -Eq -- "$1" "$VTREE_TMP/stderr"
}
more=$(dirname "$repo")/more
other=$more/other

v init --quiet >/dev/null 2>&1
as_who mkdir "$more"
v init --repo="$other" --quiet >/dev/null 2>&1
make_tree src
head -c 9000000 /dev/urandom >src/usr/large
v commit --quiet app/r src >/dev/null
cp src/usr/large "$VTREE_TMP/old"
{
  head -c 3000000 "$VTREE_TMP/old"
  echo 'a line in the middle'
  tail -c +3000001 "$VTREE_TMP/old"
} >src/usr/large
seq 1 200001 >src/usr/numbers
v commit --quiet app/r src >/dev/null
second=$(sed -n 's/^manifest: //p' "$repo/refs/app/r/2.root")

# --- create -------------------------------------------------------------------------------
expect_exit 0 v delta create --level=3 --from-empty app/r@1
cp "$VTREE_TMP/stdout" full.delta
said 'app/r version 1: [0-9]+ new objects \([0-9]+ bytes\) in [0-9]+ bytes$'
expect_exit 0 v delta create app/r@1 app/r
cp "$VTREE_TMP/stdout" one.delta
check 'an update costs what has changed' test "$(stat -c %s one.delta)" -lt 3000
expect_exit 0 v delta create --threads=1 app/r@1 app/r
check 'the same with one thread' cmp "$VTREE_TMP/stdout" one.delta
first=$(sed -n 's/^manifest: //p' "$repo/refs/app/r/1.root")
expect_exit 0 v delta create "$first" app/r@2
check 'the same from the digest' cmp "$VTREE_TMP/stdout" one.delta
expect_exit 2 v delta create app/r
said 'FROM and TO expected'
expect_exit 2 v delta create --from-empty app/r@1 app/r
expect_exit 2 v delta create app/r@1 "$second"
said 'leads to a version of a ref'
expect_exit 2 v delta create --level=23 app/r@1 app/r
expect_exit 7 v delta create app/r@1 app/none
expect_exit 7 v delta create app/r@7 app/r
if script -qec true /dev/null >/dev/null 2>&1; then
  as_who script -qec "vtree delta create app/r@1 app/r" "$more/typescript" \
    >/dev/null 2>&1 || true
  check 'not to a terminal' grep -q 'add > FILE' "$more/typescript"
fi

# --- apply --------------------------------------------------------------------------------
chmod 0644 ./*.delta
expect_exit 7 v delta apply --repo="$other" one.delta
said 'starts from a tree that is not here'
expect_exit 7 v delta apply --repo="$other" none.delta
said 'there is no none.delta'
expect_exit 0 v delta apply --force --repo="$other" full.delta
expect_stdout "^app/r@1 $first\$"
said 'version 1: [0-9]+ objects \([0-9]+ bytes\) new'
expect_exit 0 v delta apply --force --repo="$other" full.delta
said 'was there already'
expect_exit 0 v delta apply --repo="$other" --json one.delta
check 'an answer for programs' json \
  'd["applied"][0]["state"] == "moved" and d["applied"][0]["version"] == 2'
expect_exit 0 v fsck --repo="$other"
expect_exit 0 v checkout --repo="$other" app/r "$more/out"
check 'the same contents' diff -r src "$more/out"
check 'the same statement' cmp "$repo/refs/app/r/2.root" "$other/refs/app/r/2.root"

v init --repo="$more/stdin" --quiet >/dev/null 2>&1
expect_exit 0 v delta apply --force --repo="$more/stdin" - <full.delta
check 'by standard input' test -e "$more/stdin/refs/app/r/1.root"
expect_exit 6 v delta apply --repo="$more/stdin" src/usr/numbers
said 'it is no delta'
expect_exit 6 v delta apply --repo="$more/stdin" /dev/null
head -c 500 one.delta >cut.delta
expect_exit 6 v delta apply --repo="$more/stdin" cut.delta
expect_exit 2 v delta apply --repo="$more/stdin"
check 'nothing is left in tmp' test -z "$(ls "$more/stdin/tmp")"

# --- what is here already is looked at ----------------------------------------------------
large=$(fsverity digest --compact "$VTREE_TMP/old")
v init --repo="$more/bad" --quiet >/dev/null 2>&1
expect_exit 0 v delta apply --force --repo="$more/bad" full.delta
flip_byte "$more/bad/objects/${large:0:2}/${large:2}" 5000
expect_exit 6 v delta apply --repo="$more/bad" one.delta
said "object sha256:$large"

# --- trust, marks, another algorithm -------------------------------------------------------
v init --repo="$more/wide" --digest=sha512 --quiet >/dev/null 2>&1
expect_exit 2 v delta apply --repo="$more/wide" one.delta
said 'it has sha256 digests'
v init --repo="$more/late" --quiet >/dev/null 2>&1
expect_exit 4 v delta apply --repo="$more/late" full.delta
as_who mv "$config/keys.d" "$config/keys.away"
expect_exit 3 v delta apply --repo="$more/late" one.delta
as_who mv "$config/keys.away" "$config/keys.d"
expect_exit 0 v delta apply --force --repo="$more/late" full.delta
expect_exit 0 v delta apply --repo="$more/late" one.delta

# --- names with other numbers ---------------------------------------------------------------
mkdir -p kernel/lib/modules/6.1.0-25/fs
head -c 3000000 /dev/urandom >kernel/lib/modules/6.1.0-25/fs/ext4.ko
v commit --quiet kernel kernel >/dev/null
mv kernel/lib/modules/6.1.0-25 kernel/lib/modules/6.1.0-26
printf x >>kernel/lib/modules/6.1.0-26/fs/ext4.ko
v commit --quiet kernel kernel >/dev/null
expect_exit 0 v delta create kernel@1 kernel
check 'what is called by another number is a patch' \
  test "$(stat -c %s "$VTREE_TMP/stdout")" -lt 5000
