/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to checkout: a directory of the manifest, with all beneath it, into a real
 * one.
 */
#pragma once

#include "manifest/checkout-file.h"

/* Writes the directory TOP out to the directory FD, whose own attributes it gets at the
 * very end. FD is empty unless state->options->update. Errors name the path. */
bool vtree_checkout_tree (VtreeCheckoutState *state, int fd, const VtreeInode *top,
                          GError **error);

/* Makes the directory FD 0700, and takes away what it has from its parent and would
 * hand down to what is made in it: ACLs, the set-group-id bit. */
bool vtree_checkout_forget_parent (int fd, GError **error);
