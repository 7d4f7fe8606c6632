/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the memory of the builder's nodes; a chunk at a time. */
#include "manifest/arena.h"

#include "core/error.h"
#include <errno.h>

#define CHUNK_SIZE ((size_t) 1 << 20)
#define PIECE_MAX ((size_t) 128 << 10)
#define ALIGNMENT ((size_t) 8)

struct VtreeArena {
  GPtrArray *chunks;
  size_t left; /* bytes at the end of the last chunk */
};

VtreeArena *
vtree_arena_new (void)
{
  VtreeArena *arena = g_new0 (VtreeArena, 1);
  arena->chunks = g_ptr_array_new_with_free_func (g_free);
  return arena;
}

void
vtree_arena_free (VtreeArena *arena)
{
  g_ptr_array_unref (arena->chunks);
  g_free (arena);
}

void *
vtree_arena_alloc (VtreeArena *arena, size_t size, GError **error)
{
  g_assert (size <= PIECE_MAX);
  size = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
  if (size > arena->left) {
    uint8_t *chunk = g_try_malloc0 (CHUNK_SIZE);
    if (chunk == NULL) {
      vtree_error_set_errno (error, ENOMEM, "memory for a tree");
      return NULL;
    }
    g_ptr_array_add (arena->chunks, chunk);
    arena->left = CHUNK_SIZE;
  }
  uint8_t *last = g_ptr_array_index (arena->chunks, arena->chunks->len - 1);
  void *piece = last + (CHUNK_SIZE - arena->left);
  arena->left -= size;
  return piece;
}
