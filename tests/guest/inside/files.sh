#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# seal, check and unseal where the kernel enforces, by a plain user in a home directory of
# his own, on ext4 and on btrfs; then what the kernel refuses, and a filesystem without
# xattrs.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell of the user
. "$(dirname "$0")/../../lib/guest.sh"

# as_user COMMAND...: as $user (uid 1000), who has the home directory $home.
as_user() {
  (cd "$home" && env -i HOME="$home" PATH="$PATH" LANG=C.UTF-8 \
    setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all "$@")
}

v() {
  as_user vtree "$@"
}

# shell COMMANDS [ARGUMENT...]: in a shell of the user's.
shell() {
  local commands=$1
  shift
  as_user sh -c "$commands" sh "$@"
}

# use_home DIR: the user's home is there, by the password database, for this script.
use_home() {
  home=$1
  { cat "$VTREE_TMP/passwd.host" && echo "tester:x:1000:1000::$home:/bin/sh"; } \
    >"$VTREE_TMP/passwd"
}

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

measured() {
  as_user fsverity measure "$1" 2>/dev/null
}

has_verity() {
  [ -n "$(measured "$1")" ]
}

# attributes FILE: all that a copy has to have, but the time of the last access.
attributes() {
  stat -c '%a %u %g %s %y' "$1"
  (cd "$(dirname "$1")" && getfattr -d -m '^user\.mine' "$(basename "$1")" &&
    getfacl -n "$(basename "$1")")
  sha256sum <"$1"
}

# --- the walk-through of vtree(1) -----------------------------------------------------
walk_through() {
  shell 'echo "alias ll=ls" >.bashrc; umask 077; echo secret >.netrc'
  expect_exit 0 v seal .bashrc .netrc
  check_equal 'nothing to be noted' "$(cat "$VTREE_TMP/stderr")" ''
  check_equal 'what the kernel measures' "$(head -n 1 "$VTREE_TMP/stdout")" \
    "$(measured .bashrc)"
  expect_exit 2 shell 'echo evil >>.bashrc'
  check 'the kernel refuses it' grep -q 'Operation not permitted' "$VTREE_TMP/stderr"
  expect_exit 0 v check --all
  check_equal 'both are sealed' "$(cat "$VTREE_TMP/stdout")" \
    "sealed $home/.bashrc"$'\n'"sealed $home/.netrc"
  check_equal 'and enforced' "$(cat "$VTREE_TMP/stderr")" ''
  expect_exit 0 v check --json .bashrc
  check 'JSON tells it' grep -q '"enforced":true' "$VTREE_TMP/stdout"
  getfattr --only-values -n user.vtree-seal "$home/.bashrc" >"$VTREE_TMP/seal"
  check_equal 'named from home' "$(sed -n 2p "$VTREE_TMP/seal")" 'name: ~/.bashrc'
  { printf 'vtree-file-seal-v1\0' && sed '/^$/,$d' "$VTREE_TMP/seal"; } \
    >"$VTREE_TMP/message"
  sed '1,/^$/d' "$VTREE_TMP/seal" | cut -d' ' -f3 | base64 -d >"$VTREE_TMP/raw.sig"
  openssl pkey -in "$home/.config/vtree/private/default.pem" -pubout \
    -out "$VTREE_TMP/public.pem"
  check 'openssl verifies it' openssl pkeyutl -verify -rawin -pubin \
    -inkey "$VTREE_TMP/public.pem" -in "$VTREE_TMP/message" \
    -sigfile "$VTREE_TMP/raw.sig"
  expect_exit 0 v unseal .bashrc
  check 'it can be edited again' shell 'echo more >>.bashrc'
  expect_exit 0 v seal .bashrc --json --quiet
  check 'version 3' grep -q '"version":3' "$VTREE_TMP/stdout"
  verdict sealed .bashrc
}

