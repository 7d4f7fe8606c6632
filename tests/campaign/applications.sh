#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two real applications, Debian's python3 and git with all that they need, in the hands
# of a plain user: made from packages, committed, signed, deployed, run; upgraded while
# they run; rolled back; cleaned up after. Once through fusermount3, once without it.
# A harmed object is a refusal or an I/O error, never another byte.
. "$(dirname "$0")/../lib/lib.sh"
. "$VTREE_SOURCE_DIR/tests/mount/mounted.sh"
command -v bwrap >/dev/null || skip 'bubblewrap is not installed'
command -v fusermount3 >/dev/null || skip 'fusermount3 is not installed'
run_as_user bwrap --ro-bind / / --unshare-all true || skip 'no user namespaces for users'

# The leak checker can't look at a process of another PID namespace.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

data=$VTREE_USER_HOME/.local/share/vtree
work=$VTREE_USER_HOME/work
v() { run_as_user vtree "$@"; }

# tree NAME: where its tree is made.
tree() { echo "$VTREE_USER_HOME/tree/$1"; }

make_trees() {
  local maker=$VTREE_SOURCE_DIR/tests/campaign/application-tree.sh
  cp "$maker" "$VTREE_USER_HOME/maker" # whatever the checkout's directories let pass
  check 'python3 from its packages' run_as_user bash "$VTREE_USER_HOME/maker" \
    --command='python3 -I' python3 dash coreutils "$(tree python3)"
  check 'git from its packages' run_as_user bash "$VTREE_USER_HOME/maker" \
    --command=git git dash coreutils "$(tree git)"
  rm "$VTREE_USER_HOME/maker"
}

# set_edition NAME N: a module of python3's standard library and a command of git say
# which edition they belong to.
set_edition() {
  local file
  if [ "$1" = python3 ]; then
    file=$(echo "$(tree python3)"/usr/lib/python3.*/colorsys.py)
    echo "edition = $2" >>"$file"
  else
    file=$(tree git)/usr/lib/git-core/git-edition
    printf '#!/bin/sh\necho %s\n' "$2" >"$file"
    chmod 0755 "$file"
  fi
}

# edition NAME: as the application itself says it, in a new run.
edition() {
  if [ "$1" = python3 ]; then
    v run python3 --quiet -- python3 -I -c 'import colorsys; print(colorsys.edition)'
  else
    v run git --quiet -- git edition
  fi
}

