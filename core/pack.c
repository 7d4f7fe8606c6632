/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the reading of a pack: bounds, the search in its index, the proof of a slice.
 * Opens nothing by name. Layout: doc/formats.md, "Packs".
 */
#include "core/pack.h"

#include "core/bytes.h"
#include "core/verity.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define H_VERSION 8
#define H_ALG 12
#define H_FEATURES 16
#define H_LARGEST 20
#define H_COUNT 24
#define H_INDEX 32
#define H_RESERVED 40

/* Entries are read so many bytes at a time. */
#define WINDOW 4096
/* Guesses by the digest's value before the search halves. */
#define GUESSES 4

#define ENTRY_SIZE_MAX (VTREE_DIGEST_MAX_SIZE + VTREE_PACK_ENTRY_EXTRA)

typedef _Atomic uint64_t Bits;

struct VtreePack {
  atomic_uint refs;
  VtreeFd fd;
  VtreeDigest name;
  uint64_t size; /* of the file */
  uint64_t count;
  uint64_t index; /* offset: the end of the contents */
  uint32_t largest;
  size_t entry_size;
  atomic_bool enforced; /* once it is, it stays so */
  /* One bit for each entry that has proved right, where the kernel keeps it so. */
  _Atomic (Bits *) proved;
};

/* --- opening ---------------------------------------------------------------------- */

static bool
read_exactly (int fd, void *data, size_t size, uint64_t offset, GError **error)
{
  size_t got;
  if (!vtree_fd_pread (fd, data, size, offset, &got, error))
    return false;
  return got == size
         || vtree_error_set (error, VTREE_ERROR_CORRUPT, "it ends before it should");
}

static bool
check_header (VtreePack *pack, VtreeSpan header, GError **error)
{
  if (memcmp (header.data, VTREE_PACK_MAGIC, 8) != 0)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT, "it is no pack");
  uint32_t version = vtree_span_u32 (header, H_VERSION);
  uint32_t features = vtree_span_u32 (header, H_FEATURES);
  if (version != VTREE_PACK_VERSION)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "it has format version %u, this program knows %d", version,
                            VTREE_PACK_VERSION);
  if (features != 0)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "it needs features that this program does not have (%#x)",
                            features);
  VtreeSpan reserved;
  if (vtree_span_u32 (header, H_ALG) != (uint32_t) pack->name.alg
      || !vtree_span_sub (header, H_RESERVED, VTREE_PACK_HEADER_SIZE - H_RESERVED,
                          &reserved)
      || !vtree_span_is_zero (reserved))
    return vtree_error_set (error, VTREE_ERROR_CORRUPT, "its header is not a pack's");
  pack->largest = vtree_span_u32 (header, H_LARGEST);
  pack->count = vtree_span_u64 (header, H_COUNT);
  pack->index = vtree_span_u64 (header, H_INDEX);
  return true;
}

/* Header, contents, index, and nothing else. */
static bool
check_bounds (VtreePack *pack, GError **error)
{
  uint64_t end;
  struct stat st;
  if (fstat (pack->fd, &st) < 0)
    return vtree_error_set_errno (error, errno, "fstat");
  pack->size = (uint64_t) st.st_size;
  if (pack->count == 0 || pack->count > UINT32_MAX
      || pack->index < VTREE_PACK_HEADER_SIZE + pack->count
      || !vtree_bytes_mul_add (pack->count, pack->entry_size, pack->index, &end)
      || end != pack->size || pack->largest == 0
      || pack->largest > VTREE_PACK_OBJECT_MAX)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "its header contradicts itself or the file's size");
  return true;
}

/* From several threads at once: the first one's bits are everybody's. */
static void
note_enforced (VtreePack *pack)
{
  Bits *none = NULL, *bits = g_try_new0 (Bits, pack->count / 64 + 1);
  if (!atomic_compare_exchange_strong (&pack->proved, &none, bits))
    g_free (bits);
  atomic_store (&pack->enforced, true);
}

static bool
measure (VtreePack *pack, GError **error)
{
  VtreeDigest measured;
  bool enforced;
  if (!vtree_kernel_measure (pack->fd, &enforced, &measured, error))
    return false;
  if (enforced && vtree_digest_equal (&measured, &pack->name))
    note_enforced (pack);
  return true;
}

