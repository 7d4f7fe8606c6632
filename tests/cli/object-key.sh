#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# --object-key wherever files of a repository are written: each has the built-in
# signature that the fsverity tool makes. The kernel is simulated (tests/simulated): what
# it was handed is an xattr.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

for tool in openssl fsverity getfattr; do
  command -v $tool >/dev/null || skip "no $tool"
done
bind_over "$VTREE_BUILD_DIR/tests/simulated" "$VTREE_TMP/bin"
attr=user.simulated-signature
key=$VTREE_TMP/object.pem
cert=$VTREE_TMP/object.crt
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=object -keyout "$key" -out "$cert" \
  2>/dev/null
chmod 0600 "$key"
[ "$config" = /etc/vtree ] || [ "$(id -u)" != 0 ] || chown 65534 "$key"
words=(--object-key="$key" --object-cert="$cert")
v key generate --quiet >/dev/null
make_tree "$VTREE_TMP/tree"

# own_files: what the repository has beside objects that is sealed, from its directory.
own_files() {
  (cd "$repo" && find config refs -name config -o -name '*.root' -o -name '*.sig') | sort
}

# expect_signed WHAT FILE...: these alone of own_files have a signature, and it is right.
expect_signed() {
  local what=$1 file signed='' bad=''
  shift
  for file in $(own_files); do
    getfattr --only-values -n $attr "$repo/$file" >"$VTREE_TMP/ours" 2>/dev/null || continue
    signed+=" $file"
    fsverity sign "$repo/$file" "$VTREE_TMP/theirs" --key="$key" --cert="$cert" >/dev/null
    cmp -s "$VTREE_TMP/ours" "$VTREE_TMP/theirs" || bad+=" $file"
  done
  check_equal "$what: signed" "$signed" "${*:+ $*}"
  check_equal "$what: as fsverity signs" "$bad" ''
}

expect_exit 0 v init "${words[@]}" --quiet
expect_signed init config
expect_exit 0 v config keep 7
expect_signed 'config without a key'
expect_exit 0 v config keep 8 "${words[@]}"
expect_signed 'config with a key' config
expect_exit 0 v config keep
expect_stdout '^8$'

# A statement without the kernel's signature, so that it is seen who signs what.
digest=$(v commit r "$VTREE_TMP/tree" --no-sign --quiet)
sign() {
  v sign r --manifest="$digest" --quiet "$@"
}
expect_exit 0 v config keep 9
expect_exit 0 sign --detached
check_equal 'nothing written' "$(own_files | tr '\n' ' ')" 'config refs/r/1.root '
cp "$VTREE_TMP/stdout" "$VTREE_TMP/line.sig"
chmod 0644 "$VTREE_TMP/line.sig"
expect_exit 0 sign "${words[@]}"
expect_signed sign config refs/r/1.sig
expect_exit 0 v verify r
check_equal 'as it was without' "$(cat "$repo/refs/r/1.sig")" "$(cat "$VTREE_TMP/line.sig")"
expect_exit 0 sign
expect_signed 'signed without a key' config
expect_exit 0 v sign r --attach="$VTREE_TMP/line.sig" --quiet "${words[@]}"
expect_signed 'attached' config refs/r/1.sig

# --verity=off of the repository is for commits; who asks for signatures gets them.
expect_exit 0 v config verity off "${words[@]}"
expect_exit 0 sign "${words[@]}"
expect_signed 'verity=off' config refs/r/1.sig
expect_exit 0 v fsck --seal --quiet "${words[@]}"
expect_signed 'fsck --seal' config refs/r/1.root refs/r/1.sig

# --- words, and what can't be -----------------------------------------------------------
expect_exit 2 sign --object-key="$key"
expect_stderr_line 'object-key and --object-cert belong together'
expect_exit 2 sign --detached "${words[@]}"
expect_stderr_line 'detached writes no file that --object-key could sign'
expect_exit 2 v config keep "${words[@]}"
expect_exit 7 sign --object-key="$VTREE_TMP/absent" --object-cert="$cert"

umount "$VTREE_TMP/bin"
before=$(cat "$repo/refs/r/1.sig" && getfattr --only-values -n $attr "$repo/refs/r/1.sig" | base64)
for command in sign 'v config keep 3' "v init --repo=$(dirname "$repo")/two"; do
  # shellcheck disable=SC2086 # words
  expect_exit 1 $command "${words[@]}"
  expect_stderr_line "(files are to be signed, but this file system .* has no fs-verity|\
this kernel has no built-in fs-verity signatures)"
done
check_equal 'nothing was signed' "$before" \
  "$(cat "$repo/refs/r/1.sig" && getfattr --only-values -n $attr "$repo/refs/r/1.sig" | base64)"
