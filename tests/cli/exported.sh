# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced by the tests of exports: an application, and what of it is exported ($exports
# is the directory).

# make_exports DIR NAME VERSION: a tree that exports five files, of which one has VERSION in
# its name and all have it in what they hold.
make_exports() {
  local top=$1/share
  rm -rf "$1"
  mkdir -p "$1/bin" "$top/applications" "$top/icons/hicolor/scalable/apps" \
    "$top/dbus-1/services"
  printf '[Application]\ncommand=bin/%s\nexports=true\ncommands=%s;%s-%s;\n' \
    "$2" "$2" "$2" "$3" >"$1/vtree.ini"
  printf '#!/bin/sh\necho "%s %s $*"\n' "$2" "$3" >"$1/bin/$2"
  chmod 0755 "$1/bin/$2"
  cp "$1/bin/$2" "$1/bin/$2-$3"
  printf '%s\n' '[Desktop Entry]' Type=Application "Name=Hello $3" "Exec=$2 --v=$3 %U" \
    "Icon=$2" 'Categories=Utility;' >"$top/applications/$2.desktop"
  printf '<svg xmlns="http://www.w3.org/2000/svg" width="%s"/>\n' "$3" \
    >"$top/icons/hicolor/scalable/apps/$2.svg"
  printf '[D-BUS Service]\nName=%s\nExec=/app/bin/%s --bus=%s\n' "$2" "$2" "$3" \
    >"$top/dbus-1/services/$2.service"
}

# exported: the paths of all links in $exports, and what they hold (a line each), those
# that lead nowhere included.
exported() (
  cd "${exports:?}" 2>/dev/null || exit 0
  find . -type l -printf '%P\n' | LC_ALL=C sort | while read -r link; do
    echo "$link $(tr '\n' ' ' <"$link" 2>/dev/null || echo nowhere)"
  done
)

# names: the paths alone.
names() {
  exported | cut -d' ' -f1 | tr '\n' ' '
}
