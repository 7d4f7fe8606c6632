#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of deploy, upgrade, rollback and gc at 100 random moments each (a tenth: 10),
# spread over the time that its last whole run took. After each: `active` names a version
# that is there with its origin, its manifest and all its objects; what it exports is
# there, and nothing else; and the next command does what it always does.
. "$(dirname "$0")/repository.sh"
# shellcheck source=tests/cli/exported.sh
. "$VTREE_SOURCE_DIR/tests/cli/exported.sh"

moments=10
[ "$VTREE_CAMPAIGN" != full ] || moments=100
data=${repo%/repo}
deploy=$data/deploy exports=$data/exports
app=org.example.Hello

# --- what is killed -------------------------------------------------------------------

as_who vtree init --quiet >/dev/null 2>&1
for version in 1 2 3 4; do
  make_exports "$VTREE_TMP/tree" "$app" "$version"
  make_random_tree "$VTREE_TMP/tree/data" "$version" 60
  v commit app "$VTREE_TMP/tree" --quiet >"$VTREE_TMP/digest.$version"
  v deploy "$app" app --quiet >/dev/null
  exported >"$VTREE_TMP/all.$version"
done
: >"$VTREE_TMP/all."
v undeploy --all --quiet

# keep NAME: as it is now, for `restore NAME`.
keep() {
  rm -rf "$VTREE_TMP/state.$1"
  cp -a "$data" "$VTREE_TMP/state.$1"
}
restore() {
  rm -rf "$data/repo" "$data/deploy" "$data/exports"
  cp -a "$VTREE_TMP/state.$1/." "$data/"
}
keep deploy
v deploy "$app" app@2 --quiet >/dev/null
v deploy "$app" app@3 --quiet >/dev/null
keep upgrade
v upgrade --quiet
keep rollback
keep gc # two versions are nobody's

# --- what must be ---------------------------------------------------------------------

# origin_of VERSION: its origin, read by nothing of ours, is whole and that version's.
origin_of() {
  local origin=$deploy/$app/$1/origin
  [ "$(sed -E -n '1{/^vtree-deployment 1$/p};2{/^repository: \/.+$/p}
    3{/^ref: app$/p};6{/^size: [1-9][0-9]*$/p};7{/^key: [0-9a-f]{64}$/p}
    8{/^deployed: 2[0-9-]+T[0-9:]+Z$/p}' "$origin" | wc -l)" = 6 ] &&
    [ "$(wc -l <"$origin")" = 8 ] && grep -qx "version: $1" "$origin" &&
    grep -qx "manifest: $(cat "$VTREE_TMP/digest.$1")" "$origin"
}

# sound VERSION...: one of these is active ('' for none), and whole.
sound() {
  local active
  active=$(readlink "$deploy/$app/active" || true)
  case " $* " in *" ${active:-none} "*) ;; *) echo "active is '$active'" && return 1 ;; esac
  diff <(exported | grep -v ' nowhere$' || true) "$VTREE_TMP/all.$active" || return 1
  [ -z "$active" ] || {
    [ -d "$deploy/$app/$active/files" ] && origin_of "$active" && v verify "app@$active"
  }
}

# ends_as VERSION: the next command has left it so.
ends_as() {
  sound "$1" && [ "$(readlink "$deploy/$app/active")" = "$1" ] &&
    ! grep -q ' nowhere$' <<<"$(exported)" && v list && v fsck &&
    [ -z "$(find "$deploy" -name '.tmp-*')" ]
}

# --- the moments ----------------------------------------------------------------------

# measure STATE VERB...: $microseconds that it takes, the median of five.
measure() {
  local state=$1 started
  shift
  microseconds=$(for _ in 1 2 3 4 5; do
    restore "$state"
    started=${EPOCHREALTIME/./}
    as_who timeout --foreground --signal=KILL 100 vtree "$@" --quiet >/dev/null 2>&1
    echo $((${EPOCHREALTIME/./} - started))
  done | sort -n | sed -n 3p)
  echo "$1 takes $microseconds us"
}

# after_kill MOMENT END ALLOWED VERB...: all that is to be looked at, then the next command,
# which leaves version END.
after_kill() {
  local name=$1 end=$2 allowed=$3
  shift 3
  # shellcheck disable=SC2086 # versions
  check "$name: the active version is whole" sound $allowed
  check "$name: fsck" v fsck
  check "$name: the next command" v "$@" --quiet
  check "$name: recovered" ends_as "$end"
}

# campaign STATE END ALLOWED VERB... [-- NEXT...]
campaign() {
  local state=$1 end=$2 allowed=$3 i part after started status killed=0
  local -a verb=() next=()
  shift 3
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    verb+=("$1")
    shift
  done
  next=("${verb[@]}")
  [ $# = 0 ] || next=("${@:2}")
  measure "$state" "${verb[@]}"
  # More moments, where a machine that was busy as it was measured lets too much be done.
  for ((i = 1; i <= moments || (killed * 3 < moments && i <= moments * 4); i++)); do
    # uniform over the whole duration, one in each of as many equal parts
    part=$(((i - 1) % moments + 1))
    after=$(((part * 32768 - RANDOM) * microseconds / (32768 * moments)))
    restore "$state"
    status=0
    started=${EPOCHREALTIME/./}
    as_who timeout --foreground --signal=KILL \
      "$((after / 1000000)).$(printf %06d $((after % 1000000)))" \
      vtree "${verb[@]}" --quiet >/dev/null 2>&1 || status=$?
    case $status in
      0 | 124) # 124: it was done when the time was up
        microseconds=$((${EPOCHREALTIME/./} - started))
        ;;
      137) killed=$((killed + 1)) ;;
      *) fail "${verb[0]} $i after $after us: killed or done" "exit $status" ;;
    esac
    after_kill "${verb[0]} $i after $after us" "$end" "$allowed" "${next[@]}"
  done
  echo "killed $killed of $((i - 1))"
  check "${verb[0]}: at least one in three was really killed" [ $((killed * 3)) -ge "$moments" ]
}

campaign deploy 4 'none 4' deploy "$app" app
campaign upgrade 4 '3 4' upgrade
campaign rollback 3 '3 4' rollback "$app" -- rollback "$app" 3
campaign gc 4 4 gc --keep=1
check_equal 'gc has done its work' "$(v refs)" 'app 4 2'
