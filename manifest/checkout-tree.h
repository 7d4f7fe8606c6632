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

/* Takes the ACLs away that the directory FD got from its parent, since what is made in
 * it would get them too. */
bool vtree_checkout_forget_acls (int fd, GError **error);