# long NAME: runs until $work/go is there; only then it looks for more of itself.
long() {
  if [ "$1" = python3 ]; then
    v run python3 --quiet --filesystem="$work:ro" -- python3 -I -c 'import os, sys, time
print("started", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
import colorsys, sqlite3, xml.dom.minidom
print(sqlite3.connect(":memory:").execute("select 6 * 7").fetchone()[0])
print(colorsys.edition)' "$work/go"
  else
    # shellcheck disable=SC2016 # for the shell in there
    v run git --quiet --filesystem="$work:ro" -- sh -c 'echo started
      while [ ! -e "$1" ]; do sleep 0.02; done
      git --version && git edition' sh "$work/go"
  fi
}

# states NAME: version and state of all that is deployed, a line each.
states() { v list | sed -n "s/^$1  *\([0-9]*\)  *\([^ ]*\) .*/\1 \2/p"; }

# states_without_mounts NAME: the mounts depend on how it is mounted.
states_without_mounts() { states "$1" | sed 's/,\?mounted//; s/ $/ -/'; }

# versions NAME: those that the repository has.
versions() {
  v log "apps/$1" --json | grep -o '"version":[0-9]*' | cut -d: -f2 | sort -nu | xargs
}

# --- what they do ---------------------------------------------------------------------

cat >"$VTREE_TMP/slice.py" <<'PYTHON'
import bz2, ctypes, decimal, difflib, doctest, fractions, hashlib, heapq, json, lzma
import sqlite3, ssl, statistics, sys, unicodedata, uuid, zlib

data = b"".join(str(i * i).encode() for i in range(30000))
print(sys.version, ssl.OPENSSL_VERSION, sqlite3.sqlite_version, zlib.ZLIB_VERSION)
for name in sorted(hashlib.algorithms_available):
    h = hashlib.new(name, data)
    print(name, h.hexdigest(*([32] if name.startswith("shake") else [])))
for level in range(10):
    packed = zlib.compress(data, level)
    assert zlib.decompress(packed) == data
    print(level, zlib.crc32(packed), zlib.adler32(packed))
for module in bz2, lzma:
    packed = module.compress(data)
    assert module.decompress(packed) == data
    print(module.__name__, hashlib.sha256(packed).hexdigest())
with sqlite3.connect(":memory:") as db:
    db.execute("create table t (n integer, s text)")
    db.executemany("insert into t values (?, ?)", ((i, f"row {i}") for i in range(999)))
    print(db.execute("select sum(n), max(s), count(*) from t where n % 7 = 3").fetchall())
print(json.dumps({"k": [1.5, None, "\u00fc"]}, sort_keys=True), uuid.UUID(int=7))
print(decimal.Decimal(2).sqrt(), fractions.Fraction(3, 9), unicodedata.unidata_version)
print(len(ssl.create_default_context(cafile=None).get_ciphers()) > 5,
      ctypes.sizeof(ctypes.c_long))
for module in difflib, heapq, statistics:
    result = doctest.testmod(module)
    assert result.failed == 0 and (result.attempted or module is heapq), module
    print(module.__name__, result.attempted)
PYTHON

works_python3() {
  local host
  host=$(run_as_user /usr/bin/python3 -I "$work/slice.py")
  expect_exit 0 v run python3 --filesystem="$work:ro" -- python3 -I "$work/slice.py"
  check_equal 'the library does what the host does' "$(<"$VTREE_TMP/stdout")" "$host"
  expect_exit 0 v run python3 -- python3 -I -c 'import os, ssl, sys, zlib, json.decoder
with open("/proc/self/maps") as maps:
    print(*sorted({line.split()[-1] for line in maps if "/" in line}))
print(sys.prefix, json.decoder.__file__, os.path.exists("/usr/bin/apt"))'
  check 'all of it is the tree' grep -q '^/usr /usr/lib/python3[^ ]* False$' \
    "$VTREE_TMP/stdout"
  expect_exit 1 v run python3 -- python3 -I -c \
    'import colorsys; open(colorsys.__file__, "a")'
  check 'read-only' grep -q 'Read-only file system' "$VTREE_TMP/stderr"
}

works_git() {
  local repository=$work/repository
  run_as_user rm -rf "$repository"
  # shellcheck disable=SC2016 # for the shell in there
  expect_exit 0 v run git --filesystem="$work" -- sh -ec 'git init -q "$1" && cd "$1"
    git config user.name Somebody && git config user.email somebody@example.org
    for n in 1 2 3; do
      seq 1 ${n}000 >numbers && git add numbers && git commit -q -m "change $n"
    done
    git gc -q && git fsck --strict && git log --format=%s && git rev-parse HEAD^{tree}' \
    sh "$repository"
  check_equal 'its log' "$(grep change "$VTREE_TMP/stdout" | xargs)" \
    'change 3 change 2 change 1'
  check_equal 'what the host finds in it' "$(tail -n 1 "$VTREE_TMP/stdout")" \
    "$(run_as_user git -C "$repository" rev-parse 'HEAD^{tree}')"
  check 'it is whole for the host' run_as_user git -C "$repository" fsck --strict
  expect_exit 128 v run git -- git -C "$repository" log
}

# --- their lives ----------------------------------------------------------------------

# first NAME: version 1, signed apart, deployed.
first() {
  local name=$1 digest
  set_edition "$name" 1
  digest=$(v commit "apps/$name" "$(tree "$name")" --no-sign --quiet)
  expect_exit 7 v deploy "$name" "apps/$name"
  check 'sign' v sign "apps/$name@1" --manifest="$digest"
  check_equal 'verify' "$(v verify "apps/$name")" "$digest"
  expect_exit 0 v deploy "$name" "apps/$name"
  check_equal 'where it is' "$(<"$VTREE_TMP/stdout")" "$data/deploy/$name/1/files"
}

# life NAME OLD: OLD is active; an upgrade to the next one while it runs, back, forward.
life() {
  local name=$1 old=$2 new=$(($2 + 1)) pid
  echo "$name, from version $old to $new"
  "works_$name"
  check_equal 'before' "$(edition "$name")" "$old"
  : >"$VTREE_TMP/out" # what the one before printed is no answer
  long "$name" >"$VTREE_TMP/out" &
  pid=$!
  check 'it runs' wait_until 20 grep -q started "$VTREE_TMP/out"
  set_edition "$name" "$new"
  check 'commit' v commit "apps/$name" "$(tree "$name")" --quiet
  check 'verify' v verify "apps/$name"
  check 'upgrade while it runs' v upgrade "$name"
  check 'gc' v gc --keep=1
  check_equal 'both are there' "$(versions "$name")" "$old $new"
  check_equal 'states' "$(states_without_mounts "$name" | xargs)" \
    "$old running $new active"
  check_equal 'a new run is the new one' "$(edition "$name")" "$new"
  expect_exit 8 v undeploy "$name"
  expect_exit 0 v rollback "$name"
  check_equal 'back' "$(edition "$name")" "$old"
  check_equal 'held' "$(states_without_mounts "$name" | xargs)" \
    "$old active,held,running $new -"
  check 'a bare upgrade leaves it' v upgrade
  check_equal 'still' "$(edition "$name")" "$old"
  expect_exit 0 v upgrade "$name"
  check_equal 'forward' "$(edition "$name")" "$new"
  check 'gc again' v gc --keep=1
  : >"$work/go"
  check 'it ends well' wait "$pid"
  check_equal 'what it read was its own' "$(tail -n 1 "$VTREE_TMP/out")" "$old"
  rm "$work/go"
  # its run has ended, and the configuration keeps one version
  expect_exit 0 v upgrade
  check 'it is said' grep -q "removed version $old of $name" "$VTREE_TMP/stderr"
  check 'the last gc' v gc --keep=1
  check_equal 'the old one is gone' "$(states_without_mounts "$name" | xargs)" "$new active"
  check_equal 'from the repository, too' "$(versions "$name")" "$new"
  check_equal 'which runs' "$(edition "$name")" "$new"
}

# object_file REF:PATH
object_file() {
  local hex
  hex=$(v stat "$1" | sed -n 's/^digest: sha256://p')
  echo "$data/repo/objects/${hex:0:2}/${hex:2}"
}

# harmed NAME PATH OFFSET COMMAND...: a byte of PATH's object is another one. The status
# and what it said are in $VTREE_TMP/harmed then, what it printed in $VTREE_TMP/stdout.
harmed() {
  local name=$1 path=$2 offset=$3 object status=0
  object=$(object_file "apps/$name:$path")
  shift 3
  chmod u+w "$object"
  flip_byte "$object" "$offset"
  v umount --all
  v run "$name" -- "$@" >"$VTREE_TMP/stdout" 2>"$VTREE_TMP/stderr" || status=$?
  flip_byte "$object" "$offset"
  v umount --all
  check "it fails: exit $status" test "$status" != 0
  echo "$status $(<"$VTREE_TMP/stderr")" >"$VTREE_TMP/harmed"
}

# tampered VERSION: that is the active one.
tampered() {
  local program library module size
  program=$(tree git)/usr/bin/git
  library=$(find "$(tree python3)/usr/lib" -name 'libssl.so.*' -type f)
  module=$(find "$(tree python3)/usr/lib" -name calendar.py)
  size=$(stat -c %s "$program")
  harmed git /usr/bin/git $((size / 2)) git --version
  check 'the program is refused by its name' \
    grep -q '^6 vtree run: .*/usr/bin/git of the tree is not what was signed' \
    "$VTREE_TMP/harmed"
  check 'nothing ran' test ! -s "$VTREE_TMP/stdout"
  harmed git /usr/bin/git $((size / 2)) cat /usr/bin/git
  check 'read as a file it is EIO' grep -q 'Input/output error' "$VTREE_TMP/harmed"
  check 'after what was signed' cmp -n "$(stat -c %s "$VTREE_TMP/stdout")" \
    "$VTREE_TMP/stdout" "$program"
  check 'and no more' test "$(stat -c %s "$VTREE_TMP/stdout")" -le $((size / 2))
  harmed python3 "${library#"$(tree python3)"}" 0 python3 -I -c \
    'import _ssl; print(_ssl.OPENSSL_VERSION)'
  check 'a library is not loaded' grep -q 'ImportError.*libssl' "$VTREE_TMP/harmed"
  harmed python3 "${module#"$(tree python3)"}" 0 python3 -I -c \
    'import calendar; print(calendar.edition)'
  check 'a module is EIO' grep -q 'Input/output error' "$VTREE_TMP/harmed"
  check_equal 'put right they run' "$(edition python3) $(edition git)" "$1 $1"
}

run_as_user mkdir -p "$work" "$VTREE_USER_HOME/tree"
cp "$VTREE_TMP/slice.py" "$work/slice.py"
make_trees
v init --quiet >/dev/null 2>&1
v config keep 1 >/dev/null
first python3
first git
life python3 1
life git 1
tampered 2
v umount --all
check 'unmounted' wait_until 10 nobody_serves
if [ "$(id -u)" != 0 ]; then
  exit
fi
cp /usr/bin/fusermount3 "$VTREE_TMP/fusermount3" # not set-uid any more
bind_over "$VTREE_TMP/fusermount3" "$(readlink -f "$(command -v fusermount3)")"
life python3 2
life git 2
tampered 3
check_equal 'nothing is mounted' "$(vtree_mount_points | grep -c /deploy/)" 0
check 'nobody is left' wait_until 10 nobody_serves
check 'undeploy' v undeploy --all
check 'the repository is whole' v fsck
