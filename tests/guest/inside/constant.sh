#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# mount/constant, with a manifest that the kernel enforces.
exec bash "$VTREE_SOURCE_DIR/tests/mount/constant.sh"
