#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# seal, check, unseal: the verdicts, and each way to pass off another file. Where there is
# no fs-verity files are signed only; tests/guest has the kernel's part.
# shellcheck source=tests/cli/who.sh
. "$(dirname "$0")/who.sh"

home=$VTREE_TMP/${1:-user}
as_who mkdir -p "$home/d"
d=$home/d
attr=user.vtree-seal

# put FILE TEXT...: a new inode with that text, as an editor's.
put() {
  local file=$1
  shift
  # shellcheck disable=SC2016 # expanded by that shell
  as_who sh -c 'printf "%s\n" "$2" >"$1.new" && chmod 0644 "$1.new" && mv "$1.new" "$1"' \
    sh "$file" "$*"
}

# verdict WORD FILE...: check says so, and exits with its code.
verdict() {
  local word=$1 code
  shift
  case $word in
    sealed) code=0 ;; failed) code=1 ;; untrusted) code=3 ;; older) code=4 ;;
    altered) code=6 ;; *) code=7 ;;
  esac
  expect_exit "$code" v check "$@"
  expect_stdout "^$word "
}

get_seal() {
  getfattr --only-values -n $attr -- "$1"
}

# put_seal FILE: what comes on standard input becomes its seal.
put_seal() {
  setfattr -n $attr -v "0s$(base64 -w0)" -- "$1"
}

v key generate --quiet >/dev/null
put "$d/a" first
expect_exit 0 v seal "$d/a"
check 'it prints what fsverity prints' \
  test "$(cat "$VTREE_TMP/stdout")" = "$(fsverity digest "$d/a")"
check 'without fs-verity it says so' grep -q 'signed only: .* has no fs-verity' \
  "$VTREE_TMP/stderr"
verdict sealed "$d/a"
check 'check too' grep -q '1 of 1 sealed files are not enforced' "$VTREE_TMP/stderr"
expect_exit 0 v check --all --quiet --json
check 'JSON' json '(d["schema"] == 1 and [(f["verdict"], f["logged"], f["reason"],
  f["seal"]["version"], f["seal"]["mode"]) for f in d["files"]]
  == [("sealed", True, None, 1, "0644")])'

# openssl agrees about what is signed, and a root statement is signed otherwise.
get_seal "$d/a" >"$VTREE_TMP/seal"
{
  printf 'vtree-file-seal-v1\0'
  sed '/^$/,$d' "$VTREE_TMP/seal"
} >"$VTREE_TMP/message"
sed '1,/^$/d' "$VTREE_TMP/seal" | cut -d' ' -f3 | base64 -d >"$VTREE_TMP/raw.sig"
openssl pkey -in "$config/private/default.pem" -pubout -out "$VTREE_TMP/default.pem"
chmod 0644 "$VTREE_TMP/default.pem"
check 'openssl verifies it' openssl pkeyutl -verify -rawin -pubin \
  -inkey "$VTREE_TMP/default.pem" -in "$VTREE_TMP/message" -sigfile "$VTREE_TMP/raw.sig"
check_equal 'the name is the place' "$(sed -n 2p "$VTREE_TMP/seal")" "name: $d/a"

# --- contents, mode, size ----------------------------------------------------------
cp -a "$d/a" "$VTREE_TMP/a.good"
restore() {
  as_who rm -rf "$d/a"
  cp -a "$VTREE_TMP/a.good" "$d/a"
}
flip_byte "$d/a"
verdict altered "$d/a"
restore
verdict sealed "$d/a"
truncate -s 2 "$d/a"
verdict altered "$d/a"
check 'both sizes are told' grep -q 'it has 2 bytes, and 6 were sealed' "$VTREE_TMP/stderr"
restore
chmod 0640 "$d/a"
verdict altered "$d/a"
check 'both modes are told' grep -q 'mode is 0640, and 0644' "$VTREE_TMP/stderr"
chmod 4644 "$d/a"
verdict altered "$d/a"
restore

