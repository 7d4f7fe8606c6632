/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file's verified bytes at stable addresses, read on demand: anonymous memory of the
 * file's size, filled some blocks at a time from a VtreeObject, each block once. Blocks
 * that are not touched cost no memory; nothing of the file itself is mapped.
 * Thread-safe; a block that fails verification fails only the calls that need it.
 */
#pragma once

#include "core/bytes.h"
#include "core/object.h"

typedef struct VtreePages VtreePages;

/* Over an object (a reference is taken). Errors: ENOMEM as VTREE_ERRNO_ERROR. */
VtreePages *vtree_pages_new (VtreeObject *object, GError **error);

/* Over bytes in memory (a reference is taken); every block counts as read. */
VtreePages *vtree_pages_new_for_bytes (GBytes *bytes);
VtreePages *vtree_pages_ref (VtreePages *pages);
void vtree_pages_unref (VtreePages *pages);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreePages, vtree_pages_unref)

/* What they are read from; NULL over bytes in memory. */
const VtreeObject *vtree_pages_peek_object (const VtreePages *pages);

/* Bytes, as signed. */
uint64_t vtree_pages_size (const VtreePages *pages);

/* Bytes read from the object so far (0 for bytes in memory). */
uint64_t vtree_pages_loaded (const VtreePages *pages);

/* *OUT = SIZE bytes from OFFSET, valid as long as PAGES. Errors: VTREE_ERROR_CORRUPT
 * (out of range, failed verification), VTREE_ERRNO_ERROR. */
bool vtree_pages_get (VtreePages *pages, uint64_t offset, uint64_t size, VtreeSpan *out,
                      GError **error);
