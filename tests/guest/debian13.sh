#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# debian13.sh SCRIPT [ARGUMENT...]: runs a test (its path below the checkout) with the
# build in the Debian 13 root, on the host's kernel.
. "$(dirname "${BASH_SOURCE[0]}")/host.sh"
require_machine

[ -x "$work/build/bin/vtree" ] || skip 'nothing is built (guest/build does it)'
mapfile -t environment < <(what_tests_get)
script=$1
shift
in_root "${environment[@]}" bash "/vtree/source/$script" "$@"