# --- an editor's rename, removal, a symlink ----------------------------------------
put "$d/a" edited
verdict unsealed "$d/a"
check 'it knows better' grep -q 'you sealed it' "$VTREE_TMP/stderr"
expect_exit 7 v check --all
expect_stdout "^unsealed $d/a$"
expect_exit 7 v check -r "$d"
expect_stdout "^unsealed $d/a$"
rm "$d/a"
verdict missing "$d/a"
expect_exit 7 v check --all
expect_stdout "^missing $d/a$"
expect_exit 7 v check -r "$home"
expect_stdout "^missing $d/a$"
put "$d/b" other
v seal --quiet "$d/b" >/dev/null
as_who ln -s b "$d/a"
verdict unsealed "$d/a"
check 'a symlink has no seal' grep -q "symbolic link to 'b'" "$VTREE_TMP/stderr"
expect_exit 7 v check -r "$d"
expect_stdout "^unsealed $d/a$"
expect_stdout "^sealed $d/b$"
restore
verdict sealed "$d/a" "$d/b"

# A directory that is exchanged for a link to another one.
as_who mkdir "$home/e"
put "$home/e/a" 'not this one'
v seal --quiet "$home/e/a" >/dev/null
mv "$d" "$d.away"
ln -s e "$d"
verdict untrusted "$d/a"
check 'whose seal it is' grep -q "is for another file, '$home/e/a'" "$VTREE_TMP/stderr"
rm "$d"
mv "$d.away" "$d"
# ".." behind a link is what the kernel makes of it.
as_who ln -s e "$home/link"
verdict sealed "$home/link/../d/a"

# --- another file, another seal ----------------------------------------------------
cp -a "$d/b" "$d/a.tmp"
mv "$d/a.tmp" "$d/a"
verdict untrusted "$d/a"
restore
get_seal "$d/b" | put_seal "$d/a"
verdict untrusted "$d/a"
verdict untrusted "$d/a" --as=nothing
expect_exit 6 v check "$d/a" --as="$d/b"
restore
mv "$d/a" "$d/moved"
verdict untrusted "$d/moved"
verdict sealed "$d/moved" --as="$d/a"
expect_exit 0 v seal --quiet "$d/moved"
verdict sealed "$d/moved"
rm "$d/moved"
expect_exit 0 v unseal "$d/moved"
check 'a deleted file is forgotten' grep -q 'no such file any more' "$VTREE_TMP/stderr"
expect_exit 7 v unseal "$d/moved"
restore
verdict sealed "$d/a"

# --- versions ----------------------------------------------------------------------
expect_exit 0 v unseal "$d/a"
verdict unsealed "$d/a"
expect_exit 0 v check --all
check_equal 'out of the log' "$(grep -c "$d/a\$" "$VTREE_TMP/stdout")" 0
expect_exit 7 v unseal "$d/a"
expect_stderr_line 'it is not sealed'
restore
verdict older "$d/a"
put "$d/a" second
expect_exit 0 v seal "$d/a" --quiet --json
check 'the version goes on' json 'd["files"][0]["version"] == 3'
verdict sealed "$d/a"
restore
verdict older "$d/a"
check 'both versions are told' grep -q 'version 1, and 3 was accepted' "$VTREE_TMP/stderr"
expect_exit 0 v seal "$d/a" --quiet
verdict sealed "$d/a"
cp -a "$d/a" "$VTREE_TMP/a.good"

