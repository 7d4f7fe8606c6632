#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An update of a second filesystem, killed with -9, or its power cut, at random moments:
# each file is the old or the new one, whole; the next update completes, and leaves
# nothing of its own.
. "$(dirname "$0")/repository.sh"
# shellcheck source=tests/lib/loop.sh
. "$VTREE_SOURCE_DIR/tests/lib/loop.sh"

moments=10
[ "$VTREE_CAMPAIGN" != full ] || moments=100

make_filesystem ext4 256 mkfs.ext4 -q -b 1024
make_filesystem xfs 320 mkfs.xfs -q
v init --quiet >/dev/null
for tree in old new; do
  make_random_tree "$VTREE_TMP/$tree" "$tree" 300
  ln -s "d1/e1" "$VTREE_TMP/$tree/link-$tree"
  mkdir -p "$VTREE_TMP/$tree/only-$tree/below"
  echo "$tree" >"$VTREE_TMP/$tree/only-$tree/below/file"
  ln "$VTREE_TMP/$tree/only-$tree/below/file" "$VTREE_TMP/$tree/linked"
  v commit "app/$tree" "$VTREE_TMP/$tree" --quiet >/dev/null
done

# whole DIR: every file in it is one of the old tree's or of the new one's, every other
# name belongs to one of them; prints what is not so.
whole() {
  python3 - "$@" "$VTREE_TMP/old" "$VTREE_TMP/new" <<'PYTHON'
import os, sys
top, sides = sys.argv[1], sys.argv[2:]
bad = 0
def contents(path):
    if os.path.islink(path):
        return os.readlink(path)
    with open(path, "rb") as f:
        return f.read()
for where, dirs, files in os.walk(top):
    dirs[:] = [d for d in dirs if not d.startswith(".vtree-checkout.") and d != "lost+found"]
    for name in files:
        path = os.path.join(where, name)
        others = [os.path.join(s, os.path.relpath(path, top)) for s in sides]
        others = [o for o in others if os.path.lexists(o)]
        if not any(contents(o) == contents(path) for o in others):
            print(path, "is neither old nor new")
            bad += 1
for name in set(os.listdir(sides[0])) & set(os.listdir(sides[1])):
    if not os.path.lexists(os.path.join(top, name)):
        print(name, "has gone")
        bad += 1
sys.exit(bad > 0)
PYTHON
}

no_leftovers() {
  check_equal "$1" "$(find "$2" -name '.vtree-checkout.*')" ''
}

# update TREE DIR: one that is not killed, and its time.
update() {
  local started
  started=$(date +%s%N)
  check "an update to ${1##*/}" v checkout "app/$1" "$2" --update --quiet
  milliseconds=$((($(date +%s%N) - started) / 1000000))
}

# interrupted HOW TREE DIR: sets $after and $status.
interrupted() {
  local moment stop=(timeout --foreground --signal=KILL)
  after=$((RANDOM * milliseconds * 3 / 2 / 32768))
  moment=$((after / 1000)).$(printf %03d $((after % 1000)))
  status=0
  [ "$1" = kill ] || stop=(cut_power "${3%%/*}")
  (
    export HOME=$VTREE_TMP/root
    "${stop[@]}" "$moment" vtree --repo="$repo" checkout "app/$2" "$3" --update --quiet
  ) 2>"$VTREE_TMP/stderr" || status=$?
}

# moment NUMBER HOW FILESYSTEM
moment() {
  local dir=$3/target name="$2 $1 on $3"
  update new "$dir"
  update old "$dir"
  sync -f "$dir"
  interrupted "$2" new "$dir"
  [ "$2" != cut ] || remount "$3" "${options[$3]}"
  check "$name (after $after ms): each file is old or new" whole "$dir"
  if [ "$status" = 0 ]; then
    check "$name: what was done stays" rsync_silent "$VTREE_TMP/new" "$dir"
  else
    stopped=$((stopped + 1))
  fi
  update new "$dir"
  no_leftovers "$name: nothing is left over" "$dir"
  check "$name: it is the new tree" rsync_silent "$VTREE_TMP/new" "$dir"
}

# rsync_silent A B: no difference.
rsync_silent() {
  local out
  out=$(rsync -naHAXSi --numeric-ids --checksum --delete "$1/" "$2/")
  printf '%s\n' "$out"
  [ -z "$out" ]
}

declare -A options=([ext4]=noauto_da_alloc [xfs]='')
remount ext4 "${options[ext4]}"
cd "$VTREE_TMP"
stopped=0
for how in kill cut; do
  for filesystem in ext4 xfs; do
    mkdir -p "$filesystem/target"
    for ((i = 1; i <= moments / 2; i++)); do
      moment "$i" "$how" "$filesystem"
    done
  done
done

# A target that does not exist is there as a whole afterwards, or not at all.
# fresh NUMBER FILESYSTEM
fresh() {
  local dir=$2/fresh name="fresh $1 on $2"
  rm -rf "$dir"
  update new "$dir"
  rm -rf "$dir"
  sync -f "$2"
  interrupted cut new "$dir"
  remount "$2" "${options[$2]}"
  if [ -e "$dir" ]; then
    check "$name (after $after ms): whole" rsync_silent "$VTREE_TMP/new" "$dir"
  else
    check "$name (after $after ms): not at all, nor was it said" [ "$status" != 0 ]
    stopped=$((stopped + 1))
  fi
  update new "$dir"
  no_leftovers "$name: nothing is left over" "$2"
}

for filesystem in ext4 xfs; do
  for ((i = 1; i <= moments / 2; i++)); do
    fresh "$i" "$filesystem"
  done
done
check 'at least one in three was really stopped' [ "$stopped" -ge "$moments" ]
