/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reply buffers: private, page-aligned memory that is used again, so that a READ costs
 * no allocation and no page fault. Thread-safe.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct VtreeBuffers VtreeBuffers;

typedef struct {
  GList link;  /* the pool's */
  size_t size; /* bytes at data */
  char *data;
} VtreeBuffer;

/* Keeps at most KEPT buffers that nobody uses. */
VtreeBuffers *vtree_buffers_new (unsigned kept);
void vtree_buffers_free (VtreeBuffers *buffers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeBuffers, vtree_buffers_free)

/* One of at least SIZE bytes; NULL without memory. */
VtreeBuffer *vtree_buffers_get (VtreeBuffers *buffers, size_t size);
void vtree_buffers_put (VtreeBuffers *buffers, VtreeBuffer *buffer);