# Two seals of one version: the first that was accepted counts.
cp -a "$state/." "$VTREE_TMP/state"
v seal "$d/a" --quiet >/dev/null
cp -a "$d/a" "$VTREE_TMP/a.five"
rm -rf "${state:?}"/*
cp -a "$VTREE_TMP/state/." "$state"
restore
sleep 1.1
v seal "$d/a" --quiet >/dev/null
verdict sealed "$d/a"
cp -a "$d/a" "$VTREE_TMP/a.good"
cp -a "$VTREE_TMP/a.five" "$d/a.tmp"
mv "$d/a.tmp" "$d/a"
verdict older "$d/a"
check 'that is told' grep -q 'another seal has been accepted as version 5' \
  "$VTREE_TMP/stderr"
restore

# --- who signed --------------------------------------------------------------------
v key generate other --quiet >/dev/null
id=$(openssl pkey -in "$config/private/other.pem" -pubout -outform DER | tail -c 32 |
  sha256sum | cut -d' ' -f1)
put "$d/c" text
expect_exit 0 v seal "$d/c" --key=other --quiet
verdict sealed "$d/c"
v key distrust "$id" --quiet
verdict untrusted "$d/c"
check 'who signed it' grep -q "by key $id, which is not trusted" "$VTREE_TMP/stderr"
v key export other >"$VTREE_TMP/other.pem"
chmod 0644 "$VTREE_TMP/other.pem"
verdict sealed "$d/c" --key-file="$VTREE_TMP/other.pem"
verdict untrusted "$d/c" --key-file="$VTREE_TMP/default.pem"
expect_exit 0 v seal "$d/c" --key=other
check 'sealing says that nobody here trusts it' grep -q 'will refuse it' \
  "$VTREE_TMP/stderr"
v key trust --ref=app/x "$VTREE_TMP/other.pem" --quiet >/dev/null
verdict untrusted "$d/c"
check 'what it may sign' grep -q "only refs under 'app/x'" "$VTREE_TMP/stderr"
expect_exit 0 v key trust --ref=@files "$VTREE_TMP/other.pem"
check 'where files have their keys' test -e "$config/keys.d/@files/other.pem"
verdict sealed "$d/c"
rm "$config/keys.d/app/x/other.pem"
v init --quiet >/dev/null
as_who mkdir "$home/tree"
v commit app/x "$home/tree" --key=other --quiet >/dev/null
expect_exit 3 v verify app/x
expect_stderr_line "may sign only refs under '@files'"
expect_exit 2 v commit @files "$home/tree"
expect_exit 2 v commit @files/x "$home/tree"
expect_exit 2 v key trust --ref=@files/x "$VTREE_TMP/other.pem"
v key revoke "$id" --quiet
verdict untrusted "$d/c"
check 'revoked' grep -q 'is revoked' "$VTREE_TMP/stderr"
verdict untrusted "$d/c" --key-file="$VTREE_TMP/other.pem"
expect_exit 0 v seal "$d/c" --quiet
verdict sealed "$d/c"

# A signature that was made for a ref, over the very same bytes.
get_seal "$d/c" | sed '/^$/,$d' >"$VTREE_TMP/statement"
{
  printf 'vtree-root-statement-v1\0'
  cat "$VTREE_TMP/statement"
} >"$VTREE_TMP/message"
openssl pkeyutl -sign -rawin -inkey "$config/private/default.pem" \
  -in "$VTREE_TMP/message" -out "$VTREE_TMP/raw.sig"
default=$(sed '1,/^$/d' "$VTREE_TMP/seal" | cut -d' ' -f2)
{
  cat "$VTREE_TMP/statement"
  printf '\ned25519 %s %s\n' "$default" "$(base64 -w0 "$VTREE_TMP/raw.sig")"
} | put_seal "$d/c"
verdict untrusted "$d/c"
check 'it is not over this' grep -q 'is not over this' "$VTREE_TMP/stderr"
{ cat "$VTREE_TMP/statement" && echo; } | put_seal "$d/c"
verdict untrusted "$d/c"
check 'nobody signed' grep -q 'is not signed' "$VTREE_TMP/stderr"
echo garbage | put_seal "$d/c"
verdict altered "$d/c"
expect_exit 0 v seal "$d/c" --quiet
verdict sealed "$d/c"

# --- detached ----------------------------------------------------------------------
put "$d/f" text
expect_exit 0 v seal --detached "$d/f" --quiet
check 'no xattr' test -z "$(getfattr -m - "$d/f")"
verdict sealed "$d/f"
get_seal "$d/c" >"$d/f.vsig"
verdict untrusted "$d/f"
rm "$d/f.vsig"
verdict unsealed "$d/f"
ln -s "$d/c" "$d/f.vsig"
verdict altered "$d/f"
rm "$d/f.vsig"
mkdir "$d/f.vsig"
verdict altered "$d/f"
rmdir "$d/f.vsig"
expect_exit 0 v seal --detached "$d/f" --quiet
expect_exit 2 v seal "$d/f.vsig"
expect_exit 0 v seal "$d/f" --quiet
check 'the other form goes' test ! -e "$d/f.vsig"
verdict sealed "$d/f"
expect_exit 0 v seal --detached "$d/f" --quiet
check 'and the reverse' test -z "$(getfattr -m - "$d/f")"
chmod 0600 "$d/f"
expect_exit 0 v seal --detached "$d/f" --quiet
check_equal 'who reads the file reads the seal' "$(stat -c %a "$d/f.vsig")" 600
expect_exit 0 v unseal "$d/f"
check 'unsealed' test ! -e "$d/f.vsig"

# --- names -------------------------------------------------------------------------
for name in 'a b' '100%' $'line\nname: x' $'\xff\xfe' 'naïve' '-dash' '~'; do
  put "$d/$name" "$name"
  expect_exit 0 v seal --quiet -- "$d/$name"
  expect_exit 0 v check -- "$d/$name"
done
expect_exit 0 v check -r "$d" --json
check 'bytes that are no UTF-8' json \
  'any(f.get("path_bytes", "").startswith("L") for f in d["files"])'
in_d() {
  (cd "$d" && v "$@")
}
expect_exit 0 in_d check a
expect_exit 0 in_d seal --quiet -- -dash
long=$(printf 'x%.0s' {1..255})
put "$d/y" text
as_who mv "$d/y" "$d/$long"
expect_exit 0 v seal --quiet "$d/$long"
verdict sealed "$d/$long"
expect_exit 7 v check "$d/y"
expect_exit 1 v seal --detached --quiet "$d/$long"
put "$d/g" text
expect_exit 0 v seal --as=my/name "$d/g" --quiet
verdict sealed "$d/g"
verdict untrusted "$d/g" --as="$d/g"
expect_exit 0 v seal "$d/g" --quiet
verdict sealed "$d/g" --as=my/name
expect_exit 2 v seal --as=x "$d/g" "$d/a"
expect_exit 2 v seal --as= "$d/g"
expect_exit 2 v seal --as="$(printf 'x%.0s' {1..4096})" "$d/g"

# --- what can't be sealed ----------------------------------------------------------
expect_exit 7 v seal "$d/absent"
expect_exit 7 v seal "$d/absent/x"
expect_exit 1 v seal "$d"
expect_stderr_line 'it is a directory'
as_who ln -s a "$d/symlink"
expect_exit 1 v seal "$d/symlink"
expect_stderr_line "it is a symbolic link to 'a'"
as_who mkfifo "$d/fifo"
expect_exit 1 v seal "$d/fifo"
expect_stderr_line 'it is a fifo'
put "$d/suid" text
chmod u+s "$d/suid"
expect_exit 1 v seal "$d/suid"
expect_stderr_line 'set-id'
expect_exit 7 v seal "$d/g" --key=absent
expect_exit 2 v seal
expect_exit 2 v check
expect_exit 2 v check --all "$d"
expect_exit 2 v check --unsealed "$d/a"

# What can.
as_who touch "$d/empty"
expect_exit 0 v seal "$d/empty" --quiet
verdict sealed "$d/empty"
put "$d/readonly" text
chmod 0444 "$d/readonly"
expect_exit 0 v seal "$d/readonly" --quiet
check_equal 'its mode is as it was' "$(stat -c %a "$d/readonly")" 444
verdict sealed "$d/readonly"
expect_exit 0 v unseal "$d/readonly"
check_equal 'and after, too' "$(stat -c %a "$d/readonly")" 444
put "$d/linked" text
as_who ln "$d/linked" "$d/link2"
expect_exit 0 v seal "$d/linked"
check 'hard links are told' grep -q 'has 2 names' "$VTREE_TMP/stderr"
verdict sealed "$d/linked"
verdict untrusted "$d/link2"
rm "$d/link2" "$d/suid"

# --- -r ----------------------------------------------------------------------------
put "$home/e/plain" text
expect_exit 0 v check -r "$home/e"
check_equal 'what has no seal is passed over' "$(cat "$VTREE_TMP/stdout")" \
  "sealed $home/e/a"
expect_exit 7 v check -r --unsealed "$home/e"
expect_stdout "^unsealed $home/e/plain$"
as_who mkdir "$home/nothing"
expect_exit 7 v check -r "$home/nothing"
expect_stderr_line 'nothing is sealed'
expect_exit 7 v check -r "$home/absent"

expect_exit 0 v check -r "$home/e" "$home/e"
check_equal 'one twice is no directory without seals' "$(wc -l <"$VTREE_TMP/stdout")" 2

# Somebody who has not sealed it, and so has no log, has a mark once it was accepted.
as_who mkdir "$home/r"
for name in a b c; do
  put "$home/r/$name" "text $name"
done
v seal --quiet "$home/r/a" "$home/r/b" "$home/r/c" >/dev/null
grep -l "place: .*/r/[abc]\$" "$state"/sealed/* | xargs rm
expect_exit 0 v check -r "$home/r"
put "$home/r/a" 'another file'
expect_exit 7 v check -r "$home/r"
expect_stdout "^unsealed $home/r/a$"
# shellcheck disable=SC2016 # those are in the text
check 'what to do where that is meant' grep -q 'run `vtree mark reset @files/[0-9a-f]*`' \
  "$VTREE_TMP/stderr"
