#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Desktop files, icons, D-Bus services and commands of what is deployed: which of them are
# exported, that they start `vtree run`, that they are switched with the active version,
# and that the next command repairs what a killed one left.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"
# shellcheck source=tests/cli/exported.sh
. "$VTREE_SOURCE_DIR/tests/cli/exported.sh"

case ${1:-user} in
  root) data=/var/lib/vtree system='--system ' ;;
  *) data=$VTREE_USER_HOME/.local/share/vtree system='' ;;
esac
exports=$data/exports
tree=$VTREE_TMP/tree
app=org.example.Hello
run="$VTREE_TMP/bin/vtree run $system$app --"
[ "$(id -u)" = 0 ] || run="$(readlink -f "$VTREE_TMP/bin/vtree") run $app --"

# release REF [NAME VERSION]
release() {
  [ $# = 1 ] || make_exports "$tree" "$2" "$3"
  v commit "$1" "$tree" --quiet >/dev/null
}

# all_of VERSION: the names of what it exports.
all_of() {
  echo "bin/$app bin/$app-$1 share/applications/$app.desktop\
 share/dbus-1/services/$app.service share/icons/hicolor/scalable/apps/$app.svg "
}

v init --pack-threshold=0 --quiet >/dev/null 2>&1
release app "$app" 1
expect_exit 0 v deploy "$app" app
check 'it is said' grep -q "$app exports 5 files in $exports" "$VTREE_TMP/stderr"
check_equal 'all of it' "$(names)" "$(all_of 1)"
check 'the desktop file' diff - "$exports/share/applications/$app.desktop" <<DESKTOP
[Desktop Entry]
Type=Application
Name=Hello 1
Icon=$app
Categories=Utility;
TryExec=${run%% *}
Exec=$run $app --v=1 %U
X-Vtree=$app
DESKTOP
check 'the service' diff - "$exports/share/dbus-1/services/$app.service" <<SERVICE
[D-BUS Service]
Name=$app
Exec=$run /app/bin/$app --bus=1
SERVICE
check 'the icon' cmp "$tree/share/icons/hicolor/scalable/apps/$app.svg" \
  "$exports/share/icons/hicolor/scalable/apps/$app.svg"
check_equal 'the command' "$(tail -n 1 "$exports/bin/$app")" \
  "exec '${run%% *}' ${run#* } $app \"\$@\""
check 'which can be run' test -x "$exports/bin/$app"
if [ "${1:-user}" = root ]; then
  check 'everybody can read them' run_as_user cat "$exports/share/applications/$app.desktop"
fi
if command -v desktop-file-validate >/dev/null; then
  check 'a valid desktop file' desktop-file-validate \
    "$exports/share/applications/$app.desktop"
elif [ -n "${CI:-}${VTREE_REQUIRE_ALL:-}" ]; then
  fail 'desktop-file-validate is installed'
fi

# upgrade, rollback: one link is switched
release app "$app" 2
stat -c %i "$exports/share/applications/$app.desktop" >"$VTREE_TMP/inode"
expect_exit 0 v upgrade
check_equal 'what went and what came' "$(names)" "$(all_of 2)"
check 'the contents' grep -q 'Name=Hello 2' "$exports/share/applications/$app.desktop"
check_equal 'through the link that was there' \
  "$(stat -c %i "$exports/share/applications/$app.desktop")" "$(cat "$VTREE_TMP/inode")"
expect_exit 0 v rollback "$app"
check_equal 'and back' "$(names)" "$(all_of 1)"
check 'the contents too' grep -q 'Name=Hello 1' "$exports/share/applications/$app.desktop"
expect_exit 0 v upgrade "$app"

# what a hostile publisher would like
share=$tree/share
cp "$share/applications/$app.desktop" "$share/applications/org.gnome.Terminal.desktop"
ln -s /etc/passwd "$share/applications/$app.link.desktop"
mkdir "$share/applications/$app.dir.desktop"
# shellcheck disable=SC2016 # it is for the file
sed 's/Exec=.*/Exec=sh -c "$(reboot)"/' "$share/applications/$app.desktop" \
  >"$share/applications/$app.shell.desktop"
head -c 300000 /dev/zero | tr '\0' '#' >"$share/applications/$app.large.desktop"
sed 's/^Name=.*/Name=org.example.Other/' "$share/dbus-1/services/$app.service" \
  >"$share/dbus-1/services/$app.Other.service"
mkdir -p "$share/icons/hicolor/48x48/apps" "$share/icons/Adwaita/48x48/apps"
echo 'no PNG' >"$share/icons/hicolor/48x48/apps/$app.png"
cp "$share/icons/hicolor/scalable/apps/$app.svg" "$share/icons/hicolor/48x48/apps/other.svg"
cp "$share/icons/hicolor/scalable/apps/$app.svg" "$share/icons/Adwaita/48x48/apps/$app.svg"
echo x >"$share/applications/$app.a"$'\n'"b.desktop"
sed -i "s/^commands=.*/commands=$app;$app-2;sudo;$app-absent/" "$tree/vtree.ini"
cp "$tree/bin/$app" "$tree/bin/sudo"
release app
expect_exit 0 v upgrade
check_equal 'nothing more is exported' "$(names)" "$(all_of 2)"
for note in \
  'bin/sudo .*: its name does not begin with the deployment' \
  "bin/$app-absent .*: the tree has no such program" \
  'org.gnome.Terminal.desktop .*: its name does not begin with' \
  "$app.link.desktop .*: it is no regular file" \
  "$app.dir.desktop .*: it is no regular file" \
  "$app.shell.desktop .*: Exec: a '\\$' or '.' without a backslash" \
  "$app.large.desktop .*: it is too large" \
  "$app.a\\\\nb.desktop .*: its name is not one for a file everywhere" \
  "$app.Other.service .*: its Name is not a bus name, or not the file's" \
  "$app.png .*: it is no PNG" \
  '1 icons of .*: their names do not begin'; do
  check "said: $note" grep -q "^vtree upgrade: .*$note" "$VTREE_TMP/stderr"
done
echo 'exports=true' >"$tree/vtree.ini"
release app
expect_exit 0 v upgrade
check 'vtree.ini can not be read' grep -q "$app exports nothing: vtree.ini: " \
  "$VTREE_TMP/stderr"
check_equal 'nothing is exported' "$(names)" ''

# a byte that was not signed
release app "$app" 5
object=$(object_file "$(v stat "app:share/applications/$app.desktop" |
  sed -n 's/^digest: //p')")
flip_byte "$object"
expect_exit 6 v upgrade
check_equal 'nothing was switched' "$(readlink "$data/deploy/$app/active") $(names)" '4 '
flip_byte "$object"
expect_exit 0 v upgrade
check_equal 'as it was signed' "$(names)" "$(all_of 5)"

# two that could have the same names: the closer one has them
release tool "$app-5" 1
expect_exit 0 v deploy "$app-5" tool
check_equal "the other one's command" "$(readlink "$exports/bin/$app-5")" \
  "../../deploy/$app-5/active/exports/bin/$app-5"
check 'it is said' grep -q "bin/$app-5 in exports is $app-5's now" "$VTREE_TMP/stderr"
expect_exit 0 v undeploy "$app-5"
check_equal 'and back' "$(names)" "$(all_of 5)"
# what is not ours is left
rm "$exports/bin/$app"
echo mine >"$exports/bin/$app"
expect_exit 0 v deploy "$app" app
check "it is said" grep -q "bin/$app in exports is somebody else's file" "$VTREE_TMP/stderr"
check_equal 'and left' "$(cat "$exports/bin/$app")" mine
rm "$exports/bin/$app"
expect_exit 0 v upgrade
check_equal 'it is repaired' "$(names)" "$(all_of 5)"
# a tree with /usr
mkdir "$tree/usr"
mv "$tree/bin" "$tree/share" "$tree/usr/"
release app
expect_exit 0 v upgrade
check_equal 'the same from /usr' "$(names | wc -w)" 5
expect_exit 0 v undeploy --all
check_equal 'nothing is left' "$(ls -A "$exports")" ''

# --- killed at every call that changes a name -----------------------------------------

[ "${1:-user}" = user ] || exit 0
command -v strace >/dev/null || skip 'no strace'
as_who strace -f -o /dev/null -e inject=getppid:signal=KILL true 2>/dev/null ||
  skip "no ptrace here, or a strace that can't kill"
for version in 1 2; do
  release killed "$app" "$version"
done
v deploy "$app" killed@1 --quiet >/dev/null
exported >"$VTREE_TMP/all.1"
v deploy "$app" killed@2 --quiet >/dev/null
exported >"$VTREE_TMP/all.2"
: >"$VTREE_TMP/all."

# killed CALL N VERB...: kills it at its Nth call; fails when it had no so many.
killed() {
  local call=$1 n=$2 status=0
  shift 2
  local -x ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
  as_who strace -f -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$n" \
    vtree "$@" >/dev/null 2>&1 || status=$?
  [ "$status" -ge 128 ]
}

# sound: all that the active version exports is there; any other link leads nowhere.
sound() {
  diff <(exported | grep -v ' nowhere$' || true) \
    "$VTREE_TMP/all.$(readlink "$data/deploy/$app/active" || true)"
}

# every_moment VERSION VERB...: from where VERSION ('' for none) is active.
every_moment() {
  local version=$1 call n bad='' moments=0 step
  shift
  v undeploy --all --quiet
  [ -z "$version" ] || v deploy "$app" "killed@$version" --quiet >/dev/null
  rm -rf "$VTREE_TMP/before"
  cp -a "$data" "$VTREE_TMP/before"
  for call in renameat renameat2 symlinkat unlinkat syncfs; do
    step=1
    [ "$call" != unlinkat ] || step=4 # of the many that only tidy up
    for ((n = 1; ; n += step)); do
      rm -rf "$data/deploy" "$data/exports"
      cp -a "$VTREE_TMP/before/." "$data/"
      killed "$call" "$n" "$@" || break
      moments=$((moments + 1))
      sound >"$VTREE_TMP/out" 2>&1 || bad+=" $call:$n:exports"
      v unpin absent --quiet >"$VTREE_TMP/out" 2>&1 || true # any command that changes
      sound >"$VTREE_TMP/out" 2>&1 && ! grep -q ' nowhere$' <<<"$(exported)" ||
        bad+=" $call:$n:repaired"
    done
  done
  check_equal "$*: sound after each of $moments kills" "$bad" ''
  check "$*: there were some" [ "$moments" -ge 8 ]
}

every_moment 1 deploy "$app" killed@2
every_moment 2 undeploy "$app"
