/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount -o remount: arrives as an ordinary call of the helper, and must start nothing.
 */
#pragma once

#include "fuse/options.h"

/* True where DIR is a mounted tree and already is what OPTIONS ask for; else an error:
 * nothing can be changed while it is mounted. */
bool vtree_remount_check (const char *dir, const VtreeMountOptions *options,
                          GError **error);
