#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# deploy, upgrade, rollback, pin, undeploy, list, and what gc knows of them. Nothing is
# mounted here.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

case ${1:-user} in
  root) deploy=/var/lib/vtree/deploy ;;
  *) deploy=$VTREE_USER_HOME/.local/share/vtree/deploy ;;
esac
tree=$VTREE_TMP/tree
make_tree "$tree"
v init --quiet >/dev/null

# release N...: commits version N each.
release() {
  local n
  for n in "$@"; do
    echo "$n" >"$tree/number"
    v commit apps/hello "$tree" --version="$n" --quiet >"$VTREE_TMP/digest.$n"
  done
}

# states: name, version and state of all, a line each.
states() {
  v list | cut -d' ' -f1-3
}

# a new user's first steps
expect_exit 0 v upgrade
expect_stderr_line '^vtree upgrade: nothing is deployed$'
expect_exit 0 v undeploy --all
expect_stderr_line '^vtree undeploy: nothing is deployed$'
expect_exit 2 v undeploy
expect_stderr_line '^vtree undeploy: either NAME or --all expected; see .vtree undeploy --help.$'
expect_exit 2 v umount
expect_stderr_line '^vtree umount: either DIR or --all expected; see .vtree umount --help.$'
expect_exit 7 v deploy hello apps/absent
expect_stderr_line "^vtree deploy: look up ref 'apps/absent': there is no such ref in .*; see .vtree refs.$"
expect_exit 7 env VTREE_REPO=/nonexistent vtree gc
expect_stderr_line '^vtree gc: open repository /nonexistent: no such directory; .vtree init. makes'
expect_exit 0 v list
check 'nothing yet' test ! -s "$VTREE_TMP/stdout"
expect_exit 7 v deploy hello apps/hello
release 1
expect_exit 0 v deploy hello apps/hello
check_equal 'stdout' "$(cat "$VTREE_TMP/stdout")" "$deploy/hello/1/files"
expect_stderr_line 'hello is version 1 of apps/hello now'
check_equal 'active' "$(readlink "$deploy/hello/active")" 1
check 'the mount point' test -d "$deploy/hello/1/files"
check 'the origin names the ref' grep -qx 'ref: apps/hello' "$deploy/hello/1/origin"
check 'and the manifest' grep -qx "manifest: $(cat "$VTREE_TMP/digest.1")" \
  "$deploy/hello/1/origin"
check_equal 'list' "$(states)" 'hello 1 active'
expect_exit 0 v deploy hello apps/hello
check_equal 'again' "$(states)" 'hello 1 active'
expect_exit 0 v list --json
check 'JSON' json 'd["deployments"][0]["name"] == "hello" and d["deployments"][0]["active"]'

# upgrade
expect_exit 77 v upgrade --check --unchanged-exit-77
expect_stderr_line 'hello: version 1 is the newest'
expect_exit 0 v upgrade
release 2
expect_exit 0 v upgrade --check --unchanged-exit-77
expect_stderr_line 'hello: version 2 is there, 1 is deployed'
check_equal 'nothing changed' "$(states)" 'hello 1 active'
expect_exit 0 v upgrade --unchanged-exit-77 --json
check 'JSON of upgrade' json 'd["deployments"] == [
  {"name": "hello", "active": 1, "newest": 2, "state": "upgraded"}]'
check_equal 'both are there' "$(states)" $'hello 1 -\nhello 2 active'
release 3
expect_exit 0 v upgrade hello
check_equal 'two stay' "$(states)" $'hello 2 -\nhello 3 active'
check 'the first is gone' test ! -e "$deploy/hello/1"

# rollback
expect_exit 0 v rollback hello
expect_stderr_line 'hello: from version 3 to 2; a bare .vtree upgrade. leaves it there'
check_equal 'held' "$(states)" $'hello 2 active,held\nhello 3 -'
expect_exit 7 v rollback hello
expect_stderr_line "'hello' has no older version; .vtree deploy hello apps/hello@VERSION"
expect_exit 7 v rollback hello 1
expect_exit 77 v upgrade --unchanged-exit-77
expect_stderr_line 'hello is held at version 2 since its rollback; .vtree upgrade hello'
expect_exit 0 v upgrade hello
check_equal 'forward again' "$(states)" $'hello 2 -\nhello 3 active'
expect_exit 0 v rollback hello 2
expect_exit 0 v rollback hello 3
check_equal 'the newest is not held' "$(states)" $'hello 2 -\nhello 3 active'

# pin
expect_exit 0 v pin hello 2
expect_exit 7 v pin hello 9
expect_exit 7 v pin absent
release 4 5 6
expect_exit 0 v upgrade
release 7
expect_exit 0 v upgrade
check_equal 'a pinned one stays' "$(states)" $'hello 2 pinned\nhello 6 -\nhello 7 active'
# gc
expect_exit 0 v gc --keep=1 --dry-run
check 'gc says who holds what' grep -q \
  'kept apps/hello@2: deployment hello, where it is pinned' "$VTREE_TMP/stderr"
