/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns which versions of a ref a gc keeps: its head; of those up to the head the
 * newest, as many as it was told, and those that somebody holds; and all that are newer
 * than the head (not signed yet, or a commit that was interrupted).
 *
 * The statements are parsed though no signature has been checked: an unsigned version
 * must be kept too, and a forged statement can only make a gc keep more.
 */
#include "manifest/gc-private.h"

#include <fcntl.h>
#include <sys/stat.h>

static bool
keep_manifest (VtreeGc *gc, const char *ref, uint64_t version, GError **error)
{
  g_autoptr (GBytes) root = NULL;
  g_autoptr (GBytes) sig = NULL;
  if (!vtree_refs_load (gc->repo, ref, version, &root, &sig, error))
    return false;
  gsize size;
  const void *data = g_bytes_get_data (root, &size);
  g_autoptr (VtreeStatement) statement = vtree_statement_parse (data, size, error);
  if (statement == NULL) {
    g_prefix_error (error, "%s@%" G_GUINT64_FORMAT ": ", ref, version);
    return false;
  }
  g_hash_table_replace (gc->manifests, vtree_digest_dup (&statement->manifest),
                        g_memdup2 (&statement->size, sizeof statement->size));
  return true;
}

static void
doom (VtreeGc *gc, const char *ref, uint64_t version)
{
  VtreeGcVersion *doomed = g_new (VtreeGcVersion, 1);
  doomed->ref = g_strdup (ref);
  doomed->version = version;
  g_ptr_array_add (gc->doomed, doomed);
}

/* One that the number of versions does not keep: perhaps somebody else does. */
static bool
plan_old (VtreeGc *gc, const char *ref, uint64_t version, GError **error)
{
  const VtreeGcOptions *options = gc->options;
  g_autofree char *holder = NULL;
  if (options->hold != NULL
      && !options->hold (options->context, ref, version, &holder, error))
    return false;
  if (holder == NULL) {
    doom (gc, ref, version);
    return true;
  }
  if (options->kept != NULL)
    options->kept (options->context, ref, version, holder);
  return keep_manifest (gc, ref, version, error);
}

static bool
plan_ref (VtreeGc *gc, const char *ref, GError **error)
{
  bool has_head;
  uint64_t head = 0;
  g_autoptr (GArray) versions = vtree_refs_versions (gc->repo, ref, error);
  if (versions == NULL || !vtree_refs_head (gc->repo, ref, &has_head, &head, error))
    return false;
  unsigned kept = 0;
  for (guint i = versions->len; i-- > 0;) {
    uint64_t version = g_array_index (versions, uint64_t, i);
    bool published = has_head && version <= head;
    if (published && kept >= gc->options->keep) {
      if (!plan_old (gc, ref, version, error))
        return false;
      continue;
    }
    kept += published;
    if (!keep_manifest (gc, ref, version, error))
      return false;
  }
  return true;
}

/* A symlink in the place of a ref may lead to where somebody has moved it. */
static bool
check_stray (const VtreeGc *gc, const char *stray, GError **error)
{
  struct stat st;
  g_autofree char *path = g_build_filename ("refs", stray, NULL);
  if (!vtree_ref_check_name (stray, NULL)
      || fstatat (vtree_repo_dirfd (gc->repo), path, &st, AT_SYMLINK_NOFOLLOW) < 0
      || !S_ISLNK (st.st_mode))
    return true;
  return vtree_error_set (
    error, VTREE_ERROR_CORRUPT,
    "nothing is deleted: %s is a symbolic link, and what it leads "
    "to is not looked at",
    path);
}

bool
vtree_gc_plan_refs (VtreeGc *gc, GError **error)
{
  g_autoptr (GPtrArray) strays = g_ptr_array_new_with_free_func (g_free);
  g_auto (GStrv) refs = vtree_refs_list (gc->repo, strays, error);
  if (refs == NULL)
    return false;
  for (guint i = 0; i < strays->len; i++) {
    if (!check_stray (gc, g_ptr_array_index (strays, i), error))
      return false;
  }
  for (char **ref = refs; *ref != NULL; ref++) {
    if (!plan_ref (gc, *ref, error))
      return false;
  }
  return true;
}

bool
vtree_gc_remove_versions (VtreeGc *gc, GError **error)
{
  for (guint i = 0; i < gc->doomed->len; i++) {
    const VtreeGcVersion *doomed = g_ptr_array_index (gc->doomed, i);
    if (!gc->options->dry_run
        && !vtree_refs_remove_version (gc->repo, doomed->ref, doomed->version, error))
      return false;
    g_autofree char *what
      = g_strdup_printf ("%s@%" G_GUINT64_FORMAT, doomed->ref, doomed->version);
    gc->result->versions++;
    if (gc->options->removed != NULL)
      gc->options->removed (gc->options->context, what);
  }
  return true;
}