v mark reset "$(grep -o '@files/[0-9a-f]*' "$VTREE_TMP/stderr")" --quiet
expect_exit 0 v check -r "$home/r"
rm "$home/r/b"
as_who ln -s c "$home/r/b"
expect_exit 7 v check -r "$home/r"
expect_stdout "^unsealed $home/r/b$"
rm "$home/r/b"
as_who mkdir "$home/r/b"
expect_exit 7 v check -r "$home/r"
rmdir "$home/r/b"
# What the log has, by the other name of the directory.
put "$home/r/d" text
v seal --quiet "$home/r/d" >/dev/null
ln -s r "$home/alias"
put "$home/r/other" text
v seal --quiet "$home/alias/other" >/dev/null
rm "$home/r/c" "$home/r/a"
put "$home/r/d" replaced
expect_exit 7 v check -r "$home/alias"
expect_stdout "^sealed $home/alias/other$"
expect_stdout "^unsealed $home/r/d$"
v unseal --quiet "$home/r/d" "$home/alias/other"
# A detached seal without its file.
put "$home/r/e" text
put "$home/r/f" text
v seal --quiet --detached "$home/r/e" "$home/r/f" >/dev/null
grep -l "place: .*/r/[ef]\$" "$state"/sealed/* | xargs rm
expect_exit 0 v check -r "$home/r"
check_equal 'both' "$(wc -l <"$VTREE_TMP/stdout")" 2
rm "$home/r/e"
expect_exit 7 v check -r "$home/r"
expect_stdout "^missing $home/r/e$"
mv "$home/r/e.vsig" "$home/r/f.vsig"
expect_exit 3 v check -r "$home/r"
rm -r "${home:?}/r" "$home/alias"

# The worst verdict is the exit status.
put "$d/w1" text
put "$d/w2" text
v seal --quiet "$d/w1" "$d/w2" >/dev/null
flip_byte "$d/w1"
put "$d/w2" text
expect_exit 6 v check "$d/w1" "$d/w2" "$d/a" "$d/absent"
check_equal 'a line for each' "$(wc -l <"$VTREE_TMP/stdout")" 4
expect_exit 7 v check "$d/w2" "$d/a"
rm "$d/w1" "$d/w2"
v unseal --quiet "$d/w1" "$d/w2"

# --- the state ---------------------------------------------------------------------
expect_exit 0 v check --all --quiet
entry=$(grep -l "place: $d/a\$" "$state"/sealed/*)
cp -p "$entry" "$VTREE_TMP/entry"
echo 'more' >>"$entry"
expect_exit 6 v check --all
expect_stderr_line 'entry [0-9a-f]* is malformed; remove it'
verdict failed "$d/a"
sed 's,/d/a$,/d/b,' "$VTREE_TMP/entry" >"$entry"
expect_exit 6 v check --all
rm "$entry"
verdict sealed "$d/a"
chmod 0777 "$state/sealed"
expect_exit 3 v check --all
expect_exit 3 v seal "$d/a" --quiet
chmod 0700 "$state/sealed"
expect_exit 0 v seal "$d/a" --quiet
expect_exit 0 v check --all --quiet

ref=@files/$(printf %s "$d/a" | sha256sum | cut -d' ' -f1)
mark=$state/marks/$ref/head
echo rubbish >"$mark"
expect_exit 1 v check --all --quiet
expect_exit 0 v mark reset "$ref"
expect_exit 0 v check --all --quiet
expect_exit 2 v mark reset @files/x
expect_exit 0 v mark show

# Somebody else seals.
is_locked() { ! flock --nonblock "$1" true; }
flock --no-fork "$state/sealed" sleep 60 &
check 'it is locked' wait_until 10 is_locked "$state/sealed"
expect_exit 8 v seal "$d/a" --wait=0 --quiet
kill %1 2>/dev/null || true
wait || true
