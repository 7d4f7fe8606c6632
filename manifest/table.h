/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A growing section of records that are there once each, in the order in which they
 * were first asked for. Not thread-safe.
 */
#pragma once

#include "core/bytes.h"

typedef struct VtreeTable VtreeTable;

/* Records of UNIT bytes (1: a heap of pieces of any size, none the beginning of
 * another) that are told apart by what stands from KEY_OFFSET on. */
VtreeTable *vtree_table_new (size_t unit, size_t key_offset);
void vtree_table_free (VtreeTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeTable, vtree_table_free)

/* *POSITION, in units, of the record with RECORD's key; RECORD is appended if there is
 * none. Errors: VTREE_ERROR_LIMIT (the position would not fit 32 bits), ENOMEM. */
bool vtree_table_intern (VtreeTable *table, VtreeSpan record, uint32_t *position,
                         GError **error);

/* All records; valid until the next _intern. */
VtreeSpan vtree_table_peek (const VtreeTable *table);

/* How many units there are. */
uint64_t vtree_table_count (const VtreeTable *table);
