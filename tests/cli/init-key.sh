#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# init, config and the family "key".
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

# init
expect_exit 7 v refs
expect_stderr_line '^vtree refs: .*init'
expect_exit 0 v init
check_equal 'init prints the path' "$(cat "$VTREE_TMP/stdout")" "$repo"
expect_stderr_line "^vtree init: .*$config/private/default.pem.*$config/keys.d/default.pem"
check_equal 'the repository is private' "$(stat -c %a "$repo")" 700
check_equal 'the key is private' "$(stat -c %a "$config/private/default.pem")" 600
check 'openssl reads the private key' \
  openssl pkey -in "$config/private/default.pem" -noout -text
id=$(openssl pkey -in "$config/private/default.pem" -pubout -outform DER |
  tail -c 32 | sha256sum | cut -d' ' -f1)
expect_exit 2 v init
expect_stderr_line '^vtree init: '
as_who mkdir "$VTREE_TMP/${1:-user}/shared"
expect_exit 0 v --repo="$VTREE_TMP/${1:-user}/shared/r" init --shared --digest=sha512 --json
check 'init says all in JSON' json 'd["schema"] == 1 and d["new_key"] is None'
check_equal 'a shared one is open' "$(stat -c %a "$VTREE_TMP/${1:-user}/shared/r")" 755
expect_exit 2 v init --digest=md5
expect_stderr_line "'md5'"
expect_exit 2 v init --verity=maybe
expect_exit 2 v init somewhere

# config
expect_exit 0 v config
expect_stdout '^keep=2$'
expect_exit 0 v config keep 5
expect_exit 0 v config keep
check_equal 'config changes' "$(cat "$VTREE_TMP/stdout")" 5
expect_exit 0 v --repo "$VTREE_TMP/${1:-user}/shared/r" config digest
check_equal 'another repository' "$(cat "$VTREE_TMP/stdout")" sha512
expect_exit 0 v config --json
check 'config in JSON' json 'd["config"]["keep"] == "5"'
expect_exit 2 v config keep none
expect_exit 2 v config colour
expect_stderr_line "'colour'"
expect_exit 2 v config colour blue

# key
expect_exit 0 v key list
expect_stdout "^$id default \\* private trusted $config/keys.d/default.pem$"
expect_exit 1 v key generate
expect_stderr_line '^vtree key generate: .*not overwritten'
expect_exit 0 v key generate second
second=$(cat "$VTREE_TMP/stdout")
expect_exit 2 v key generate ../third
expect_exit 2 v key generate .third
expect_exit 0 v key export second
cp "$VTREE_TMP/stdout" "$VTREE_TMP/second.pem"
chmod 0644 "$VTREE_TMP/second.pem"
check_equal 'export is what openssl says' \
  "$(openssl pkey -in "$config/private/second.pem" -pubout)" \
  "$(cat "$VTREE_TMP/second.pem")"
expect_exit 7 v key export third
expect_exit 0 v key trust "$VTREE_TMP/second.pem" --ref=apps/x
check_equal 'trust prints the id' "$(cat "$VTREE_TMP/stdout")" "$second"
check 'where its prefix says' test -f "$config/keys.d/apps/x/second.pem"
expect_exit 2 v key trust "$VTREE_TMP/second.pem" --ref=../x
expect_exit 1 v key trust "$VTREE_TMP/absent.pem"
expect_exit 2 v key trust /dev/null
expect_exit 0 v key list --json
check 'list in JSON' json \
  'any(k["prefix"] == "apps/x" and k["private"] == "second" for k in d["keys"])'
expect_exit 2 v key distrust "${second:0:7}"
expect_exit 2 v key distrust nonsense
expect_exit 7 v key distrust 00000000
expect_exit 0 v key distrust "${second:0:8}"
check 'no file of it stays' \
  test ! -e "$config/keys.d/apps/x/second.pem" -a ! -e "$config/keys.d/second.pem"
expect_exit 0 v key list
expect_stdout "^$second second \\* private untrusted"
expect_exit 7 v key distrust "$second"
trust_stdin() {
  v key trust - <"$VTREE_TMP/second.pem"
}
expect_exit 0 trust_stdin
expect_exit 0 v key revoke "${second:0:12}"
check 'a revocation is a file' test -e "$config/revoked.d/$second"
expect_exit 0 v key list --json
check 'it is listed as revoked' json \
  "all(k['state'] == 'revoked' for k in d['keys'] if k['id'] == '$second')"
expect_exit 0 v key revoke "$(printf 'ab%.0s' {1..32})"
expect_exit 2 v key
expect_exit 0 v key --help
chmod 0644 "$config/private/second.pem"
expect_exit 3 v key export second
expect_stderr_line 'second.pem'