static bool
set_up (VtreePack *pack, GError **error)
{
  uint8_t header[VTREE_PACK_HEADER_SIZE];
  VtreeSpan span = { header, sizeof header };
  return read_exactly (pack->fd, header, sizeof header, 0, error)
         && check_header (pack, span, error) && check_bounds (pack, error)
         && measure (pack, error);
}

static bool
prefix (GError **error, const VtreePack *pack)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  g_prefix_error (error, "pack %s: ", vtree_digest_format (&pack->name, text));
  return false;
}

VtreePack *
vtree_pack_new_take (int fd, const VtreeDigest *name, GError **error)
{
  g_autoptr (VtreePack) pack = g_new0 (VtreePack, 1);
  atomic_init (&pack->refs, 1);
  pack->fd = fd;
  pack->name = *name;
  pack->entry_size = vtree_digest_alg_size (name->alg) + VTREE_PACK_ENTRY_EXTRA;
  if (set_up (pack, error))
    return g_steal_pointer (&pack);
  prefix (error, pack);
  return NULL;
}

VtreePack *
vtree_pack_ref (VtreePack *pack)
{
  atomic_fetch_add (&pack->refs, 1);
  return pack;
}

void
vtree_pack_unref (VtreePack *pack)
{
  if (pack == NULL || atomic_fetch_sub (&pack->refs, 1) > 1)
    return;
  vtree_fd_close (pack->fd);
  g_free (atomic_load (&pack->proved));
  g_free (pack);
}

const VtreeDigest *
vtree_pack_name (const VtreePack *pack)
{
  return &pack->name;
}

uint64_t
vtree_pack_size (const VtreePack *pack)
{
  return pack->size;
}

uint64_t
vtree_pack_data_size (const VtreePack *pack)
{
  return pack->index - VTREE_PACK_HEADER_SIZE;
}

uint64_t
vtree_pack_count (const VtreePack *pack)
{
  return pack->count;
}

uint32_t
vtree_pack_largest (const VtreePack *pack)
{
  return pack->largest;
}

bool
vtree_pack_is_enforced (const VtreePack *pack)
{
  return atomic_load (&pack->enforced);
}

int
vtree_pack_peek_fd (const VtreePack *pack)
{
  return pack->fd;
}

/* --- the index -------------------------------------------------------------------- */

/* Some neighbouring entries. */
typedef struct {
  uint64_t first, count;
  uint8_t bytes[WINDOW];
} Window;

static bool
load_window (const VtreePack *pack, uint64_t first, uint64_t count, Window *window,
             GError **error)
{
  window->first = first;
  window->count = MIN (count, WINDOW / pack->entry_size);
  return read_exactly (pack->fd, window->bytes,
                       (size_t) window->count * pack->entry_size,
                       pack->index + first * pack->entry_size, error);
}

/* The bytes of entry INDEX, which is in the window. */
static VtreeSpan
entry_at (const VtreePack *pack, const Window *window, uint64_t index)
{
  VtreeSpan all = { window->bytes, (size_t) window->count * pack->entry_size };
  VtreeSpan entry;
  bool inside = vtree_span_sub (all, (index - window->first) * pack->entry_size,
                                pack->entry_size, &entry);
  g_assert (inside);
  return entry;
}

static int
compare_entry (VtreeSpan entry, const VtreeDigest *digest)
{
  return memcmp (entry.data, digest->value, vtree_digest_alg_size (digest->alg));
}

static bool
parse_entry (const VtreePack *pack, VtreeSpan bytes, VtreePackEntry *entry,
             GError **error)
{
  size_t digest_size = vtree_digest_alg_size (pack->name.alg);
  vtree_digest_init (&entry->digest, pack->name.alg, bytes.data);
  entry->offset = vtree_span_u64 (bytes, digest_size);
  entry->size = vtree_span_u32 (bytes, digest_size + 8);
  if (entry->size > 0 && entry->size <= pack->largest
      && entry->offset >= VTREE_PACK_HEADER_SIZE && entry->offset <= pack->index
      && entry->size <= pack->index - entry->offset)
    return true;
  return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                          "its index names bytes that it does not have");
}

bool
vtree_pack_entry (const VtreePack *pack, uint64_t index, VtreePackEntry *entry,
                  GError **error)
{
  uint8_t bytes[ENTRY_SIZE_MAX];
  g_return_val_if_fail (index < pack->count, false);
  if (read_exactly (pack->fd, bytes, pack->entry_size,
                    pack->index + index * pack->entry_size, error)
      && parse_entry (pack, (VtreeSpan){ bytes, pack->entry_size }, entry, error))
    return true;
  return prefix (error, pack);
}

