/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/manifest/repack-fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>

uint8_t *
repack_contents (unsigned number)
{
  return repo_fixture_bytes (REPACK_SIZE, 1000 + number);
}

VtreeDigest
repack_digest (unsigned number)
{
  g_autofree uint8_t *data = repack_contents (number);
  return versions_fixture_digest (data, REPACK_SIZE);
}

VtreeDigest
repack_put_version (VersionsFixture *fixture, uint64_t version, unsigned first,
                    unsigned count)
{
  VersionFile files[65] = { 0 };
  VersionSpec release = { "os/test", version, files, VERSION_SIGNED };
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (g_free);
  g_assert_cmpuint (count, <, G_N_ELEMENTS (files));
  for (unsigned i = 0; i < count; i++) {
    char *name = g_strdup_printf ("d%u/f%u", (first + i) % 3, first + i);
    uint8_t *data = repack_contents (first + i);
    files[i] = (VersionFile){ name, data, REPACK_SIZE };
    g_ptr_array_add (all, name);
    g_ptr_array_add (all, data);
  }
  return versions_fixture_put (fixture, &release);
}

static void
put (const VersionsFixture *fixture, unsigned first, unsigned count, bool loose)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GHashTable) none
    = g_hash_table_new (vtree_digest_hash, vtree_digest_equal_func);
  g_autoptr (GArray) names = repo_fixture_packs (&fixture->repo);
  for (guint i = 0; i < names->len; i++)
    g_hash_table_add (none, &g_array_index (names, VtreeDigest, i));
  VtreeIngestOptions options
    = { .leaving = none, .has_threshold = true, .threshold = REPACK_THRESHOLD };
  g_autoptr (VtreeIngest) ingest
    = vtree_ingest_new (fixture->repo.repo, &options, &error);
  g_assert_no_error (error);
  for (unsigned i = first; i < first + count; i++) {
    g_autofree uint8_t *data = repack_contents (i);
    VtreeDigest digest;
    if (loose)
      vtree_ingest_manifest (ingest, data, REPACK_SIZE, &digest, &error);
    else
      vtree_ingest_bytes (ingest, data, REPACK_SIZE, &digest, &error);
    g_assert_no_error (error);
    vtree_ingest_order (ingest, &digest);
  }
  repo_fixture_seal (ingest);
}

void
repack_put_pack (const VersionsFixture *fixture, unsigned first, unsigned count)
{
  put (fixture, first, count, false);
}

void
repack_put_loose (const VersionsFixture *fixture, unsigned first, unsigned count)
{
  put (fixture, first, count, true);
}

void
repack_check (const VersionsFixture *fixture, unsigned first, unsigned count)
{
  for (unsigned i = first; i < first + count; i++) {
    g_autofree uint8_t *data = repack_contents (i);
    VtreeDigest digest = repack_digest (i);
    repo_fixture_check_reads (&fixture->repo, &digest, data, REPACK_SIZE);
  }
}

void
repack_check_none (const VersionsFixture *fixture, unsigned first, unsigned count)
{
  g_autoptr (VtreeStore) store = repo_fixture_store (&fixture->repo);
  g_autoptr (GError) error = NULL;
  for (unsigned i = first; i < first + count; i++) {
    VtreeDigest digest = repack_digest (i);
    uint64_t size;
    bool found = true;
    g_assert_true (vtree_store_find (store, &digest, &found, &size, &error));
    g_assert_false (found);
  }
}

VtreeRepackResult
repack (const VersionsFixture *fixture, const VtreeRepackOptions *options)
{
  g_autoptr (GError) error = NULL;
  VtreeRepackResult result = { 0 };
  vtree_repack (fixture->repo.repo, options, &result, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (result.packs_after, ==, repack_count_packs (fixture));
  g_assert_cmpuint (repo_fixture_count (&fixture->repo, "tmp"), ==, 0);
  return result;
}

unsigned
repack_count_packs (const VersionsFixture *fixture)
{
  g_autoptr (GArray) names = repo_fixture_packs (&fixture->repo);
  return names->len;
}

static bool
note_name (void *context, VtreePack *pack, uint64_t index, const VtreePackEntry *entry)
{
  (void) index;
  (void) entry;
  *(VtreeDigest *) context = *vtree_pack_name (pack);
  return false;
}

char *
repack_pack_of (const VersionsFixture *fixture, unsigned number)
{
  g_autoptr (VtreeStore) store = repo_fixture_store (&fixture->repo);
  VtreeDigest digest = repack_digest (number), name = { 0 };
  g_assert_true (vtree_packs_find (vtree_store_packs (store), &digest,
                                   VTREE_PACKS_ANY_SIZE, note_name, &name, NULL));
  g_assert_cmpuint (name.alg, ==, VTREE_DIGEST_SHA256);
  return repo_fixture_pack (&fixture->repo, &name);
}

void
repack_damage (const char *path, unsigned number)
{
  VtreeDigest name = { .alg = VTREE_DIGEST_SHA256 };
  VtreeDigest digest = repack_digest (number);
  VtreePackEntry entry;
  uint64_t index;
  bool found = false;
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  g_autoptr (VtreePack) pack = vtree_pack_new_take (fd, &name, NULL);
  g_assert_nonnull (pack);
  g_assert_true (vtree_pack_find (pack, &digest, &found, &index, &entry, NULL));
  g_assert_true (found);
  repo_fixture_flip (path, (size_t) entry.offset + 1);
}
