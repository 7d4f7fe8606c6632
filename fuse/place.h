/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The directory to mount on. What stands there may be the mount of a daemon that was
 * killed: every call on it fails with ENOTCONN, and mount(8) can't help itself.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
  char *dir;  /* absolute, no symlinks */
  char *dead; /* the source of the dead mount on it; NULL: there is none */
} VtreePlace;

/* Frees what it owns. */
void vtree_place_clear (VtreePlace *place);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreePlace, vtree_place_clear)

/* Looks at DIR, and changes nothing. PLACE must be zeroed. Errors: it is no directory,
 * or there is a dead mount of somebody else's on it. */
bool vtree_place_find (VtreePlace *place, const char *dir, GError **error);

/* Detaches the dead mount. Errors: VTREE_ERROR_FAILED, where that is not ours to do. */
bool vtree_place_free_dead (const VtreePlace *place, GError **error);
