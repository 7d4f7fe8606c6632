#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# commit, and the verbs that look: refs, log, show, ls, cat, stat, verify, mark.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

make_tree "$VTREE_TMP/tree"
v init --quiet >/dev/null

# commit
expect_exit 0 v commit apps/hello "$VTREE_TMP/tree" --message='first try' --expires=30d
check 'the digest alone on stdout' grep -Exq 'sha256:[0-9a-f]{64}' "$VTREE_TMP/stdout"
expect_stderr_line '^vtree commit: apps/hello version 1: 11 inodes, .* new'
digest=$(cat "$VTREE_TMP/stdout")
expect_exit 0 v commit apps/hello "$VTREE_TMP/tree" --threads=7 --quiet
check_equal 'the same tree, the same digest' "$(cat "$VTREE_TMP/stdout")" "$digest"
check_equal 'quiet says nothing' "$(cat "$VTREE_TMP/stderr")" ''
expect_exit 0 v commit apps/hello "$VTREE_TMP/tree" --version=7 --json
check 'commit in JSON' json \
  "d['schema'] == 1 and d['version'] == 7 and d['manifest'] == '$digest' and d['signed']"
check 'nothing was new' json 'd["new_bytes"] == 0 and d["shared_bytes"] > 1000000'
expect_exit 4 v commit apps/hello "$VTREE_TMP/tree" --version=7
expect_exit 2 v commit apps/hello "$VTREE_TMP/tree" --version=0
expect_exit 2 v commit ../hello "$VTREE_TMP/tree"
expect_exit 2 v commit apps/hello "$VTREE_TMP/tree" --expires=yesterday
expect_exit 2 v commit apps/hello "$VTREE_TMP/tree" --threads=0
expect_exit 2 v commit apps/hello "$VTREE_TMP/tree" --message=$'two\nlines'
expect_exit 2 v commit apps/hello "$VTREE_TMP/tree" --mtime=late
expect_exit 2 v commit apps/hello "$VTREE_TMP/tree" --owner=nobody
expect_exit 2 v commit apps/hello "$VTREE_TMP/tree" --no-sign --key=default
expect_exit 2 v commit apps/hello
expect_exit 1 v commit apps/hello "$VTREE_TMP/absent"
expect_stderr_line 'absent'
expect_exit 7 v commit apps/hello "$VTREE_TMP/tree" --key=absent
expect_exit 7 v --repo="$VTREE_TMP/absent" commit apps/hello "$VTREE_TMP/tree"
expect_exit 2 v commit self "$(dirname "$repo")"
expect_stderr_line 'repository'
expect_exit 0 v commit epoch "$VTREE_TMP/tree" --mtime=epoch --owner=7:8 --xattrs= \
  --exclude=numbers --exclude='/etc/*b*' -x
expect_exit 0 v stat epoch:usr/bin/hello --json
check 'options of the capture' json "d['mtime'] == 0 and d['uid'] == 7 and d['gid'] == 8"
expect_exit 7 v stat epoch:usr/numbers
v key generate second >/dev/null 2>&1
v key generate third >/dev/null 2>&1
expect_exit 0 v commit two "$VTREE_TMP/tree" --key=second --key=third
expect_exit 0 v show two --json
check 'two good signatures' json \
  '[s["good"] for s in d["signatures"]] == [True, True] and d["accepted"]'
as_who mv "$config/private/default.pem" "$config/private/first.pem"
expect_exit 2 v commit two "$VTREE_TMP/tree"
expect_stderr_line 'choose'
expect_exit 0 v commit two "$VTREE_TMP/tree" --key-file="$config/private/first.pem"
as_who mv "$config/private/first.pem" "$config/private/default.pem"

# refs, log, show
expect_exit 0 v refs
expect_stdout '^apps/hello 7 3$'
expect_exit 0 v refs --json
check 'refs in JSON' json \
  '[r["versions"] for r in d["refs"] if r["ref"] == "apps/hello"] == [[1, 2, 7]]'
expect_exit 0 v log apps/hello
expect_stdout '^version: 7 \(head\)$'
expect_stdout '^message: first try$'
expect_stdout '^signed by: [0-9a-f]{64} \(default\)$'
check_equal 'the newest first' "$(sed -n 's/^version: //p' "$VTREE_TMP/stdout" | xargs)" \
  '7 (head) 2 1'
