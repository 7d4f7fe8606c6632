/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A pack: whatever the file says, what is found is inside it, every search ends, and
 * what is handed out has the digest that was asked for. The first byte of the input
 * chooses the algorithm, and whether header and size of the index are put right; the
 * next 64 are a digest to be looked for; the rest is the file.
 */
#include "core/pack.h"
#include "core/bytes.h"
#include "core/verity.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MODE_SHA512 1
#define MODE_PUT_RIGHT 2
#define ASKED 65

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
assert_message (const GError *error)
{
  g_assert_nonnull (error);
  g_assert_true (error->domain == VTREE_ERROR);
  g_assert_true (error->code == VTREE_ERROR_CORRUPT
                 || error->code == VTREE_ERROR_UNSUPPORTED);
  g_assert_null (strchr (error->message, '\n'));
}

static void
assert_inside (const VtreePack *pack, const VtreePackEntry *entry)
{
  uint64_t end = VTREE_PACK_HEADER_SIZE + vtree_pack_data_size (pack);
  g_assert_cmpuint (entry->size, >=, 1);
  g_assert_cmpuint (entry->size, <=, vtree_pack_largest (pack));
  g_assert_cmpuint (entry->size, <=, VTREE_PACK_OBJECT_MAX);
  g_assert_cmpuint (entry->offset, >=, VTREE_PACK_HEADER_SIZE);
  g_assert_cmpuint (entry->offset, <=, end);
  g_assert_cmpuint (entry->size, <=, end - entry->offset);
}

/* What is read has the digest that was asked for, or it is an error. */
static void
read_entry (VtreePack *pack, uint64_t index, const VtreePackEntry *entry)
{
  g_autoptr (GError) error = NULL;
  g_autofree uint8_t *data = g_malloc (entry->size);
  VtreeDigest digest;
  VtreeVerityParams params
    = { .alg = entry->digest.alg, .size = entry->size, .merkle_fd = -1 };
  if (!vtree_pack_read (pack, index, entry, VTREE_VERITY_AUTO, data, &error)) {
    assert_message (error);
    return;
  }
  g_assert_true (vtree_verity_compute_data (&params, data, &digest, NULL));
  g_assert_true (vtree_digest_equal (&digest, &entry->digest));
}

static bool
look_for (VtreePack *pack, const VtreeDigest *digest)
{
  g_autoptr (GError) error = NULL;
  VtreePackEntry entry;
  uint64_t index;
  bool found = false;
  if (!vtree_pack_find (pack, digest, &found, &index, &entry, &error)) {
    assert_message (error);
    g_assert_false (found);
    return false;
  }
  if (!found)
    return false;
  g_assert_true (vtree_digest_equal (&entry.digest, digest));
  g_assert_cmpuint (index, <, vtree_pack_count (pack));
  assert_inside (pack, &entry);
  read_entry (pack, index, &entry);
  return true;
}

typedef struct {
  VtreePack *pack;
  uint64_t next;
  uint64_t found;
} Pass;

static bool
look_at (void *context, uint64_t index, const VtreePackEntry *entry, GError **error)
{
  Pass *pass = context;
  VtreePackEntry same;
  g_assert_cmpuint (index, ==, pass->next++);
  assert_inside (pass->pack, entry);
  g_assert_true (vtree_pack_entry (pass->pack, index, &same, error));
  g_assert_true (vtree_digest_equal (&same.digest, &entry->digest));
  g_assert_true (same.offset == entry->offset && same.size == entry->size);
  pass->found += look_for (pass->pack, &entry->digest);
  read_entry (pass->pack, index, entry);
  return true;
}

static void
exercise (VtreePack *pack, const VtreeDigest *asked)
{
  g_autoptr (GError) error = NULL;
  Pass pass = { .pack = pack };
  look_for (pack, asked);
  if (!vtree_pack_foreach (pack, look_at, &pass, &error)) {
    assert_message (error);
    return;
  }
  /* A whole index is sorted: a search finds all of it. */
  g_assert_cmpuint (pass.next, ==, vtree_pack_count (pack));
  g_assert_cmpuint (pass.found, ==, pass.next);
}

/* Most of what a fuzzer makes would end at the header: this one does not. */
static void
put_right (uint8_t *file, size_t size, VtreeDigestAlg alg)
{
  size_t entry = vtree_digest_alg_size (alg) + VTREE_PACK_ENTRY_EXTRA;
  uint64_t room = size - VTREE_PACK_HEADER_SIZE;
  uint64_t count = MAX ((uint64_t) file[24] + 256 * (uint64_t) file[25], 1);
  count = MIN (count, MAX (room / (entry + 1), 1));
  memcpy (file, VTREE_PACK_MAGIC, 8);
  vtree_bytes_put_u32 (file + 8, VTREE_PACK_VERSION);
  vtree_bytes_put_u32 (file + 12, (uint32_t) alg);
  vtree_bytes_put_u32 (file + 16, 0);
  vtree_bytes_put_u64 (file + 24, count);
  vtree_bytes_put_u64 (file + 32, size - MIN (count * entry, room));
  memset (file + 40, 0, VTREE_PACK_HEADER_SIZE - 40);
}

static int
make_file (const uint8_t *data, size_t size, bool right, VtreeDigestAlg alg)
{
  g_autofree uint8_t *file = g_memdup2 (data, size);
  int fd = memfd_create ("pack", MFD_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  if (right && size > VTREE_PACK_HEADER_SIZE)
    put_right (file, size, alg);
  g_assert_true (vtree_fd_pwrite (fd, file, size, 0, NULL));
  return fd;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  VtreeDigest name = { 0 }, asked = { 0 };
  if (size < ASKED)
    return 0;
  VtreeDigestAlg alg
    = data[0] & MODE_SHA512 ? VTREE_DIGEST_SHA512 : VTREE_DIGEST_SHA256;
  vtree_digest_init (&name, alg, data + 1);
  vtree_digest_init (&asked, alg, data + 1);
  int fd = make_file (data + ASKED, size - ASKED, (data[0] & MODE_PUT_RIGHT) != 0, alg);
  g_autoptr (VtreePack) pack = vtree_pack_new_take (fd, &name, &error);
  if (pack == NULL)
    assert_message (error);
  else
    exercise (pack, &asked);
  return 0;
}
