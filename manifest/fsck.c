/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the order of a check and what is said of it. Writes nothing itself: repair is an
 * ingest's, in fsck-repair.c, sealing fsck-seal.c's.
 *
 * Manifests come first, are repaired first, and only then tell what else there has to
 * be. What could not be repaired is reported at the end, path by path.
 */
#include "manifest/fsck.h"

#include "core/litter.h"
#include "manifest/fsck-private.h"
#include "manifest/reach.h"

void
vtree_fsck_report (VtreeFsck *fsck, const VtreeFsckProblem *problem)
{
  if (problem->kind == VTREE_FSCK_UNTRUSTED)
    fsck->result->untrusted++;
  else if (problem->kind == VTREE_FSCK_REPAIRED)
    fsck->result->repaired++;
  else if (problem->kind == VTREE_FSCK_UNSEALED)
    fsck->result->unsealed++;
  else if (problem->kind == VTREE_FSCK_STRAY)
    fsck->result->stray++;
  else if (problem->object == NULL && problem->kind == VTREE_FSCK_MISSING)
    fsck->result->missing++;
  else if (problem->object == NULL)
    fsck->result->corrupt++; /* objects are counted once, not once a path */
  if (fsck->options->problem != NULL)
    fsck->options->problem (fsck->options->context, problem);
}

VtreeFsckObject *
vtree_fsck_object (VtreeFsck *fsck, const VtreeDigest *digest, uint64_t size)
{
  VtreeFsckObject *object = g_hash_table_lookup (fsck->objects, digest);
  if (object != NULL)
    return object;
  object = g_new0 (VtreeFsckObject, 1);
  object->digest = *digest;
  object->size = size;
  g_hash_table_insert (fsck->objects, &object->digest, object);
  return object;
}

bool
vtree_fsck_is_bad (const VtreeFsckObject *object)
{
  return object->checked && object->verdict != VTREE_STORE_GOOD && !object->repaired;
}

static void
add_manifests (VtreeFsck *fsck)
{
  for (guint i = 0; i < fsck->versions->len; i++) {
    const VtreeFsckVersion *version = g_ptr_array_index (fsck->versions, i);
    vtree_fsck_object (fsck, &version->manifest, version->size)->reachable = true;
  }
}

static bool
check (VtreeFsck *fsck, GError **error)
{
  if (!vtree_fsck_refs (fsck, error))
    return false;
  add_manifests (fsck);
  return vtree_fsck_check_objects (fsck, error) && vtree_fsck_repair (fsck, error)
         && vtree_fsck_add_reachable (fsck, error)
         && (fsck->options->refs != NULL || vtree_fsck_add_unreachable (fsck, error))
         && vtree_fsck_check_objects (fsck, error) && vtree_fsck_repair (fsck, error)
         && vtree_fsck_packs (fsck, error);
}

/* --- what is left ----------------------------------------------------------------- */

static void
report_object (VtreeFsck *fsck, const VtreeFsckObject *object, const char *ref)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  VtreeFsckProblem problem = {
    .kind
    = object->verdict == VTREE_STORE_MISSING ? VTREE_FSCK_MISSING : VTREE_FSCK_CORRUPT,
    .ref = ref,
    .object = vtree_digest_format (&object->digest, text),
    .message = object->message,
  };
  vtree_fsck_report (fsck, &problem);
}

/* A version without its manifest is harmed whole. */
static bool
report_version (VtreeFsck *fsck, const VtreeFsckVersion *version, GError **error)
{
  if (g_hash_table_contains (fsck->usable, &version->manifest))
    return vtree_fsck_report_harm (fsck, version, error);
  const VtreeFsckObject *object
    = vtree_fsck_object (fsck, &version->manifest, version->size);
  if (vtree_fsck_is_bad (object))
    report_object (fsck, object, version->label);
  return true;
}

/* Counts what is bad; reports here what has no path. */
static bool
count_bad (VtreeFsck *fsck)
{
  GHashTableIter iter;
  gpointer value;
  bool any = false;
  g_hash_table_iter_init (&iter, fsck->objects);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const VtreeFsckObject *object = value;
    if (!vtree_fsck_is_bad (object))
      continue;
    any = true;
    if (object->verdict == VTREE_STORE_MISSING)
      fsck->result->missing++;
    else
      fsck->result->corrupt++;
    if (!object->reachable || object->verdict == VTREE_STORE_BAD_MERKLE)
      report_object (fsck, object, NULL);
  }
  return any;
}

static bool
report_all (VtreeFsck *fsck, GError **error)
{
  if (!count_bad (fsck))
    return true;
  for (guint i = 0; i < fsck->versions->len; i++) {
    if (!report_version (fsck, g_ptr_array_index (fsck->versions, i), error))
      return false;
  }
  return true;
}

/* --- the whole -------------------------------------------------------------------- */

static void
free_version (gpointer data)
{
  VtreeFsckVersion *version = data;
  g_free (version->label);
  g_free (version);
}

static void
free_object (gpointer data)
{
  VtreeFsckObject *object = data;
  g_free (object->message);
  g_free (object->unsealed);
  g_free (object);
}

static void
fsck_init (VtreeFsck *fsck)
{
  fsck->versions = g_ptr_array_new_with_free_func (free_version);
  fsck->objects = g_hash_table_new_full (vtree_digest_hash, vtree_digest_equal_func,
                                         NULL, free_object);
  fsck->usable = vtree_digest_set_new ();
  g_mutex_init (&fsck->lock);
}

static void
fsck_clear (VtreeFsck *fsck)
{
  vtree_store_free (fsck->store);
  vtree_trust_free (fsck->trust);
  g_strfreev (fsck->all_refs);
  g_ptr_array_unref (fsck->versions);
  g_hash_table_unref (fsck->objects);
  g_hash_table_unref (fsck->usable);
  g_mutex_clear (&fsck->lock);
}

static bool
run (VtreeFsck *fsck, GError **error)
{
  bool seal = fsck->options->seal;
  fsck->store = vtree_store_new (fsck->repo, error);
  if (fsck->store == NULL
      || !vtree_litter_clean (fsck->repo, true, &fsck->result->stale_temporary, NULL,
                              error)
      || !vtree_refs_clean (fsck->repo, true, &fsck->result->stale_temporary, error))
    return false;
  fsck->trust = vtree_trust_load (fsck->options->paths, NULL, error);
  return fsck->trust != NULL && (!seal || vtree_fsck_probe_seal (fsck, error))
         && check (fsck, error) && (!seal || vtree_fsck_seal_rest (fsck, error))
         && report_all (fsck, error);
}

bool
vtree_fsck (const VtreeRepo *repo, const VtreeFsckOptions *options,
            VtreeFsckResult *result, GError **error)
{
  VtreeFsckResult own = { 0 };
  VtreeFsck fsck = { .repo = repo, .options = options, .result = &own };
  g_auto (VtreeFd) lock = -1;
  if (!vtree_repo_lock (repo, VTREE_REPO_LOCK_SHARED, options->wait, &lock, error))
    return false;
  fsck_init (&fsck);
  bool ok = run (&fsck, error);
  fsck_clear (&fsck);
  if (!ok) {
    g_prefix_error (error, "check %s: ", vtree_repo_path (repo));
    return false;
  }
  *result = own;
  return true;
}
