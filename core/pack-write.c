/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the writing of a pack: contents in the order of the plan, then the index. Makes
 * no file and gives no name.
 */
#include "core/pack.h"

#include "core/bytes.h"
#include "core/verity.h"
#include <string.h>

#define BUFFER_SIZE ((size_t) 256 * 1024)

typedef struct {
  int fd;
  uint64_t offset; /* of what is in the buffer */
  size_t used;
  uint8_t *buffer;
} Output;

static bool
flush (Output *output, GError **error)
{
  if (!vtree_fd_pwrite (output->fd, output->buffer, output->used, output->offset,
                        error))
    return false;
  output->offset += output->used;
  output->used = 0;
  return true;
}

/* Room for SIZE bytes, at most VTREE_PACK_OBJECT_MAX; NULL on error. */
static uint8_t *
reserve (Output *output, size_t size, GError **error)
{
  if (output->used + size > BUFFER_SIZE && !flush (output, error))
    return NULL;
  uint8_t *room = output->buffer + output->used;
  output->used += size;
  return room;
}

/* An item and where it has come to lie. */
typedef struct {
  const VtreePackItem *item;
  uint64_t offset;
} Placed;

static gint
compare_placed (gconstpointer a, gconstpointer b)
{
  const Placed *x = a;
  const Placed *y = b;
  return vtree_digest_compare (&x->item->digest, &y->item->digest);
}

static bool
write_header (Output *output, const VtreePackPlan *plan, GError **error)
{
  uint8_t *header = reserve (output, VTREE_PACK_HEADER_SIZE, error);
  uint32_t largest = 0;
  uint64_t end = VTREE_PACK_HEADER_SIZE;
  if (header == NULL)
    return false;
  for (uint32_t i = 0; i < plan->count; i++) {
    largest = MAX (largest, plan->items[i].size);
    end += plan->items[i].size;
  }
  memset (header, 0, VTREE_PACK_HEADER_SIZE);
  memcpy (header, VTREE_PACK_MAGIC, 8);
  vtree_bytes_put_u32 (header + 8, VTREE_PACK_VERSION);
  vtree_bytes_put_u32 (header + 12, (uint32_t) plan->alg);
  vtree_bytes_put_u32 (header + 20, largest);
  vtree_bytes_put_u64 (header + 24, plan->count);
  vtree_bytes_put_u64 (header + 32, end);
  return true;
}

static bool
write_contents (Output *output, const VtreePackPlan *plan, GArray *placed,
                GError **error)
{
  for (uint32_t i = 0; i < plan->count; i++) {
    const VtreePackItem *item = &plan->items[i];
    g_return_val_if_fail (item->size > 0 && item->size <= VTREE_PACK_OBJECT_MAX, false);
    uint8_t *room = reserve (output, item->size, error);
    if (room == NULL || !plan->read (plan->context, item, room, error))
      return false;
    Placed one = { item, output->offset + output->used - item->size };
    g_array_append_val (placed, one);
  }
  return true;
}

static bool
write_index (Output *output, const VtreePackPlan *plan, GArray *placed, GError **error)
{
  size_t digest_size = vtree_digest_alg_size (plan->alg);
  g_array_sort (placed, compare_placed);
  for (guint i = 0; i < placed->len; i++) {
    const Placed *one = &g_array_index (placed, Placed, i);
    uint8_t *entry = reserve (output, digest_size + VTREE_PACK_ENTRY_EXTRA, error);
    if (entry == NULL)
      return false;
    memcpy (entry, one->item->digest.value, digest_size);
    vtree_bytes_put_u64 (entry + digest_size, one->offset);
    vtree_bytes_put_u32 (entry + digest_size + 8, one->item->size);
  }
  return flush (output, error);
}

bool
vtree_pack_write (int fd, const VtreePackPlan *plan, VtreeDigest *name, uint64_t *size,
                  GError **error)
{
  g_return_val_if_fail (plan->count > 0, false);
  g_autofree uint8_t *buffer = g_malloc (BUFFER_SIZE);
  g_autoptr (GArray) placed
    = g_array_sized_new (FALSE, FALSE, sizeof (Placed), plan->count);
  Output output = { .fd = fd, .buffer = buffer };
  VtreeVerityHelpers helpers = { 0 };
  VtreeVerityParams params = { .alg = plan->alg, .merkle_fd = -1, .helpers = &helpers };
  if (!write_header (&output, plan, error)
      || !write_contents (&output, plan, placed, error)
      || !write_index (&output, plan, placed, error))
    return false;
  params.size = output.offset;
  *size = output.offset;
  return vtree_verity_compute_fd (&params, fd, name, error);
}
