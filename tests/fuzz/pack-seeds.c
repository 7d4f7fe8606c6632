/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the seeds of the target pack into a directory: whole packs of different
 * sizes, and the same with every field of the header and of an entry damaged.
 */
#include "core/pack.h"
#include "core/verity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define ITEMS_MAX 200
#define DATA_MAX 40

static bool
read_item (void *context, const VtreePackItem *item, void *data, GError **error)
{
  (void) error;
  memcpy (data, (const uint8_t *) context + item->source, item->size);
  return true;
}

static void
plan_items (VtreePackItem *items, uint8_t *bytes, VtreePackPlan *plan)
{
  for (uint32_t i = 0; i < plan->count; i++) {
    items[i].size = 1 + i % DATA_MAX;
    items[i].source = (uint64_t) i * DATA_MAX;
    memset (bytes + items[i].source, (int) (i % 251), items[i].size);
    memcpy (bytes + items[i].source, &i, MIN (items[i].size, 2));
    VtreeVerityParams params
      = { .alg = plan->alg, .size = items[i].size, .merkle_fd = -1 };
    g_assert_true (vtree_verity_compute_data (&params, bytes + items[i].source,
                                              &items[i].digest, NULL));
  }
  plan->items = items;
  plan->context = bytes;
}

/* The bytes of a pack of COUNT objects, behind the digest of the last of them. */
static GByteArray *
make_seed (VtreeDigestAlg alg, uint32_t count)
{
  g_autofree VtreePackItem *items = g_new0 (VtreePackItem, ITEMS_MAX);
  g_autofree uint8_t *bytes = g_malloc0 ((gsize) ITEMS_MAX * DATA_MAX);
  VtreePackPlan plan = { .alg = alg, .count = count, .read = read_item };
  GByteArray *seed = g_byte_array_new ();
  g_auto (VtreeFd) fd = memfd_create ("pack", MFD_CLOEXEC);
  VtreeDigest name;
  uint64_t size;
  size_t got;
  plan_items (items, bytes, &plan);
  g_assert_true (vtree_pack_write (fd, &plan, &name, &size, NULL));
  g_byte_array_set_size (seed, (guint) (65 + size));
  memset (seed->data, 0, 65);
  seed->data[0] = alg == VTREE_DIGEST_SHA512;
  memcpy (seed->data + 1, items[count - 1].digest.value, vtree_digest_alg_size (alg));
  g_assert_true (vtree_fd_pread (fd, seed->data + 65, size, 0, &got, NULL));
  g_assert_cmpuint (got, ==, size);
  return seed;
}

static bool
write_seed (const char *directory, const char *name, const GByteArray *seed)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (directory, name, NULL);
  if (g_file_set_contents (path, (const char *) seed->data, (gssize) seed->len, &error))
    return true;
  fprintf (stderr, "%s\n", error->message);
  return false;
}

static bool
write_whole (const char *directory)
{
  static const uint32_t counts[] = { 1, 2, 3, 53, 54, 93, 94, ITEMS_MAX };
  for (size_t i = 0; i < 2 * G_N_ELEMENTS (counts); i++) {
    VtreeDigestAlg alg = i % 2 == 0 ? VTREE_DIGEST_SHA256 : VTREE_DIGEST_SHA512;
    g_autoptr (GByteArray) seed = make_seed (alg, counts[i / 2]);
    g_autofree char *name
      = g_strdup_printf ("%s-%u", vtree_digest_alg_name (alg), counts[i / 2]);
    g_autofree char *right = g_strconcat (name, "-put-right", NULL);
    if (!write_seed (directory, name, seed))
      return false;
    seed->data[0] |= 2;
    if (!write_seed (directory, right, seed))
      return false;
  }
  return true;
}

/* Header fields from the start, those of the last entry from the end. */
static const struct {
  const char *name;
  int offset, size;
} fields[] = {
  { "magic", 0, 8 },      { "version", 8, 4 },          { "algorithm", 12, 4 },
  { "features", 16, 4 },  { "largest", 20, 4 },         { "count", 24, 8 },
  { "index", 32, 8 },     { "reserved", 40, 24 },       { "contents", 64, 1 },
  { "digest", -44, 32 },  { "offset", -12, 8 },         { "size", -4, 4 },
  { "unsorted", -88, 1 }, { "digest-before", -88, 32 },
};

static bool
write_damaged (const char *directory)
{
  static const uint8_t values[] = { 0x00, 0xff };
  for (size_t i = 0; i < 2 * G_N_ELEMENTS (fields); i++) {
    g_autoptr (GByteArray) seed = make_seed (VTREE_DIGEST_SHA256, 3);
    int offset = fields[i / 2].offset;
    size_t start = (size_t) (offset < 0 ? (int) seed->len + offset : 65 + offset);
    g_autofree char *name
      = g_strdup_printf ("%s-%02x", fields[i / 2].name, values[i % 2]);
    memset (seed->data + start, values[i % 2], (size_t) fields[i / 2].size);
    if (!write_seed (directory, name, seed))
      return false;
  }
  return true;
}

int
main (int argc, char **argv)
{
  if (argc != 2) {
    fprintf (stderr, "usage: %s DIRECTORY\n", argv[0]);
    return 2;
  }
  if (g_mkdir_with_parents (argv[1], 0777) != 0) {
    fprintf (stderr, "%s: %s\n", argv[1], g_strerror (errno));
    return 1;
  }
  return write_whole (argv[1]) && write_damaged (argv[1]) ? 0 : 1;
}