# --- what the kernel keeps from nobody: names, modes, replacing ----------------------
attacks() {
  shell 'cp -a .bashrc good'
  # An editor: the same contents, a new inode.
  shell 'cp good .new && mv .new .bashrc'
  verdict unsealed .bashrc
  expect_exit 7 v check --all
  expect_stdout "^unsealed $home/.bashrc$"
  # With its seal, and a byte that is not the same.
  shell 'cp -a good .new && printf X | dd of=.new conv=notrunc status=none && mv .new .bashrc'
  verdict altered .bashrc
  shell 'cp -a good .new && : >.new && mv .new .bashrc'
  verdict altered .bashrc
  # A faithful copy is what was sealed, but not enforced.
  shell 'cp -a good .new && mv .new .bashrc'
  verdict sealed .bashrc
  check 'that is said' grep -q '1 of 1 sealed files are not enforced' "$VTREE_TMP/stderr"
  expect_exit 0 v seal .bashrc --quiet
  check 'sealing it again gives verity back' has_verity .bashrc
  # What was sealed before.
  shell 'cp -a good .new && mv .new .bashrc'
  verdict older .bashrc
  expect_exit 0 v seal .bashrc --quiet
  # The mode of a file with verity can change, its xattrs too.
  shell 'chmod 0600 .bashrc'
  verdict altered .bashrc
  shell 'chmod 0644 .bashrc'
  verdict sealed .bashrc
  shell 'getfattr --only-values -n user.vtree-seal .bashrc >seal'
  shell 'setfattr -n user.vtree-seal \
    -v "0s$(getfattr --only-values -n user.vtree-seal .netrc | base64 -w0)" .bashrc'
  verdict untrusted .bashrc
  shell 'setfattr -x user.vtree-seal .bashrc'
  verdict unsealed .bashrc
  check 'how that can be' grep -q 'fs-verity and no seal' "$VTREE_TMP/stderr"
  shell 'setfattr -n user.vtree-seal -v "0s$(base64 -w0 seal)" .bashrc'
  verdict sealed .bashrc
  # Another sealed file moved over it, by itself and by a symlink.
  shell 'cp -a .bashrc seal; mv .bashrc away; cp -a .netrc .bashrc'
  verdict untrusted .bashrc
  shell 'rm .bashrc; ln -s .netrc .bashrc'
  verdict unsealed .bashrc
  shell 'rm .bashrc; mv away .bashrc'
  verdict sealed .bashrc
  # A detached seal of another file, or of an older state.
  shell 'echo one >det'
  expect_exit 0 v seal --detached det
  check 'verity with a detached seal' has_verity det
  verdict sealed det
  shell 'cp det.vsig old.vsig'
  expect_exit 0 v seal --detached det
  shell 'cp old.vsig det.vsig'
  verdict older det
  shell 'getfattr --only-values -n user.vtree-seal .netrc >det.vsig'
  verdict untrusted det
  shell 'rm det.vsig'
  verdict unsealed det
  expect_exit 0 v unseal det
  check 'unsealed all the same' shell 'echo two >>det'
}

# --- the disk -------------------------------------------------------------------------
damage() {
  shell 'seq 1 5000 >damaged; seq 1 5000 >headless'
  expect_exit 0 v seal damaged headless
  corrupt "$home/damaged" 5000
  expect_exit 1 shell 'cat damaged >/dev/null'
  verdict sealed damaged # the kernel gives no other bytes
  expect_exit 1 v unseal damaged
  expect_stderr_line 'Input/output error'
  check 'what is bad is not copied' has_verity damaged
  check 'no half copy stays' shell 'test -z "$(find . -name ".tmp-*")"'
  corrupt "$home/headless" descriptor
  verdict altered headless
  shell 'rm damaged headless'
  expect_exit 0 v unseal damaged headless
}

