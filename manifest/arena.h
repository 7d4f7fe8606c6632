/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that is allocated in small pieces and freed at once. Not thread-safe.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct VtreeArena VtreeArena;

/* An empty one; memory comes with the first _alloc. */
VtreeArena *vtree_arena_new (void);
void vtree_arena_free (VtreeArena *arena);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeArena, vtree_arena_free)

/* SIZE bytes (at most 128 KiB), zeroed, aligned to 8. NULL with ENOMEM. */
void *vtree_arena_alloc (VtreeArena *arena, size_t size, GError **error);
