#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `systemd-analyze verify` has nothing to say about the units that are installed, nor about
# those that systemd makes of the fstab lines in mount.fuse.vtree(8).
# Usage: units.sh CMAKE PREFIX
. "$(dirname "$0")/../lib/lib.sh"
command -v systemd-analyze >/dev/null || skip 'systemd-analyze is not installed'

cmake=$1 prefix=${2#/}
dest=$VTREE_TMP/dest
export XDG_RUNTIME_DIR=$VTREE_TMP/run HOME=$VTREE_TMP/home
mkdir "$XDG_RUNTIME_DIR" "$HOME"
check 'installs' env DESTDIR="$dest" "$cmake" --install "$VTREE_BUILD_DIR"

# verify MANAGER UNIT...: what is said of them; nothing, if they are good.
verify() {
  systemd-analyze "--$1" --man=no verify "${@:2}" 2>&1 || echo "status $?"
}

# What has been installed stands below $dest; a unit names it as if it did not.
for manager in system user; do
  unit=$dest/$prefix/lib/systemd/$manager/vtree@.service
  copy=$VTREE_TMP/units/$manager
  mkdir -p "$copy"
  check_equal "$manager: the command" "$(grep -c "^ExecStart=/$prefix/bin/vtree " "$unit")" 1
  sed "s,^ExecStart=/,ExecStart=$dest/," "$unit" >"$copy/vtree@.service"
  check_equal "$manager: verify" "$(verify "$manager" "$copy/vtree@hello.service")" ''
  check_equal "$manager: nothing is left to be filled in" "$(grep -c '@[A-Z_]*@' "$unit")" 0
  sed -i 's/^WatchdogSec=.*/WatchdogSec=soon/' "$copy/vtree@.service"
  check "$manager: verify finds what is wrong" \
    test -n "$(verify "$manager" "$copy/vtree@hello.service")"
done

generator=/usr/lib/systemd/system-generators/systemd-fstab-generator
[ -x "$generator" ] || generator=/lib/systemd/system-generators/systemd-fstab-generator
made=$VTREE_TMP/made
mkdir -p "$made"/{normal,early,late}
sed -n 's,^\(/[^ ]*  */[^ ]*  *fuse\.vtree .* 0 0\)$,\1,p' \
  "$VTREE_SOURCE_DIR/doc/man/mount.fuse.vtree.8" | sed 's/\\-/-/g' >"$VTREE_TMP/fstab"
check_equal 'lines in the manual' "$(wc -l <"$VTREE_TMP/fstab")" 4
check 'systemd reads them' env SYSTEMD_FSTAB="$VTREE_TMP/fstab" "$generator" \
  "$made/normal" "$made/early" "$made/late"
mapfile -t units < <(find "$made/normal" -type f -name '*.*mount')
check_equal 'four mounts, one of them on demand' "${#units[@]}" 5
check_equal 'verify' "$(verify system "${units[@]}")" ''