# --- what unseal leaves ---------------------------------------------------------------
copies() {
  local before
  shell 'seq 1 100000 >big; truncate -s 3M big; chmod 0640 big
    setfattr -n user.mine -v yours big; setfacl -m u:0:r big; touch -d @1000000000.5 big'
  before=$(attributes "$home/big")
  expect_exit 0 v seal big --quiet
  check 'sealing changes nothing else' test "$(attributes "$home/big")" = "$before"
  expect_exit 0 v unseal big
  check_equal 'nor does unsealing' "$(attributes "$home/big")" "$before"
  check 'without verity' test -z "$(measured big)"
  check 'without a seal' shell '! getfattr -n user.vtree-seal big 2>/dev/null'
  check 'to be written to' shell 'echo more >>big'
  check 'nothing is left over' shell 'test -z "$(find . -name ".tmp-*")"'
  # The directory's default ACL is not the file's.
  shell 'mkdir acl; echo x >acl/x; chmod 0600 acl/x; setfacl -d -m u:0:rwx acl'
  before=$(attributes "$home/acl/x")
  expect_exit 0 v seal acl/x --quiet
  expect_exit 0 v unseal acl/x
  check_equal 'no ACL is inherited' "$(attributes "$home/acl/x")" "$before"
  shell 'echo x >link1; ln link1 link2'
  expect_exit 0 v seal link1
  expect_exit 0 v unseal link1
  check 'the other name is told' grep -q 'other names (1 hard links)' "$VTREE_TMP/stderr"
  check 'and is sealed' has_verity link2
  check 'and this is not' test -z "$(measured link1)"
  verdict untrusted link2
  shell 'echo text >readonly; chmod 0444 readonly; : >empty'
  expect_exit 0 v seal readonly empty
  check 'read-only and empty files' eval 'has_verity readonly && has_verity empty'
  check_equal 'the mode as it was' "$(stat -c %a "$home/readonly")" 444
  verdict sealed readonly empty
  expect_exit 0 v unseal readonly empty
  check_equal 'and after' "$(stat -c %a "$home/readonly")" 444
}

# --- verity that was there, and what forbids it ---------------------------------------
refusals() {
  shell 'for f in plain salt sha512 half; do echo $f >$f; done
    fsverity enable plain && fsverity enable --salt=ab12 salt &&
    fsverity enable --hash-alg=sha512 sha512 && fsverity enable half'
  verdict unsealed half
  expect_exit 0 v seal plain sha512 half
  check_equal 'as it was enabled' "$(sed -n 2p "$VTREE_TMP/stdout")" "$(measured sha512)"
  verdict sealed plain sha512 half
  expect_exit 1 v seal salt
  expect_stderr_line 'a salt or other blocks.*vtree unseal'
  expect_exit 0 v unseal salt
  expect_exit 0 v seal salt
  verdict sealed salt
  # Somebody writes to it.
  shell 'echo x >busy; exec 3>>busy; echo $$ >pid; exec sleep 100' &
  wait_until 20 test -s "$home/pid"
  expect_exit 8 v seal busy
  expect_stderr_line "open for writing by process $(cat "$home/pid") \\(sleep\\)"
  kill "$(cat "$home/pid")"
  wait || true
  verdict unsealed busy
  expect_exit 0 v seal busy
  shell 'echo x >fixed'
  chattr +i "$home/fixed"
  expect_exit 1 v seal fixed
  expect_stderr_line 'immutable'
  chattr -i "$home/fixed"
  echo x >"$home/roots"
  chmod 0644 "$home/roots"
  expect_exit 1 v seal roots
  expect_stderr_line 'may not write'
  echo 1 >/proc/sys/fs/verity/require_signatures
  expect_exit 1 v seal fixed
  expect_stderr_line 'require_signatures'
  echo 0 >/proc/sys/fs/verity/require_signatures
  expect_exit 0 v seal fixed
  # Root seals a user's file, by its own name for it.
  expect_exit 0 as_isolated_root vtree key generate --quiet
  expect_exit 0 as_isolated_root vtree seal "$home/roots"
  expect_exit 0 as_isolated_root vtree check "$home/roots"
  verdict untrusted roots
  cat /etc/vtree/private/default.pem >"$VTREE_TMP/root.pem"
  openssl pkey -in "$VTREE_TMP/root.pem" -pubout -out "$VTREE_TMP/root.pub"
  chmod 0644 "$VTREE_TMP/root.pub"
  expect_exit 0 v key trust --ref=@files "$VTREE_TMP/root.pub" --quiet
  verdict untrusted roots
  verdict sealed roots --as="$home/roots"
  expect_exit 1 v unseal roots
  expect_stderr_line 'belongs to uid 0'
}