typedef struct {
  VtreePackEach each;
  void *context;
  bool any;
  VtreeDigest last;
} Pass;

static bool
pass_window (const VtreePack *pack, const Window *window, Pass *pass, GError **error)
{
  for (uint64_t i = window->first; i < window->first + window->count; i++) {
    VtreePackEntry entry;
    if (!parse_entry (pack, entry_at (pack, window, i), &entry, error)
        || (pass->any && vtree_digest_compare (&pass->last, &entry.digest) >= 0
            && !vtree_error_set (error, VTREE_ERROR_CORRUPT,
                                 "its index is not sorted")))
      return prefix (error, pack);
    pass->any = true;
    pass->last = entry.digest;
    if (!pass->each (pass->context, i, &entry, error))
      return false;
  }
  return true;
}

bool
vtree_pack_foreach (const VtreePack *pack, VtreePackEach each, void *context,
                    GError **error)
{
  Pass pass = { .each = each, .context = context };
  Window window = { .count = 0 };
  for (uint64_t first = 0; first < pack->count; first += window.count) {
    if (!load_window (pack, first, pack->count - first, &window, error))
      return prefix (error, pack);
    if (!pass_window (pack, &window, &pass, error))
      return false;
  }
  return true;
}

/* Where DIGEST would be among the entries from LOW to HIGH, if the digests between are
 * spread evenly from BELOW to ABOVE. */
static uint64_t
guess (uint64_t value, uint64_t below, uint64_t above, uint64_t low, uint64_t high)
{
  if (value <= below || above <= below)
    return low;
  double part = (double) (value - below) / (double) (above - below);
  uint64_t at = low + (uint64_t) (part * (double) (high - low));
  return MIN (at, high - 1);
}

static uint64_t
leading_bits (const uint8_t *value)
{
  uint64_t bits = 0;
  for (unsigned i = 0; i < 8; i++)
    bits = bits << 8 | value[i];
  return bits;
}

/* What is left of a search: the entry, if there is one, is one of [low, high). */
typedef struct {
  uint64_t low, high;
  uint64_t below, above; /* leading bits of the digests around */
} Search;

/* Looks in the window; narrows the search to one side of it if it is not there. */
static bool
search_window (const VtreePack *pack, const Window *window, const VtreeDigest *digest,
               Search *search, uint64_t *index)
{
  uint64_t low = window->first, high = window->first + window->count;
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    VtreeSpan entry = entry_at (pack, window, middle);
    int order = compare_entry (entry, digest);
    if (order == 0) {
      *index = middle;
      return true;
    }
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  uint64_t end = window->first + window->count;
  if (low == window->first) { /* before all of it */
    search->high = window->first;
    search->above = leading_bits (entry_at (pack, window, window->first).data);
  } else if (low == end) {
    search->low = end;
    search->below = leading_bits (entry_at (pack, window, end - 1).data);
  } else {
    search->low = search->high = low; /* between two of it: nowhere */
  }
  return false;
}

static bool
find (const VtreePack *pack, const VtreeDigest *digest, bool *found, uint64_t *index,
      VtreePackEntry *entry, GError **error)
{
  Search search = { 0, pack->count, 0, UINT64_MAX };
  uint64_t value = leading_bits (digest->value);
  uint64_t per_window = WINDOW / pack->entry_size;
  Window window;
  for (unsigned step = 0; search.low < search.high; step++) {
    uint64_t at = step < GUESSES
                    ? guess (value, search.below, search.above, search.low, search.high)
                    : search.low + (search.high - search.low) / 2;
    uint64_t first
      = at > search.low + per_window / 2 ? at - per_window / 2 : search.low;
    if (!load_window (pack, first, search.high - first, &window, error))
      return false;
    if (search_window (pack, &window, digest, &search, index)) {
      *found = parse_entry (pack, entry_at (pack, &window, *index), entry, error);
      return *found;
    }
  }
  *found = false;
  return true;
}

bool
vtree_pack_find (const VtreePack *pack, const VtreeDigest *digest, bool *found,
                 uint64_t *index, VtreePackEntry *entry, GError **error)
{
  if (digest->alg != pack->name.alg) {
    *found = false;
    return true;
  }
  return find (pack, digest, found, index, entry, error) || prefix (error, pack);
}

