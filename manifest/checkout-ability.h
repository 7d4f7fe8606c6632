/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to checkout: what the filesystem that is written to can hold. Found out by
 * trying, once a checkout, so that no list of filesystems has to be right.
 */
#pragma once

#include "core/error.h"

typedef struct {
  bool modes;    /* permission bits; without them no owners and no xattrs either */
  bool symlinks; /* symbolic links */
  bool specials; /* fifos; device nodes need root besides */
  bool links;    /* hard links */
  bool times;    /* to the nanosecond */
  bool names;    /* any bytes but '/' and NUL, and they stay what they are */
} VtreeAbility;

/* Tries it all out in the directory DIRFD, where nothing is left of it. Errors:
 * VTREE_ERRNO_ERROR where no file can be made. */
bool vtree_ability_probe (int dirfd, VtreeAbility *ability, GError **error);