expect_exit 0 v log apps/hello --json
check 'log in JSON' json 'd["versions"][2]["statement"]["extra"]["x-message"] == "first try"'
expect_exit 7 v log absent
expect_exit 2 v log apps/hello@1
expect_exit 0 v show apps/hello@1
expect_stdout '^vtree-root 1$'
expect_stdout "^manifest: $digest$"
expect_stdout '^signature: ed25519 [0-9a-f]{64} good$'
expect_exit 7 v show apps/hello@3
expect_exit 2 v show "$digest"

# ls, cat, stat
expect_exit 0 v ls apps/hello
check_equal 'ls' "$(xargs <"$VTREE_TMP/stdout")" 'etc usr'
expect_exit 0 v ls -l apps/hello:etc
expect_stdout '^lrwxrwxrwx .* link -> ../usr/bin/hello$'
expect_exit 0 v ls -l apps/hello@1:/usr/bin/
expect_stdout '^-rwxr-xr-x   2 .*  29 .* hello$|^-rwxr-xr-x   2 .* hello$'
expect_exit 0 v ls -R "$digest"
expect_stdout '^usr/bin:$'
expect_exit 0 v ls -R apps/hello --json
check 'every name in JSON' json 'len(d["entries"]) == 11'
check 'a name that is no text' json \
  'any(x.get("path_bytes") == "ZXRjL/8=" for x in d["entries"])'
expect_exit 7 v ls apps/hello:absent
expect_exit 7 v ls absent
expect_exit 0 as_who script -qec 'vtree ls apps/hello:etc' /dev/null
expect_stdout '^a b\\nc'
expect_stdout '^\\xff'
expect_exit 0 v cat apps/hello:usr/numbers
check 'cat prints the bytes' cmp "$VTREE_TMP/stdout" "$VTREE_TMP/tree/usr/numbers"
expect_exit 0 v cat apps/hello:etc/zero
check 'an empty file is empty' test ! -s "$VTREE_TMP/stdout"
expect_exit 1 v cat apps/hello:etc
expect_exit 1 v cat apps/hello:etc/link
expect_stderr_line 'symbolic link'
expect_exit 7 v cat apps/hello:usr/bin/absent
expect_exit 0 v stat apps/hello:usr/bin/hello
expect_stdout "^digest: $(fsverity digest "$VTREE_TMP/tree/usr/bin/hello" | cut -d' ' -f1)$"
expect_stdout '^links: 2$'
expect_exit 0 v stat apps/hello:etc/link --json
check 'stat in JSON' json 'd["type"] == "symlink" and d["target"] == "../usr/bin/hello"'

# verify and mark
expect_exit 0 v verify apps/hello
check_equal 'verify prints the digest' "$(cat "$VTREE_TMP/stdout")" "$digest"
expect_exit 0 v mark show apps/hello
expect_stdout "^apps/hello 7 $digest$"
expect_exit 0 v mark show --json
check 'marks in JSON' json 'len(d["marks"]) == 3'
expect_exit 7 v mark show absent
echo 2 | as_who tee "$repo/refs/apps/hello/head" >/dev/null
expect_exit 4 v verify apps/hello
expect_exit 4 v ls apps/hello
expect_exit 0 v verify apps/hello@2
expect_exit 0 v verify --force apps/hello
expect_exit 0 v show apps/hello --json
check 'show tells of the rollback' json 'd["problem"]["kind"] == "rollback"'
expect_exit 0 v mark reset apps/hello
expect_exit 0 v verify apps/hello
expect_exit 7 v mark reset absent
expect_exit 7 v verify absent

# what an attacker may have done
flip_byte "$repo/refs/apps/hello/2.root"
expect_exit 3 v verify apps/hello@2
expect_exit 0 v log apps/hello
expect_stdout '^not accepted: '
flip_byte "$(object_file "$(fsverity digest "$VTREE_TMP/tree/usr/numbers" | cut -d' ' -f1)")"
expect_exit 6 v cat apps/hello@7:usr/numbers
expect_stderr_line '^vtree cat: print apps/hello@7:usr/numbers: '
expect_exit 0 v cat apps/hello@7:usr/bin/hello
id=$(v key list | sed -n 's/ default .*//p')
v key revoke "$id" --quiet
expect_exit 3 v verify apps/hello@7
expect_stderr_line 'revoked'
