/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/core/pack-fixture.h"

#include "core/verity.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>

void
pack_fixture_init (PackFixture *fixture, VtreeDigestAlg alg)
{
  *fixture = (PackFixture){ .alg = alg };
  fixture->items = g_array_new (FALSE, FALSE, sizeof (VtreePackItem));
  fixture->data = g_byte_array_new ();
}

void
pack_fixture_clear (PackFixture *fixture)
{
  g_array_unref (fixture->items);
  g_byte_array_unref (fixture->data);
  g_free (fixture->path);
}

/* xorshift64, which is fast enough for many. */
static uint8_t *
append_bytes (PackFixture *fixture, unsigned seed, uint32_t size)
{
  guint start = fixture->data->len;
  uint64_t state = (uint64_t) seed * UINT64_C (0x9e3779b97f4a7c15) + 1;
  g_byte_array_set_size (fixture->data, start + size);
  for (uint32_t i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    fixture->data->data[start + i] = (uint8_t) (state >> 24);
  }
  return fixture->data->data + start;
}

void
pack_fixture_add (PackFixture *fixture, unsigned seed, uint32_t size)
{
  g_autoptr (GError) error = NULL;
  VtreePackItem item = { .size = size, .source = fixture->data->len };
  const uint8_t *data = append_bytes (fixture, seed, size);
  VtreeVerityParams params = { .alg = fixture->alg, .size = size, .merkle_fd = -1 };
  vtree_verity_compute_data (&params, data, &item.digest, &error);
  g_assert_no_error (error);
  g_array_append_val (fixture->items, item);
}

void
pack_fixture_add_as (PackFixture *fixture, const VtreeDigest *digest, uint32_t size)
{
  VtreePackItem item
    = { .digest = *digest, .size = size, .source = fixture->data->len };
  append_bytes (fixture, fixture->items->len, size);
  g_array_append_val (fixture->items, item);
}

void
pack_fixture_add_many (PackFixture *fixture, unsigned seed, unsigned count)
{
  for (unsigned i = 0; i < count; i++)
    pack_fixture_add (fixture, seed + i, 8 + i % 97);
}

const VtreePackItem *
pack_fixture_item (const PackFixture *fixture, unsigned index)
{
  g_assert_cmpuint (index, <, fixture->items->len);
  return &g_array_index (fixture->items, VtreePackItem, index);
}

const uint8_t *
pack_fixture_bytes (const PackFixture *fixture, const VtreePackItem *item)
{
  return fixture->data->data + item->source;
}

static bool
read_item (void *context, const VtreePackItem *item, void *data, GError **error)
{
  (void) error;
  memcpy (data, pack_fixture_bytes (context, item), item->size);
  return true;
}

void
pack_fixture_write (PackFixture *fixture, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *dir = path == NULL ? vtree_test_make_dir () : NULL;
  VtreePackPlan plan = { .alg = fixture->alg,
                         .items = (const VtreePackItem *) (void *) fixture->items->data,
                         .count = fixture->items->len,
                         .read = read_item,
                         .context = fixture };
  g_free (fixture->path);
  fixture->path = path == NULL ? g_build_filename (dir, "pack", NULL) : g_strdup (path);
  g_auto (VtreeFd) fd
    = open (fixture->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  g_assert_cmpint (fd, >=, 0);
  vtree_pack_write (fd, &plan, &fixture->name, &fixture->size, &error);
  g_assert_no_error (error);
}

void
pack_fixture_put (PackFixture *fixture, const char *dir)
{
  char path[VTREE_DIGEST_PATH_MAX];
  pack_fixture_write (fixture, NULL);
  g_autofree char *to
    = g_build_filename (dir, vtree_digest_path (&fixture->name, path), NULL);
  g_autofree char *fanout = g_path_get_dirname (to);
  g_assert_cmpint (g_mkdir_with_parents (fanout, 0755), ==, 0);
  g_assert_cmpint (g_rename (fixture->path, to), ==, 0);
  g_free (fixture->path);
  fixture->path = g_steal_pointer (&to);
}

VtreePack *
pack_fixture_try_open (const PackFixture *fixture, GError **error)
{
  int fd = open (fixture->path, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  return vtree_pack_new_take (fd, &fixture->name, error);
}

VtreePack *
pack_fixture_open (const PackFixture *fixture)
{
  g_autoptr (GError) error = NULL;
  VtreePack *pack = pack_fixture_try_open (fixture, &error);
  g_assert_no_error (error);
  return pack;
}

bool
pack_fixture_find (const VtreePack *pack, const VtreeDigest *digest, uint64_t *index,
                   VtreePackEntry *entry)
{
  g_autoptr (GError) error = NULL;
  bool found = false;
  vtree_pack_find (pack, digest, &found, index, entry, &error);
  g_assert_no_error (error);
  return found;
}
