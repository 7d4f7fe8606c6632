/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to checkout: directories of unfinished files, .vtree-checkout.XXXXXXXX, in
 * somebody else's directory. Each is held by an exclusive flock(2) on its descriptor as
 * long as its process lives; what nobody holds was abandoned.
 */
#pragma once

#include "core/fd.h"

#define VTREE_CHECKOUT_NAME_MAX 32

/* Whether the directory is going to have an entry NAME of the tree's. */
typedef bool (*VtreeCheckoutHasName) (void *context, const char *name);

/* Makes and locks one in DIRFD, 0700, inheriting nothing, by a name that HAS (may be
 * NULL) denies. Returns an owned descriptor, or -1 with an error and an empty NAME. */
int vtree_checkout_staging_make (int dirfd, VtreeCheckoutHasName has, void *context,
                                 char name[VTREE_CHECKOUT_NAME_MAX], GError **error);

/* Removes the abandoned ones of this user (root: of anybody) in DIRFD, HAS aside. What
 * can't be removed stays. */
void vtree_checkout_staging_clean (int dirfd, VtreeCheckoutHasName has, void *context);

/* Whether NAME is such a name. */
bool vtree_checkout_staging_is_name (const char *name);

/* Makes the directory FD 0700, and takes away what it has from its parent and would
 * hand down to what is made in it: ACLs, the set-group-id bit. Nothing happens on a
 * filesystem without modes. */
bool vtree_checkout_forget_parent (int fd, GError **error);

/* Locks the directory FD, which is written to. Errors: VTREE_ERROR_BUSY. */
bool vtree_checkout_lock (int fd, GError **error);
