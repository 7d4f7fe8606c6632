/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the question what is alive: all that any manifest names which the repository
 * has, those of the newest versions first. One that a version needs has to be whole;
 * another that is not is no manifest.
 */
#include "core/lock.h"
#include "manifest/format.h"
#include "manifest/reach.h"
#include "manifest/repack-private.h"

#include <string.h>

typedef struct {
  VtreeRepack *repack;
  GHashTable *seen; /* set: manifests */
} Search;

static VtreeRepackLive *
add_live (VtreeRepack *repack, const VtreeDigest *digest, uint64_t size)
{
  VtreeRepackLive *live = g_hash_table_lookup (repack->live, digest);
  if (live != NULL)
    return live;
  live = g_new0 (VtreeRepackLive, 1);
  live->digest = *digest;
  live->size = size;
  g_hash_table_insert (repack->live, &live->digest, live);
  g_ptr_array_add (repack->order, live);
  return live;
}

/* VtreeStoreEach */
static bool
add_reached (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  VtreeRepack *repack = context;
  (void) error;
  if (size <= VTREE_PACK_OBJECT_MAX || repack->all_sizes)
    add_live (repack, digest, size);
  return true;
}

static bool
add_manifest (Search *search, const VtreeDigest *digest, uint64_t size, GError **error)
{
  if (g_hash_table_contains (search->seen, digest))
    return true;
  g_autoptr (VtreeView) view
    = vtree_reach_open (search->repack->store, digest, size, error);
  if (view == NULL || !vtree_reach_foreach (view, add_reached, search->repack, error))
    return false;
  vtree_digest_set_add (search->seen, digest);
  if (size <= VTREE_PACK_OBJECT_MAX || search->repack->all_sizes)
    add_live (search->repack, digest, size)->manifest = true;
  return true;
}

/* --- of versions ------------------------------------------------------------------ */

static bool
add_version (Search *search, const char *ref, uint64_t version, GError **error)
{
  g_autoptr (GBytes) root = NULL;
  g_autoptr (GBytes) sig = NULL;
  if (!vtree_refs_load (search->repack->repo, ref, version, &root, &sig, error))
    return false;
  gsize size;
  const void *data = g_bytes_get_data (root, &size);
  g_autoptr (VtreeStatement) statement = vtree_statement_parse (data, size, error);
  if (statement != NULL
      && add_manifest (search, &statement->manifest, statement->size, error))
    return true;
  g_prefix_error (error, "%s@%" G_GUINT64_FORMAT ": ", ref, version);
  return false;
}

static bool
add_ref (Search *search, const char *ref, GError **error)
{
  g_autoptr (GArray) versions = vtree_refs_versions (search->repack->repo, ref, error);
  for (guint i = versions != NULL ? versions->len : 0; i-- > 0;)
    if (!add_version (search, ref, g_array_index (versions, uint64_t, i), error))
      return false;
  return versions != NULL;
}

static bool
add_refs (Search *search, GError **error)
{
  g_auto (GStrv) refs = vtree_refs_list (search->repack->repo, NULL, error);
  for (char **ref = refs; ref != NULL && *ref != NULL; ref++)
    if (!add_ref (search, *ref, error))
      return false;
  return refs != NULL;
}

/* --- others ----------------------------------------------------------------------- */

typedef struct {
  VtreeDigest digest;
  uint64_t size;
} Found;

/* VtreeStoreEach */
static bool
collect (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  const Found found = { *digest, size };
  (void) error;
  g_array_append_val (context, found);
  return true;
}

static gint
compare_found (gconstpointer a, gconstpointer b)
{
  return vtree_digest_compare (&((const Found *) a)->digest,
                               &((const Found *) b)->digest);
}

static bool
looks_like_manifest (const VtreeStore *store, const VtreeDigest *digest)
{
  uint8_t magic[VTREE_VTM_MAGIC_SIZE];
  size_t got;
  g_auto (VtreeFd) fd = -1;
  return vtree_store_open_raw (store, digest, &fd, NULL) && fd >= 0
         && vtree_fd_pread (fd, magic, sizeof magic, 0, &got, NULL)
         && got == sizeof magic && memcmp (magic, VTREE_VTM_MAGIC, sizeof magic) == 0;
}

/* FAILED says why the object is no manifest. Where a mount has it locked, it is one all
 * the same, and what it needs is not known. */
static bool
check_free (const Search *search, const VtreeDigest *digest, const GError *failed,
            GError **error)
{
  g_auto (VtreeFd) fd = -1;
  g_autoptr (GError) busy = NULL;
  if (!vtree_store_open_raw (search->repack->store, digest, &fd, NULL) || fd < 0
      || vtree_lock_take (fd, VTREE_LOCK_EXCLUSIVE, 0, &busy)
      || !g_error_matches (busy, VTREE_ERROR, VTREE_ERROR_BUSY))
    return true;
  return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                          "a mount holds a bad manifest: %s", failed->message);
}

/* A mount may have it though no ref has. */
static bool
add_other (Search *search, const Found *found, GError **error)
{
  g_autoptr (GError) failed = NULL;
  char text[VTREE_DIGEST_TEXT_MAX];
  if (g_hash_table_contains (search->seen, &found->digest))
    return true;
  if (!looks_like_manifest (search->repack->store, &found->digest))
    vtree_error_set (&failed, VTREE_ERROR_CORRUPT, "object %s: it is no manifest",
                     vtree_digest_format (&found->digest, text));
  else if (add_manifest (search, &found->digest, found->size, &failed))
    return true;
  if (failed->domain == VTREE_ERROR)
    return check_free (search, &found->digest, failed, error);
  g_propagate_error (error, g_steal_pointer (&failed));
  return false;
}

static void
note_loose (Search *search, const Found *found)
{
  VtreeRepackResult *result = search->repack->result;
  VtreeRepackLive *live = g_hash_table_lookup (search->repack->live, &found->digest);
  if (live == NULL)
    return;
  live->loose = true;
  if (result != NULL && !live->manifest)
    result->bytes_before += found->size;
}

static bool
add_loose (Search *search, GError **error)
{
  g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (Found));
  if (!vtree_store_foreach (search->repack->store, collect, all, error))
    return false;
  g_array_sort (all, compare_found);
  for (guint i = 0; i < all->len; i++)
    if (!add_other (search, &g_array_index (all, Found, i), error))
      return false;
  for (guint i = 0; i < all->len; i++)
    note_loose (search, &g_array_index (all, Found, i));
  return true;
}

bool
vtree_repack_find_live (VtreeRepack *repack, GError **error)
{
  g_autoptr (GHashTable) seen = vtree_digest_set_new ();
  Search search = { repack, seen };
  return add_refs (&search, error) && add_loose (&search, error);
}
