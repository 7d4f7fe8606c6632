#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# boot.sh NAME: boots the guest for tests/guest/inside/NAME.sh, shows what that prints,
# and exits as it does.
# boot.sh --shell: a shell in the guest, on this terminal; `exit` ends it.
#
# Every boot has disks of its own: the root and what is built (both thrown away), an ext4
# one with the verity feature, a btrfs one, and one without anything. The guest talks
# through two virtio ports: `log` is the script's output, `control` says
#   end STATUS       the script has ended
#   cut [ARGUMENT]   cut the power now and boot again on the same disks; the argument is
#                    for the kernel's command line
# It is killed when it has said its last, after VTREE_GUEST_TIMEOUT seconds (300), or when
# this script dies. A script may have comments:
#   # guest-append: ARGUMENTS    for the kernel's command line
#   # guest-memory: MEGABYTES    (1536)
. "$(dirname "${BASH_SOURCE[0]}")/host.sh"
require_machine qemu-system-x86_64 setpriv
[ -f "$root/root.img" ] || skip 'there is no root (guest/root makes it)'
[ -f "$work/vtree.img" ] || skip 'nothing is built (guest/build does it)'

name=$1
script=$guest_dir/inside/$name.sh
timeout=${VTREE_GUEST_TIMEOUT:-300}
qemu=

directive() {
  [ "$name" = --shell ] || sed -n "s/^# guest-$1: *//p" "$script"
}

leave() {
  [ -z "$qemu" ] || kill -KILL "$qemu" 2>/dev/null || true
  rm -rf --one-file-system "$run"
}

disk() {
  options+=(-drive "if=virtio,format=raw,cache=unsafe,file=$1${2:+,$2}")
}

make_disks() {
  cp --sparse=always "$root/ext4.img" "$root/btrfs.img" "$run/"
  truncate -s 1G "$run/spare.img"
  options=()
  disk "$root/root.img" snapshot=on
  disk "$work/vtree.img" readonly=on
  disk "$run/ext4.img"
  disk "$run/btrfs.img"
  disk "$run/spare.img"
}

# start PHASE [ARGUMENT]: qemu, in the background.
start() {
  local append memory in talk=()
  append="console=ttyS0 panic=-1 oops=panic mitigations=off loglevel=4"
  # What hardens a kernel by writing or checking more takes a tenth of the time here.
  append+=" init_on_alloc=0 hardened_usercopy=off randomize_kstack_offset=off"
  append+=" vtree.run=$name vtree.phase=$1 vtree.ci=${CI:+1}${VTREE_REQUIRE_ALL:+1}"
  append+=" vtree.campaign=${VTREE_CAMPAIGN:-tenth}"
  append+=" $(directive append) ${2:-}"
  memory=$(directive memory)
  if [ "$name" = --shell ]; then
    talk=(-serial mon:stdio)
    exec {in}<&0
  else
    talk=(-serial "file:$run/console" -device virtio-serial-pci
      -chardev "file,id=log,path=/dev/fd/$out"
      -device "virtserialport,chardev=log,name=log"
      -chardev "file,id=control,path=$run/control"
      -device "virtserialport,chardev=control,name=control")
    exec {in}</dev/null
  fi
  # Two processors in one thread: a thread for each only keeps another test waiting.
  setpriv --pdeathsig KILL qemu-system-x86_64 -machine q35 -accel tcg,thread=single \
    -cpu qemu64,+rdrand -smp 2 -m "${memory:-1536}" -nodefaults -no-reboot -display none \
    -kernel "$root/vmlinuz" -initrd "$root/initrd" -append "$append" \
    "${options[@]}" "${talk[@]}" <&"$in" &
  qemu=$!
  exec {in}<&-
}

stop() {
  kill -KILL "$qemu" 2>/dev/null || true
  wait "$qemu" 2>/dev/null || true
  qemu=
}

# finish: nothing of the script's output is under way.
finish() {
  stop
  exec {out}>&-
  wait "$reader" || true
}

# broken REASON: the guest itself failed.
broken() {
  finish
  # The emulator's fault, once in many boots: a kernel that patches its own code while
  # the other processor runs it.
  if [ -z "${VTREE_GUEST_AGAIN:-}" ] && grep -q 'int3' "$run/console"; then
    echo 'the emulated kernel died of patching its own code; once more'
    leave
    VTREE_GUEST_AGAIN=1 exec "$BASH" "$0" "$name"
  fi
  echo "the guest of '$name' $1; the end of its console:"
  tail -n 60 "$run/console" | tr -d '\r' | sed 's/^/    /'
  exit 1
}

# listen: the next line from the guest, in $word and $argument.
listen() {
  local line='' part
  # What has come when the time is up is part of a line; the rest follows.
  until read -r -t 1 part <&"$control"; do
    line+=$part
    [ "$SECONDS" -lt "$timeout" ] || broken "did not end within $timeout seconds"
    kill -0 "$qemu" 2>/dev/null || broken 'died'
  done
  read -r word argument <<<"$line$part"
}

run_script() {
  local phase=1 word argument control out reader
  [ -f "$script" ] || { echo "there is no $script" >&2 && exit 2; }
  # Not our output itself, which qemu would open anew and a file truncate.
  exec {out}> >(exec cat)
  reader=$!
  mkfifo "$run/control"
  exec {control}<>"$run/control"
  start "$phase"
  listen
  while [ "$word" = cut ]; do
    stop
    mv "$run/console" "$run/console.before"
    phase=$((phase + 1))
    start "$phase" "$argument"
    listen
  done
  finish
  [ "$word" = end ] || broken "said '$word $argument'"
  exit "$argument"
}

run=$(mktemp -d "${TMPDIR:-/tmp}/vtree-guest.XXXXXX")
trap leave EXIT
trap 'exit 143' TERM INT HUP
make_disks
if [ "$name" = --shell ]; then
  start 1
  wait "$qemu"
else
  run_script
fi
