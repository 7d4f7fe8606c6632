#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An application's tree from Debian packages that are installed on this machine: their
# files, and those of all that they depend on, below /usr and /etc, as `vtree run` takes
# them for a root.
#
#   application-tree.sh [--command=WORDS] PACKAGE... DIR
#
# DIR is made. WORDS are vtree.ini's command. What Debian takes for granted (a shell,
# coreutils) has to be named. Needs no privilege and no network. Left out: manuals,
# translations, and what packages make when they are installed (caches, alternatives).
set -euo pipefail
export LC_ALL=C
umask 022

command=
while [ $# -gt 0 ]; do
  case $1 in
    --command=*) command=${1#*=} ;;
    -*) set -- ;;
    *) break ;;
  esac
  shift $(($# > 0))
done
if [ $# -lt 2 ]; then
  echo "usage: $0 [--command=WORDS] PACKAGE... DIR" >&2
  exit 2
fi
dir=${!#}
set -- "${@:1:$#-1}"

# installed PACKAGE...: they and all that they depend on, as far as it is installed.
installed() {
  # shellcheck disable=SC2016 # fields of dpkg-query's
  apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts \
    --no-breaks --no-replaces --no-enhances "$@" | grep '^[a-z0-9]' | sort -u \
    | xargs dpkg-query -W -f='${db:Status-Status} ${binary:Package}\n' 2>/dev/null \
    | sed -n 's/^installed //p'
}

# paths: of the packages on standard input, as they are in a merged /usr.
paths() {
  xargs dpkg-query -L | grep '^/' \
    | grep -Ev '^/usr/share/(man|locale|info|lintian|bug)/' \
    | sed -E 's,^/((bin|sbin|lib[^/]*)/),/usr/\1,' | sort -u
}

for package; do
  dpkg-query -W "$package" >/dev/null
done
mkdir -p "$dir/usr"
installed "$@" | paths | while IFS= read -r path; do
  case $path in /usr/* | /etc/*) ;; *) continue ;; esac
  if [ -L "$path" ] || [ -f "$path" ]; then printf '%s\0' "${path#/}"; fi
done | tar -C / --null --no-recursion --files-from=- -cf - \
  | tar -C "$dir" --no-same-owner -xf -
for link in bin sbin lib lib64; do
  [ ! -d "$dir/usr/$link" ] || ln -s "usr/$link" "$dir/$link"
done
[ -z "$command" ] || printf '[Application]\ncommand=%s\n' "$command" >"$dir/vtree.ini"
