/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the anonymous memory that a file's verified bytes are kept in, and which of its
 * blocks are there. Verifies nothing itself: that is the object's.
 *
 * A block's bit is set (release) after its bytes have been verified in place, and is
 * never taken back; nobody looks at a block before having seen its bit (acquire), and
 * nobody writes to it after. So bytes that fail to verify are never seen.
 */
#include "core/pages.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

/* Blocks that one miss reads; divides 64, so that a run's bits are in one word. */
#define RUN_BLOCKS 16
#define LOCKS 16
#define WORD_BITS 64

struct VtreePages {
  atomic_uint refs;
  GBytes *bytes;       /* holds the data; NULL over an object */
  VtreeObject *object; /* NULL over bytes */
  uint8_t *data;
  uint64_t size;             /* bytes */
  size_t mapped;             /* bytes; 0 over bytes */
  _Atomic (uint64_t) *there; /* a bit for each block */
  atomic_uint_fast64_t loaded;
  GMutex locks[LOCKS]; /* for a run's memory, by run number */
};

static VtreePages *
pages_new (void)
{
  VtreePages *pages = g_new0 (VtreePages, 1);
  atomic_init (&pages->refs, 1);
  atomic_init (&pages->loaded, 0);
  for (unsigned i = 0; i < LOCKS; i++)
    g_mutex_init (&pages->locks[i]);
  return pages;
}

static uint64_t
block_count (uint64_t size)
{
  return size / VTREE_BLOCK_SIZE + (size % VTREE_BLOCK_SIZE != 0);
}

/* Addresses without memory: that comes with the first touch. NULL on failure. */
static void *
reserve_addresses (size_t size)
{
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  /* cppcheck-suppress invalidFunctionArg ; -1 is what MAP_ANONYMOUS wants */
  void *data = mmap (NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (data == MAP_FAILED)
    return NULL;
  /* A huge page would take 2 MiB for one touched block. A kernel that knows none has
   * nothing to be advised against. */
  (void) madvise (data, size, MADV_NOHUGEPAGE);
  return data;
}

static bool
reserve (VtreePages *pages, GError **error)
{
  uint64_t blocks = block_count (pages->size);
  size_t size;
  if (__builtin_mul_overflow (MAX (blocks, 1), (uint64_t) VTREE_BLOCK_SIZE, &size))
    return vtree_error_set_errno (error, ENOMEM, "reserve memory");
  pages->data = reserve_addresses (size);
  if (pages->data == NULL)
    return vtree_error_set_errno (error, ENOMEM, "reserve %zu bytes of memory", size);
  pages->mapped = size;
  pages->there = g_try_malloc0_n (blocks / WORD_BITS + 1, sizeof *pages->there);
  if (pages->there == NULL)
    return vtree_error_set_errno (error, ENOMEM, "keep account of %zu bytes", size);
  return true;
}

VtreePages *
vtree_pages_new (VtreeObject *object, GError **error)
{
  g_autoptr (VtreePages) pages = pages_new ();
  pages->object = vtree_object_ref (object);
  pages->size = vtree_object_size (object);
  return reserve (pages, error) ? g_steal_pointer (&pages) : NULL;
}

VtreePages *
vtree_pages_new_for_bytes (GBytes *bytes)
{
  VtreePages *pages = pages_new ();
  gsize size;
  pages->bytes = g_bytes_ref (bytes);
  pages->data = (uint8_t *) g_bytes_get_data (bytes, &size); /* never written to */
  pages->size = size;
  return pages;
}

VtreePages *
vtree_pages_ref (VtreePages *pages)
{
  atomic_fetch_add (&pages->refs, 1);
  return pages;
}

void
vtree_pages_unref (VtreePages *pages)
{
  if (pages == NULL || atomic_fetch_sub (&pages->refs, 1) > 1)
    return;
  if (pages->mapped > 0)
    munmap (pages->data, pages->mapped);
  g_clear_pointer (&pages->bytes, g_bytes_unref);
  vtree_object_unref (pages->object);
  for (unsigned i = 0; i < LOCKS; i++)
    g_mutex_clear (&pages->locks[i]);
  g_free (pages->there);
  g_free (pages);
}

const VtreeObject *
vtree_pages_peek_object (const VtreePages *pages)
{
  return pages->object;
}

uint64_t
vtree_pages_size (const VtreePages *pages)
{
  return pages->size;
}

uint64_t
vtree_pages_loaded (const VtreePages *pages)
{
  return atomic_load_explicit (&pages->loaded, memory_order_relaxed);
}

/* COUNT (1 to RUN_BLOCKS) bits from BLOCK's on, within one word. */
static uint64_t
mask_of (uint64_t block, uint64_t count)
{
  return ((UINT64_C (1) << count) - 1) << block % WORD_BITS;
}

static bool
is_there (const VtreePages *pages, uint64_t block)
{
  uint64_t word
    = atomic_load_explicit (&pages->there[block / WORD_BITS], memory_order_acquire);
  return word & mask_of (block, 1);
}

/* Reads COUNT blocks from FIRST on into their place, none of which is there yet. The
 * caller holds the run's lock. */
static bool
load (VtreePages *pages, uint64_t first, uint64_t count, GError **error)
{
  uint64_t offset = first * VTREE_BLOCK_SIZE;
  size_t size = (size_t) MIN (count * VTREE_BLOCK_SIZE, pages->size - offset);
  size_t got;
  if (!vtree_object_read (pages->object, pages->data + offset, size, offset, &got,
                          error))
    return false;
  g_assert (got == size);
  atomic_fetch_add_explicit (&pages->loaded, size, memory_order_relaxed);
  atomic_fetch_or_explicit (&pages->there[first / WORD_BITS], mask_of (first, count),
                            memory_order_release);
  return true;
}

/* Loads BLOCK with the rest of its run; by itself where the run has been tried before
 * and failed, or fails now. The caller holds the run's lock. */
static bool
load_run (VtreePages *pages, uint64_t block, GError **error)
{
  if (is_there (pages, block))
    return true;
  uint64_t first = block - block % RUN_BLOCKS;
  uint64_t count = MIN (block_count (pages->size) - first, RUN_BLOCKS);
  uint64_t word
    = atomic_load_explicit (&pages->there[first / WORD_BITS], memory_order_relaxed);
  if ((word & mask_of (first, count)) == 0 && load (pages, first, count, NULL))
    return true;
  return load (pages, block, 1, error);
}

/* Makes sure that the blocks FIRST to LAST are there. */
static bool
ensure (VtreePages *pages, uint64_t first, uint64_t last, GError **error)
{
  for (uint64_t block = first; block <= last; block++) {
    if (is_there (pages, block))
      continue;
    GMutex *lock = &pages->locks[block / RUN_BLOCKS % LOCKS];
    g_mutex_lock (lock);
    bool ok = load_run (pages, block, error);
    g_mutex_unlock (lock);
    if (!ok)
      return false;
  }
  return true;
}

bool
vtree_pages_get (VtreePages *pages, uint64_t offset, uint64_t size, VtreeSpan *out,
                 GError **error)
{
  if (offset > pages->size || size > pages->size - offset)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "%" G_GUINT64_FORMAT " bytes at %" G_GUINT64_FORMAT
                            " are beyond the end",
                            size, offset);
  if (pages->object != NULL && size > 0
      && !ensure (pages, offset / VTREE_BLOCK_SIZE,
                  (offset + size - 1) / VTREE_BLOCK_SIZE, error))
    return false;
  *out = (VtreeSpan){ pages->data + offset, (size_t) size };
  return true;
}