expect_exit 0 v gc --keep=1
check_equal 'they are there' "$(v log apps/hello --json | grep -o '"version":[0-9]*' |
  sort -u | tr '\n' ' ')" '"version":2 "version":6 "version":7 '
check 'fsck' v fsck
expect_exit 0 v rollback hello 2
expect_exit 0 v upgrade hello
expect_exit 0 v unpin hello 2
release 8
expect_exit 0 v upgrade
check_equal 'unpinned it goes' "$(states)" $'hello 7 -\nhello 8 active'
expect_exit 0 v gc --keep=1
check_equal 'of the repository too' "$(v refs)" 'apps/hello 8 2'

# gc frees what a smaller keep= leaves only when upgrade has let it go
expect_exit 0 v deploy --force kept apps/hello@7
expect_exit 0 v upgrade kept
expect_exit 0 v config keep 1
expect_exit 0 v gc
check_equal 'gc takes no deployment' "$(v list | grep -c '^kept ')" 2
expect_exit 0 v upgrade kept
check_equal 'upgrade does' "$(v list | grep -c '^kept ')" 1
expect_exit 0 v undeploy kept
expect_exit 0 v config keep 2

# the repository has gone, and come back elsewhere
if [ "${1:-user}" = user ]; then
  repo=$VTREE_USER_HOME/.local/share/vtree/repo
  mv "$repo" "$repo.moved"
  gone="the repository that it was deployed from, $repo, is gone; bring it back, or"
  gone+=" .vtree --repo=DIR deploy hello apps/hello. from another"
  expect_exit 7 v upgrade
  expect_stderr_line "^vtree upgrade: hello: $gone$"
  expect_exit 7 v rollback hello
  expect_stderr_line "^vtree rollback: hello: version 7: $gone$"
  expect_exit 7 v run hello -- true
  expect_stderr_line "^vtree run: hello: mount version 8: $gone$"
  expect_exit 0 v --repo="$repo.moved" deploy --force hello apps/hello@7
  expect_exit 0 v --repo="$repo.moved" deploy hello apps/hello
  expect_exit 0 v list --json
  check_equal 'it is from there now' "$(grep -o "\"repository\":\"$repo.moved\"" \
    "$VTREE_TMP/stdout" | wc -l)" 2
  expect_exit 0 v upgrade
  expect_exit 0 v --repo="$repo.moved" gc --keep=1 --dry-run
  check 'which gc there knows' grep -q 'kept apps/hello@7: deployment hello' \
    "$VTREE_TMP/stderr"
  mv "$repo.moved" "$repo"
  expect_exit 0 v deploy --force hello apps/hello@7
  expect_exit 0 v deploy hello apps/hello
fi

# a lease
exec 7<"$deploy/hello/7/lease"
flock -s 7
check_equal 'running' "$(states)" $'hello 7 running\nhello 8 active'
release 9
expect_exit 0 v upgrade
release 10
expect_exit 0 v upgrade
check_equal 'what runs stays' "$(states)" $'hello 7 running\nhello 9 -\nhello 10 active'
expect_exit 0 v gc --keep=1
check 'its objects too' v verify apps/hello@7
expect_exit 0 v gc --keep=1 --dry-run
check 'gc says that it runs' grep -q \
  'kept apps/hello@7: deployment hello, which is running' "$VTREE_TMP/stderr"
expect_exit 8 v undeploy hello
expect_stderr_line "deployment 'hello': version 7 is running; --force"
check_equal 'nothing went' "$(states)" $'hello 7 running\nhello 9 -\nhello 10 active'
exec 7<&-
expect_exit 0 v upgrade --check
check_equal 'a look removes nothing' "$(states)" $'hello 7 -\nhello 9 -\nhello 10 active'
expect_exit 77 v upgrade --unchanged-exit-77
check_equal 'what ran goes, though nothing is newer' "$(states)" \
  $'hello 9 -\nhello 10 active'

