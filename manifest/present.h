/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of the objects that a manifest names are in the store, found out by a thread of
 * its own while its owner does something else.
 *
 *   present = vtree_present_new (repo, &digest, size);
 *   …
 *   set = vtree_present_wait (present);
 *
 * What a head names stays in the store as long as the repository's lock is held, if it
 * is there: in a store that has lost something, or says what it likes, it may not be.
 */
#pragma once

#include "core/repo.h"

typedef struct VtreePresent VtreePresent;

/* Of the manifest DIGEST of SIZE bytes in REPO, which outlives it. Where no thread can
 * be had, the work is done here. */
VtreePresent *vtree_present_new (const VtreeRepo *repo, const VtreeDigest *digest,
                                 uint64_t size);
void vtree_present_free (VtreePresent *present);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreePresent, vtree_present_free)

/* Digests of those that are there in the size that the manifest says: a set of
 * VtreeDigest *, borrowed. Empty where manifest or store can't be read: who relies on
 * nothing needs no error. */
GHashTable *vtree_present_wait (VtreePresent *present);
