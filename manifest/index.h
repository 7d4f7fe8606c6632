/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hash index (XXH3-64, open addressing) over records that lie elsewhere, one after
 * the other: finds out whether a key is there already. Holds 8 bytes a slot and no
 * keys; what has equal hashes is compared. Not thread-safe.
 */
#pragma once

#include "core/bytes.h"

typedef struct VtreeIndex VtreeIndex;

/* A position counts UNIT bytes; the key stands KEY_OFFSET bytes behind it. SEED: 0, or
 * something random where the keys are hostile. */
VtreeIndex *vtree_index_new (size_t unit, size_t key_offset, uint64_t seed);
void vtree_index_free (VtreeIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeIndex, vtree_index_free)

/* Looks for KEY. KNOWN are the bytes in which all records added before lie. *POSITION
 * is the new record's (< UINT32_MAX); if the key is there already, it becomes the old
 * one's and *ADDED is false. Keys of different sizes need an encoding in which none is
 * the beginning of another. Errors: ENOMEM. */
bool vtree_index_add (VtreeIndex *index, VtreeSpan known, VtreeSpan key,
                      uint32_t *position, bool *added, GError **error);
