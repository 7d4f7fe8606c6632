# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced by the campaigns over a repository: who.sh's commands as whoever runs the
# script, a seed that is printed (VTREE_SEED=N repeats a run), and trees made from it.

export VTREE_SEED=${VTREE_SEED:-$((RANDOM * 32768 + RANDOM))}
set -- "$([ "$(id -u)" = 0 ] && echo root || echo user)"
# shellcheck source=tests/cli/who.sh
. "$(dirname "${BASH_SOURCE[0]}")/../cli/who.sh"
echo "seed: VTREE_SEED=$VTREE_SEED"
RANDOM=$((VTREE_SEED % 32768))

# make_random_tree DIR VARIANT FILES: FILES small files and a few large ones; a third of
# them depends on VARIANT, the rest is the same in all.
make_random_tree() {
  python3 - "$VTREE_SEED" "$@" <<'PYTHON'
import os, random, sys
seed, top, variant, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
for i in range(count + 4):
    own = f"-{variant}" if i % 3 == 0 else ""
    rng = random.Random(f"{seed}-{i}{own}")
    size = rng.randrange(600_000, 3_000_000) if i >= count else rng.randrange(20_000)
    directory = os.path.join(top, f"d{i % 37}", f"e{i % 7}")
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, f"file{i}"), "wb") as f:
        f.write(rng.randbytes(size))
PYTHON
}

# same_tree NAME A B: no difference in names, modes or contents.
same_tree() {
  check "$1" diff -r --no-dereference "$2" "$3"
}

# no_temporary_files NAME
no_temporary_files() {
  check_equal "$1" \
    "$(find "$repo/tmp" -mindepth 1; find "$repo" -name '.tmp-*')" ''
}
