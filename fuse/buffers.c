/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reply buffers. Owns their memory; knows nothing of what is in them.
 */
#include "fuse/buffers.h"

#include <stdint.h>
#include <stdlib.h>

#define ALIGNMENT 4096
/* The smallest, which is also what readahead asks by default. */
#define SIZE_MIN (128 * 1024)
/* More than a kernel ever asks at once (max_pages is 16 bits). */
#define SIZE_MAX_ASKED ((size_t) UINT16_MAX * ALIGNMENT)

struct VtreeBuffers {
  unsigned kept;
  GMutex lock; /* free */
  GQueue free; /* the last one used first: it is warm */
};

VtreeBuffers *
vtree_buffers_new (unsigned kept)
{
  VtreeBuffers *buffers = g_new0 (VtreeBuffers, 1);
  buffers->kept = kept;
  g_mutex_init (&buffers->lock);
  g_queue_init (&buffers->free);
  return buffers;
}

static void
buffer_free (VtreeBuffer *buffer)
{
  free (buffer->data);
  g_free (buffer);
}

void
vtree_buffers_free (VtreeBuffers *buffers)
{
  GList *link;
  while ((link = g_queue_pop_head_link (&buffers->free)) != NULL)
    buffer_free (link->data);
  g_mutex_clear (&buffers->lock);
  g_free (buffers);
}

static VtreeBuffer *
buffer_new (size_t size)
{
  size_t room = (MAX (size, SIZE_MIN) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  char *data = aligned_alloc (ALIGNMENT, room);
  if (data == NULL)
    return NULL;
  VtreeBuffer *buffer = g_new0 (VtreeBuffer, 1);
  buffer->link.data = buffer;
  buffer->size = room;
  buffer->data = data;
  return buffer;
}

VtreeBuffer *
vtree_buffers_get (VtreeBuffers *buffers, size_t size)
{
  if (size > SIZE_MAX_ASKED)
    return NULL;
  g_mutex_lock (&buffers->lock);
  GList *link = g_queue_pop_head_link (&buffers->free);
  g_mutex_unlock (&buffers->lock);
  VtreeBuffer *buffer = link != NULL ? link->data : NULL;
  if (buffer != NULL && buffer->size >= size)
    return buffer;
  g_clear_pointer (&buffer, buffer_free);
  return buffer_new (size);
}

void
vtree_buffers_put (VtreeBuffers *buffers, VtreeBuffer *buffer)
{
  g_mutex_lock (&buffers->lock);
  bool keep = buffers->free.length < buffers->kept;
  if (keep)
    g_queue_push_head_link (&buffers->free, &buffer->link);
  g_mutex_unlock (&buffers->lock);
  if (!keep)
    buffer_free (buffer);
}
