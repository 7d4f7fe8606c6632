#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Packs as a person meets them: init, config, commit, status --store, repack, gc, fsck,
# pull. The test runs as root and as a plain user (who.sh).
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/cli/who.sh"

# packs [REPO]: their number; files: of objects that are files.
packs() {
  find "${1:-$repo}/packs" -type f | wc -l
}
files() {
  find "${1:-$repo}/objects" -type f | wc -l
}
# store KEY: of the answer of status --store.
store() {
  v status --store --json \
    | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

# said REGEX: a line of the last expect_exit's standard error is like that.
said() {
  check "said: $1" grep -Eq -- "$1" "$VTREE_TMP/stderr"
}

# fill DIR SEED: a tree of 300 small files, 4 at the threshold's edges, 3 large ones.
fill() {
  python3 - "$1" "$2" <<'EOF'
import os, random, sys
top, seed = sys.argv[1], int(sys.argv[2])
draw = random.Random(seed)
for i in range(300):
    d = os.path.join(top, "d%d" % (i % 7))
    os.makedirs(d, exist_ok=True)
    with open(os.path.join(d, "f%d" % i), "wb") as f:
        f.write(b"%d %d " % (seed, i) + draw.randbytes(draw.randrange(0, 4000)))
for size in (1, 4095, 4096, 4097, 20000, 70000, 600000):
    with open(os.path.join(top, "s%d" % size), "wb") as f:
        f.write(draw.randbytes(size))
EOF
}

more=$(dirname "$repo")/more
mkdir src
fill src 1
v init --quiet >/dev/null
expect_exit 0 v config pack-threshold
as_who mkdir "$more"
check_equal 'what a new repository has' "$(cat "$VTREE_TMP/stdout")" 4096
check 'programs without packs are warned' grep -q '^features=packs$' "$repo/config"

# --- commit -----------------------------------------------------------------------------
expect_exit 0 v commit app src
first=$(cat "$VTREE_TMP/stdout")
check_equal 'one commit, one pack' "$(packs)" 1
check_equal 'larger ones and the manifest are files' "$(files)" 5
name=$(cd "$repo/packs" && find . -type f)
name=${name#./}
check_equal 'a pack is called by its digest' \
  "$(fsverity digest --compact "$repo/packs/$name")" "${name%%/*}${name#*/}"
check_equal 'read-only' "$(stat -c %a "$repo/packs/$name")" 444
expect_exit 0 v commit app src
check_equal 'nothing new, no pack' "$(packs)" 1
echo changed >src/d1/f1
echo more >src/d2/new
expect_exit 0 v commit app src
check_equal 'a later pack has only what is new' "$(packs)" 2
second=$(cat "$VTREE_TMP/stdout")
expect_exit 0 v fsck
expect_stderr_line ' 2 packs checked; 0 repaired$'

# --- the manifest's digest says nothing of packs ----------------------------------------
for threshold in 0 1 100 65536; do
  v init --repo="$more/r$threshold" --pack-threshold=$threshold --quiet >/dev/null
  expect_exit 0 v commit --repo="$more/r$threshold" "r$threshold" src
  check_equal "the same manifest with threshold $threshold" \
    "$(cat "$VTREE_TMP/stdout")" "$second"
done
check_equal 'threshold 0: no pack' "$(packs "$more/r0")" 0
check_equal 'threshold 65536' "$(files "$more/r65536")" 3
for threads in 1 2 7; do
  v init --repo="$more/t$threads" --quiet >/dev/null
  expect_exit 0 v commit --repo="$more/t$threads" --threads=$threads "t$threads" src
  (cd "$more/t$threads/packs" && find . -type f) >"$VTREE_TMP/packs.$threads"
done
check 'the same pack at 1 and 2 threads' cmp "$VTREE_TMP/packs.1" "$VTREE_TMP/packs.2"
check 'and at 7' cmp "$VTREE_TMP/packs.1" "$VTREE_TMP/packs.7"

# --- words that it does not take --------------------------------------------------------
for bad in -1 65537 x; do
  expect_exit 2 v init --repo="$more/bad" --pack-threshold=$bad
  expect_exit 2 v config pack-threshold $bad
  expect_exit 2 v repack --threshold=$bad
done
expect_exit 2 v repack --min-live=101%
expect_exit 2 v config auto-repack perhaps
expect_exit 2 v status --store /

# --- status --store ---------------------------------------------------------------------
expect_exit 0 v status --store
expect_stdout '^packs: 2, '
check_equal 'all are live' "$(store dead_bytes)" 0
check 'and save space' test "$(store saved_bytes)" -gt 500000

# --- gc, repack -------------------------------------------------------------------------
expect_exit 0 v gc --keep=1 --dry-run
said '^vtree gc: [0-9]+ bytes in packs would be needed by nothing: vtree repack frees them'
expect_exit 0 v gc --keep=1
check_equal 'the old contents of f1 are dead' "$(($(store packed_objects) - $(store live_objects)))" 1
expect_exit 0 v repack --dry-run --all
expect_stderr_line 'would fold 2 of 2 packs'
check_equal 'a rehearsal' "$(packs)" 2
expect_exit 0 v repack --all
expect_stderr_line 'folded 2 of 2 packs and 0 files'
check_equal 'one pack' "$(packs)" 1
check_equal 'nothing dead' "$(store dead_bytes)" 0
check 'the pack that a fresh commit would have made' \
  cmp <(cd "$repo/packs" && find . -type f) "$VTREE_TMP/packs.1"
expect_exit 0 v repack
expect_stderr_line 'nothing to repack in 1 packs'
expect_exit 0 v fsck
expect_exit 0 v repack --all --threshold=0
check_equal 'no pack is left' "$(packs)" 0
expect_exit 0 v fsck
expect_exit 0 v checkout app "$more/out"
check 'all is there' diff -r src "$more/out"
expect_exit 0 v repack
check_equal 'loose ones are taken in' "$(packs)" 1
check_equal 'and are no files any more' "$(files)" 5
rm -rf "$more/out"
expect_exit 0 v checkout app "$more/out"
check 'all is there again' diff -r src "$more/out"
check 'the ref has its digest' grep -q "^manifest: $second\$" "$repo/refs/app/3.root"

# --- by itself --------------------------------------------------------------------------
for i in 1 2 3 4 5 6 7 8 9; do
  echo "$i" >"src/auto$i"
  v commit --quiet app src >/dev/null 2>"$VTREE_TMP/stderr"
done
expect_exit 0 v commit app src
said ' packs could be one: vtree repack'
expect_exit 0 v config auto-repack true
echo 10 >src/auto10
expect_exit 0 v commit app src
said 'folded [0-9]* of [0-9]* packs'
check 'few packs are left' test "$(packs)" -le 2
expect_exit 0 v gc --keep=1
expect_exit 0 v fsck
expect_exit 0 v config auto-repack false

# deploy and upgrade say it, too.
for i in 1 2 3 4 5 6 7 8 9; do
  echo "again $i" >"src/auto$i"
  v commit --quiet app src >/dev/null 2>"$VTREE_TMP/stderr"
done
expect_exit 0 v config auto-repack
expect_exit 0 v deploy hello app
said 'packs could be one: vtree repack'
echo 'one more' >src/auto1
v commit --quiet app src >/dev/null 2>&1
expect_exit 0 v upgrade hello
said 'packs could be one: vtree repack'
expect_exit 0 v config auto-repack true
echo 'yet one more' >src/auto1
v commit --quiet app src >/dev/null 2>&1
expect_exit 0 v upgrade hello
check 'and the commit has done it' test "$(packs)" -le 2
expect_exit 0 v config auto-repack false
expect_exit 0 v undeploy --all
expect_exit 0 v gc --keep=1

# --- damage -----------------------------------------------------------------------------
expect_exit 0 v repack --all
pack=$(find "$repo/packs" -type f)
hash=$(fsverity digest --compact src/d3/f3)
offset=$(python3 - "$pack" "$hash" <<'EOF'
import sys, struct
data = open(sys.argv[1], "rb").read()
count, index = struct.unpack_from("<QQ", data, 24)
for i in range(count):
    entry = data[index + 44 * i:index + 44 * i + 44]
    if entry[:32].hex() == sys.argv[2]:
        print(struct.unpack_from("<QI", entry, 32)[0])
EOF
)
cp "$pack" "$VTREE_TMP/good.pack"
flip_byte "$pack" "$offset"
expect_exit 6 v fsck
expect_stdout "^corrupt app@[0-9]* sha256:$hash /d3/f3: "
check_equal 'one file is harmed' "$(grep -c ' /' "$VTREE_TMP/stdout")" 1
expect_stdout '^corrupt - sha256:.* -: pack: it has the digest'
expect_exit 6 v cat app:/d3/f3
expect_exit 0 v cat app:/d3/f10
check 'others can be read' cmp src/d3/f10 "$VTREE_TMP/stdout"
expect_exit 6 v repack --all
said 'left where it is: .*is damaged in it'
said '1 damaged objects stay where they are'
check 'the pack with the damaged one stays' test -e "$pack"
expect_exit 0 v fsck --repair-from=src
expect_stdout "^repaired - sha256:$hash"
said 'damaged packs replaced'
check 'the damaged pack is gone' test ! -e "$pack"
expect_exit 0 v fsck
expect_exit 0 v cat app:/d3/f3
check 'and its contents are right' cmp src/d3/f3 "$VTREE_TMP/stdout"

# Commit brings what is damaged, too.
pack=$(find "$repo/packs" -type f -size +100k)
flip_byte "$pack" 64
expect_exit 6 v fsck
expect_exit 0 v commit app src
said '^vtree commit: replaced sha256:.*, which was corrupt'
expect_exit 6 v fsck
said 'nothing that is needed is lost: .vtree repack --check. drops'
expect_exit 0 v repack --check
expect_exit 0 v fsck

# --- pull -------------------------------------------------------------------------------
v init --repo="$more/to" --quiet >/dev/null
expect_exit 0 v pull --repo="$more/to" "$repo" app
check_equal 'pulled into one pack' "$(packs "$more/to")" 1
check_equal 'its files' "$(files "$more/to")" 5
expect_exit 0 v fsck --repo="$more/to"
v init --repo="$more/plain" --pack-threshold=0 --quiet >/dev/null
expect_exit 0 v pull --repo="$more/plain" "$more/to" app
check_equal 'or into files' "$(packs "$more/plain")" 0
expect_exit 0 v fsck --repo="$more/plain"

# --- an older repository, without the word ----------------------------------------------
sed -i '/^features/d; /^pack-threshold/d' "$more/plain/config"
expect_exit 0 v commit --repo="$more/plain" other src
check_equal 'has no packs' "$(packs "$more/plain")" 0
expect_exit 0 v config --repo="$more/plain" pack-threshold 4096
check 'until it is told to' grep -q '^features=packs$' "$more/plain/config"
sed -i 's/^features=packs/features=packs;other/' "$more/plain/config"
expect_exit 1 v refs --repo="$more/plain"
check_equal 'the manifest of the first commit' "${first%%:*}" sha256

# --- one of two copies is damaged ---------------------------------------------------------
v init --repo="$more/two" --pack-threshold=0 --quiet >/dev/null
check 'nothing of packs in it' test -z "$(sed -n 's/^features=//p' "$more/two/config")"
expect_exit 0 v commit --repo="$more/two" two src
kept=$(fsverity digest --compact src/d3/f3)
kept=${kept:0:2}/${kept:2}
as_who cp "$more/two/objects/$kept" "$more/kept"
expect_exit 0 v repack --repo="$more/two" --threshold=4096
check_equal 'repack makes a pack' "$(packs "$more/two")" 1
check 'and says so to programs without packs' grep -q '^features=packs$' "$more/two/config"
check 'what is not asked for stays' grep -q '^pack-threshold=0$' "$more/two/config"
as_who mkdir -p "$more/two/objects/${kept%/*}"
as_who cp "$more/kept" "$more/two/objects/$kept"
flip_byte "$more/two/objects/$kept"
v init --repo="$more/taken" --quiet >/dev/null
expect_exit 0 v pull --repo="$more/taken" "$more/two" two
expect_exit 0 v fsck --repo="$more/taken"