# what is not whole is not deployed
release 11
numbers=$(fsverity digest "$tree/usr/numbers" | cut -d' ' -f1)
mv "$(object_file "$numbers")" "$VTREE_TMP/numbers"
expect_exit 7 v upgrade
expect_stderr_line "object $numbers is missing; .vtree fsck. shows what it is"
check 'the old one is active' v list
check_equal 'as it was' "$(readlink "$deploy/hello/active")" 10
mv "$VTREE_TMP/numbers" "$(object_file "$numbers")"
expect_exit 0 v upgrade
flip_byte "$(object_file "$(cat "$VTREE_TMP/digest.10")")"
expect_exit 6 v rollback hello
flip_byte "$(object_file "$(cat "$VTREE_TMP/digest.10")")"
mv "$repo/refs/apps/hello/10.sig" "$VTREE_TMP/10.sig"
expect_exit 3 v rollback hello
mv "$VTREE_TMP/10.sig" "$repo/refs/apps/hello/10.sig"
# an origin that names another manifest
cp -a "$deploy/hello/10/origin" "$VTREE_TMP/origin"
chmod u+w "$deploy/hello/10/origin"
sed -i "s/^manifest: .*/manifest: $(cat "$VTREE_TMP/digest.11")/" "$deploy/hello/10/origin"
expect_exit 6 v rollback hello
cp -a "$VTREE_TMP/origin" "$deploy/hello/10/origin"
check_equal 'nothing moved' "$(readlink "$deploy/hello/active")" 11
[ "$(id -u)" != 0 ] || [ "${1:-}" != user ] || chown -R 65534:65534 "$deploy"
echo nonsense >"$deploy/hello/10/origin"
expect_exit 6 v upgrade hello
expect_stderr_line "deployment 'hello': version 10: origin, line 1: .*; .vtree undeploy --force hello. removes it$"
expect_exit 6 v list
expect_exit 6 v gc
cp -a "$VTREE_TMP/origin" "$deploy/hello/10/origin"
expect_exit 0 v rollback hello

# what has expired since is run again, and it is said
v commit apps/brief "$tree" --expires=4s --quiet >/dev/null
v deploy brief apps/brief --quiet >/dev/null
v commit apps/brief "$tree" --quiet >/dev/null
v upgrade brief --quiet
has_expired() { ! v ls apps/brief@1 >/dev/null 2>&1; }
check 'it expires' wait_until 20 has_expired
expect_exit 0 v rollback brief
check 'the expiry is said' grep -q 'version 1 of apps/brief has expired since' \
  "$VTREE_TMP/stderr"
expect_exit 5 v deploy late apps/brief@1
expect_exit 7 v undeploy late
v undeploy brief --quiet

# names and refs
expect_exit 2 v deploy a/b apps/hello
expect_exit 2 v deploy ../x apps/hello
expect_exit 2 v deploy 'two words' apps/hello
expect_stderr_line "^vtree deploy: deployment name 'two words': expected is one word of"
expect_exit 2 v deploy hello "$(cat "$VTREE_TMP/digest.11")"
expect_stderr_line "^vtree deploy: a ref expected, not a manifest's digest$"
expect_exit 7 v deploy hello apps/hello@99
expect_stderr_line "^vtree deploy: .*'apps/hello': there is no version 99; .vtree log. lists them$"
v commit apps/other "$tree" --quiet >/dev/null
expect_exit 2 v deploy hello apps/other
expect_stderr_line "'hello' is deployed from apps/hello"
expect_exit 0 v deploy other apps/other
expect_exit 8 v refs --delete=apps/other
expect_stderr_line 'version 1 belongs to deployment other, where it is active; undeploy'
expect_exit 7 v upgrade absent other
check 'one that fails does not keep the others' grep -q 'other: version 1 is the newest' \
  "$VTREE_TMP/stderr"
if [ "${1:-user}" = user ]; then
  expect_exit 2 v deploy --system hello apps/hello
  expect_stderr_line 'system: only root changes'
fi
expect_exit 0 v list --system

# the end
expect_exit 7 v undeploy absent
expect_stderr_line "nothing is deployed as 'absent' in $deploy; see .vtree list."
expect_exit 7 v pin other 9
expect_stderr_line "deployment 'other': version 9 is not deployed; see .vtree list."
if [ "${1:-user}" = user ]; then
  # what can't be read may need anything
  chmod 0 "$deploy/other"
  expect_exit 1 v list
  expect_stderr_line "vtree list: deployment 'other' in $deploy: open other: Permission"
  check 'the rest is listed' grep -q '^hello ' "$VTREE_TMP/stdout"
  expect_exit 1 v gc --keep=1
  expect_stderr_line "deployment 'other' in $deploy: open other: Permission"
  expect_exit 1 v run other
  chmod 0700 "$deploy/other"
fi
expect_exit 2 v undeploy
expect_exit 0 v undeploy other
expect_exit 0 v refs --delete=apps/other
exec 7<"$deploy/hello/10/lease"
flock -s 7
expect_exit 0 v undeploy hello --force
exec 7<&-
check_equal 'nothing is left' "$(ls -A "$deploy")" ''
v deploy hello apps/hello --quiet >/dev/null
v deploy again apps/hello@11 --quiet >/dev/null
expect_exit 0 v undeploy --all
check_equal 'nor now' "$(ls -A "$deploy")" ''