# --- the home directory moves ---------------------------------------------------------
moves() {
  mv "$home" "$home.moved"
  use_home "$home.moved"
  expect_exit 0 v check --all --quiet
  expect_stdout "^sealed $home/.bashrc$"
}

# --- a kill at every step -------------------------------------------------------------
# killed CALL N VERB: kills vtree VERB before its Nth CALL.
killed() {
  local status=0
  as_user strace -f -o /dev/null -e trace="$1" -e inject="$1:signal=KILL:when=$2" \
    vtree "$3" k >/dev/null 2>&1 || status=$?
  check "$3 is killed at $1 $2" test "$status" -ge 128
  check_equal 'nothing is lost' "$(cat "$home/k")" kept
}

# tests/cli/seal-crash.sh has all the calls; here those between which verity comes and
# goes: ioctl 2 enables, 3 measures.
kills() {
  local at
  shell 'echo kept >k'
  for at in ioctl:2 ioctl:3 fsync:1 /^rename:2; do
    killed "${at%:*}" "${at#*:}" seal
    expect_exit 0 v seal --quiet k
    check 'it has verity' has_verity k
    verdict sealed k
    expect_exit 0 v unseal k
  done
  for at in fsetxattr:1 /^rename:1 /^rename:2; do
    shell 'setfattr -n user.mine -v x k'
    v seal --quiet k >/dev/null
    killed "${at%:*}" "${at#*:}" unseal
    expect_exit 0 v unseal k
    check 'it is ordinary' shell 'printf "" >>k && ! getfattr -n user.vtree-seal k'
    verdict unsealed k
  done
  shell 'rm -f .tmp-* k'
}

# --- no verity, no xattrs -------------------------------------------------------------
without() {
  mkfs.vfat "$GUEST_SPARE_DEV" >/dev/null
  mkdir "$VTREE_TMP/vfat"
  mount -t vfat -o uid=1000,gid=1000 "$GUEST_SPARE_DEV" "$VTREE_TMP/vfat"
  shell 'echo text >"$1"' "$VTREE_TMP/vfat/file"
  expect_exit 0 v seal "$VTREE_TMP/vfat/file"
  check 'no verity is said' grep -q 'vfat has no fs-verity' "$VTREE_TMP/stderr"
  check 'where the seal is is said' grep -q 'its seal is .*file.vsig' "$VTREE_TMP/stderr"
  verdict sealed "$VTREE_TMP/vfat/file"
  shell 'echo more >>"$1"' "$VTREE_TMP/vfat/file"
  verdict altered "$VTREE_TMP/vfat/file"
  umount "$VTREE_TMP/vfat"
}

cp /etc/passwd "$VTREE_TMP/passwd.host"
cp /etc/passwd "$VTREE_TMP/passwd"
chmod 0644 "$VTREE_TMP/passwd"
bind_over "$VTREE_TMP/passwd" /etc/passwd
use_btrfs
for fs in ext4 btrfs; do
  dir=$VTREE_TMP/home
  [ $fs = ext4 ] || dir=$GUEST_BTRFS/home
  mkdir -m 0755 "$dir"
  mkdir -m 0700 "$dir/u"
  chown 1000:1000 "$dir/u"
  use_home "$dir/u"
  echo "== $fs: $(stat -f -c %T "$home")"
  v key generate --quiet >/dev/null
  walk_through
  if [ $fs = ext4 ] || [ "$VTREE_CAMPAIGN" = full ]; then
    copies
    kills
  fi
  if [ $fs = ext4 ]; then
    attacks
    refusals
    damage
  fi
  moves
done
without