/* --- slices ----------------------------------------------------------------------- */

static bool
is_proved (const VtreePack *pack, uint64_t index)
{
  const Bits *proved = atomic_load (&pack->proved);
  return proved != NULL && (atomic_load (&proved[index / 64]) >> index % 64 & 1) != 0;
}

static bool
prove (VtreePack *pack, uint64_t index, const VtreePackEntry *entry, const void *data,
       GError **error)
{
  VtreeVerityParams params
    = { .alg = entry->digest.alg, .size = entry->size, .merkle_fd = -1 };
  VtreeDigest digest;
  /* Bits that come while it is read are of a pack that was not enforced yet. */
  Bits *proved = atomic_load (&pack->proved);
  char text[VTREE_DIGEST_TEXT_MAX];
  if (!vtree_verity_compute_data (&params, data, &digest, error))
    return false;
  if (!vtree_digest_equal (&digest, &entry->digest))
    return vtree_error_set (error, VTREE_ERROR_CORRUPT, "object %s is damaged in it",
                            vtree_digest_format (&entry->digest, text));
  if (proved != NULL)
    atomic_fetch_or (&proved[index / 64], UINT64_C (1) << index % 64);
  return true;
}

/* It may have been sealed since it was opened, or measured last. */
static bool
require_enforced (VtreePack *pack, GError **error)
{
  if (!vtree_pack_is_enforced (pack) && !measure (pack, error))
    return false;
  return vtree_pack_is_enforced (pack)
         || vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                             "the kernel does not enforce fs-verity on it, and "
                             "verity=require");
}

bool
vtree_pack_read (VtreePack *pack, uint64_t index, const VtreePackEntry *entry,
                 VtreeVerityPolicy policy, void *data, GError **error)
{
  if (policy == VTREE_VERITY_REQUIRE && !require_enforced (pack, error))
    return prefix (error, pack);
  if (read_exactly (pack->fd, data, entry->size, entry->offset, error)
      && (policy == VTREE_VERITY_OFF || is_proved (pack, index)
          || prove (pack, index, entry, data, error)))
    return true;
  return prefix (error, pack);
}

/* The bytes from the first slice on that one preadv(2) gets, after EINTR again; what is
 * short, or an error, tells that the rest is not there. */
static size_t
read_vector (int fd, const struct iovec *vector, unsigned count, uint64_t offset)
{
  ssize_t got;
  do
    got = preadv (fd, vector, (int) count, (off_t) offset);
  while (got < 0 && errno == EINTR);
  return got > 0 ? (size_t) got : 0;
}

/* Where the slices go, with GAP for what lies between; how many parts that are. */
static unsigned
make_vector (const VtreePackSlice *slices, unsigned count, struct iovec gap,
             struct iovec *vector)
{
  unsigned parts = 0;
  uint64_t at = slices[0].entry.offset;
  for (unsigned i = 0; i < count; i++) {
    const VtreePackEntry *entry = &slices[i].entry;
    if (entry->offset > at)
      vector[parts++] = (struct iovec){ gap.iov_base, (size_t) (entry->offset - at) };
    vector[parts++] = (struct iovec){ slices[i].data, entry->size };
    at = entry->offset + entry->size;
  }
  return parts;
}

void
vtree_pack_read_run (VtreePack *pack, VtreePackSlice *slices, unsigned count,
                     VtreeVerityPolicy policy)
{
  uint8_t gap[VTREE_PACK_GAP_MAX];
  struct iovec vector[2 * VTREE_PACK_RUN_MAX];
  g_return_if_fail (count > 0 && count <= VTREE_PACK_RUN_MAX);
  if (policy == VTREE_VERITY_REQUIRE && !require_enforced (pack, NULL))
    return;
  uint64_t start = slices[0].entry.offset;
  unsigned parts
    = make_vector (slices, count, (struct iovec){ gap, sizeof gap }, vector);
  uint64_t end = start + read_vector (pack->fd, vector, parts, start);
  for (unsigned i = 0; i < count; i++) {
    VtreePackSlice *slice = &slices[i];
    slice->read = slice->entry.offset + slice->entry.size <= end
                  && (policy == VTREE_VERITY_OFF || is_proved (pack, slice->index)
                      || prove (pack, slice->index, &slice->entry, slice->data, NULL));
  }
}
