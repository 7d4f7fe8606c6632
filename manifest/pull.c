/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the order of a pull. Everything before the head moves can fail, or be killed,
 * and leaves the repository as it was, with objects that nothing names yet.
 *
 *   locks -> release resolved and accepted there -> manifest, checked -> objects and
 *   manifest here, durable -> signatures put, then the statement -> head -> mark
 */
#include "manifest/pull.h"

#include "manifest/check.h"
#include "manifest/pull-private.h"

#include <string.h>
#include <sys/stat.h>

#define U64 "%" G_GUINT64_FORMAT

void
vtree_pull_result_clear (VtreePullResult *result)
{
  g_clear_pointer (&result->ref, g_free);
  g_clear_pointer (&result->notes, g_ptr_array_unref);
}

void
vtree_pull_init (VtreePull *pull, const VtreeRepo *to, const VtreePullOptions *options,
                 VtreePullResult *result)
{
  *pull = (VtreePull){
    .to = to, .options = options, .result = result, .seal = vtree_repo_seal (to)
  };
  pull->seal.signer = options->signer;
  if (options->has_verity)
    pull->seal.policy = options->verity;
}

void
vtree_pull_clear (VtreePull *pull)
{
  vtree_ingest_free (g_steal_pointer (&pull->ingest));
  vtree_resolved_free (g_steal_pointer (&pull->resolved));
  vtree_store_free (g_steal_pointer (&pull->to_store));
  vtree_store_free (g_steal_pointer (&pull->from_store));
}
static const char *
ref_of (const VtreePull *pull)
{
  return pull->resolved->statement->ref;
}

static uint64_t
version_of (const VtreePull *pull)
{
  return pull->resolved->statement->version;
}

/* --- what the other one has ------------------------------------------------------- */

static bool
check_repositories (const VtreePull *pull, GError **error)
{
  struct stat to, from;
  if (fstat (vtree_repo_dirfd (pull->to), &to) == 0
      && fstat (vtree_repo_dirfd (pull->from), &from) == 0 && to.st_dev == from.st_dev
      && to.st_ino == from.st_ino)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "%s is the repository to pull into",
                            vtree_repo_path (pull->from));
  VtreeDigestAlg ours = vtree_repo_options (pull->to)->digest;
  VtreeDigestAlg theirs = vtree_repo_options (pull->from)->digest;
  return ours == theirs
         || vtree_error_set (error, VTREE_ERROR_INVALID,
                             "%s has %s digests, %s has %s: make a repository with "
                             "`vtree init --digest=%s`",
                             vtree_repo_path (pull->from),
                             vtree_digest_alg_name (theirs), vtree_repo_path (pull->to),
                             vtree_digest_alg_name (ours),
                             vtree_digest_alg_name (theirs));
}

static VtreeResolveOptions
resolve_options (const VtreePull *pull)
{
  return (VtreeResolveOptions){ .paths = pull->options->paths,
                                .force = pull->options->force };
}

/* Takes RESOLVED. */
static bool
note_resolved (VtreePull *pull, VtreeResolved *resolved)
{
  pull->resolved = resolved;
  if (resolved == NULL)
    return false;
  pull->result->ref = g_strdup (ref_of (pull));
  pull->result->version = version_of (pull);
  pull->result->manifest = resolved->manifest;
  pull->result->notes = g_ptr_array_ref (resolved->notes);
  return true;
}

static bool
resolve (VtreePull *pull, const VtreeRefSpec *spec, GError **error)
{
  const VtreeResolveOptions options = resolve_options (pull);
  return note_resolved (pull, vtree_resolve (pull->from, spec, &options, error));
}

bool
vtree_pull_accept (VtreePull *pull, const char *ref, GBytes *root, GBytes *sig,
                   GError **error)
{
  const VtreeResolveOptions options = resolve_options (pull);
  return note_resolved (pull,
                        vtree_resolve_statement (ref, root, sig, &options, error));
}

/* --- what we have ----------------------------------------------------------------- */

/* *ROOT is NULL where the version is not there. */
static bool
load_own (const VtreePull *pull, GBytes **root, GBytes **sig, GError **error)
{
  GError *failed = NULL;
  *root = *sig = NULL;
  if (vtree_refs_load (pull->to, ref_of (pull), version_of (pull), root, sig, &failed))
    return true;
  if (g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_MISSING)) {
    g_clear_error (&failed);
    return true;
  }
  g_propagate_error (error, failed);
  return false;
}

/* Whoever has signed it here, if we trust one of them that is enough. */
static bool
is_trusted (const VtreePull *pull, GBytes *root, GBytes *sig)
{
  const VtreeResolveOptions options = { .paths = pull->options->paths, .force = true };
  g_autoptr (VtreeResolved) resolved
    = sig != NULL ? vtree_resolve_statement (ref_of (pull), root, sig, &options, NULL)
                  : NULL;
  return resolved != NULL;
}

static bool
settle_present (VtreePull *pull, GBytes *root, GBytes *sig, GError **error)
{
  if (!g_bytes_equal (root, pull->resolved->root))
    return vtree_error_set (error, VTREE_ERROR_FAILED,
                            "version " U64 " is there already and is another one; see "
                            "`vtree show %s@" U64 "`",
                            version_of (pull), ref_of (pull), version_of (pull));
  pull->result->state = VTREE_PULL_PRESENT;
  if (!vtree_ingest_clean (pull->to, error))
    return false;
  return is_trusted (pull, root, sig)
         || vtree_refs_put_signature (pull->to, ref_of (pull), version_of (pull),
                                      pull->resolved->sig, &pull->seal, error);
}

/* --- taking it -------------------------------------------------------------------- */

bool
vtree_pull_is_present (const VtreePull *pull, bool *present, GError **error)
{
  g_autoptr (GBytes) root = NULL;
  g_autoptr (GBytes) sig = NULL;
  bool ok = load_own (pull, &root, &sig, error);
  *present = root != NULL;
  return ok;
}

bool
vtree_pull_open (VtreePull *pull, GError **error)
{
  const VtreeIngestOptions options
    = { .verity = pull->seal.policy, .signer = pull->seal.signer };
  pull->to_store = vtree_store_new (pull->to, error);
  if (pull->to_store == NULL)
    return false;
  pull->ingest = vtree_ingest_new (pull->to, &options, error);
  return pull->ingest != NULL;
}

/* VtreePullTake: from another repository. */
static bool
take_from (VtreePull *pull, void *source, GError **error)
{
  g_autoptr (VtreeView) view = NULL;
  (void) source;
  pull->from_store = vtree_store_new (pull->from, error);
  if (pull->from_store == NULL)
    return false;
  view
    = vtree_resolved_open (pull->resolved, pull->from_store, VTREE_VERITY_AUTO, error);
  if (view == NULL || !vtree_check_manifest (view, error)) {
    g_prefix_error (error, "%s: ", vtree_repo_path (pull->from));
    return false;
  }
  return vtree_pull_objects (pull, view, error);
}

static bool
take_and_put (VtreePull *pull, VtreePullTake take, void *source, GError **error)
{
  bool done;
  if ((pull->ingest == NULL && !vtree_pull_open (pull, error))
      || !take (pull, source, error)
      || (pull->seal.signer != NULL
          && !vtree_repo_seal_config (pull->to, &pull->seal, &done, error)))
    return false;
  vtree_ingest_stats (pull->ingest, &pull->result->stats);
  pull->result->state = VTREE_PULL_ADDED;
  return vtree_refs_put (pull->to, ref_of (pull), version_of (pull),
                         pull->resolved->root, pull->resolved->sig, &pull->seal, error);
}

static bool
bring (VtreePull *pull, VtreePullTake take, void *source, GError **error)
{
  g_autoptr (GBytes) root = NULL;
  g_autoptr (GBytes) sig = NULL;
  if (!load_own (pull, &root, &sig, error))
    return false;
  return root != NULL ? settle_present (pull, root, sig, error)
                      : take_and_put (pull, take, source, error);
}

static bool
move_head (VtreePull *pull, GError **error)
{
  const VtreeResolveOptions options = resolve_options (pull);
  VtreePullResult *result = pull->result;
  bool found;
  if (!vtree_refs_head (pull->to, ref_of (pull), &found, &result->head, error))
    return false;
  if (found && result->head >= result->version)
    return vtree_resolved_raise_mark (pull->resolved, &options, error);
  if (!vtree_refs_set_head (pull->to, ref_of (pull), result->version, error))
    return false;
  result->head = result->version;
  result->state = VTREE_PULL_MOVED;
  return vtree_resolved_raise_mark (pull->resolved, &options, error);
}

bool
vtree_pull_release (VtreePull *pull, VtreePullTake take, void *source, GError **error)
{
  g_auto (VtreeFd) ref_lock = -1;
  return vtree_refs_lock (pull->to, ref_of (pull), pull->options->wait, &ref_lock,
                          error)
         && bring (pull, take, source, error) && move_head (pull, error);
}

static bool
run (VtreePull *pull, const VtreeRefSpec *spec, GError **error)
{
  g_auto (VtreeFd) from_lock = -1;
  g_auto (VtreeFd) to_lock = -1;
  int wait = pull->options->wait;
  return check_repositories (pull, error)
         && vtree_repo_lock (pull->from, VTREE_REPO_LOCK_SHARED, wait, &from_lock,
                             error)
         && vtree_repo_lock (pull->to, VTREE_REPO_LOCK_SHARED, wait, &to_lock, error)
         && resolve (pull, spec, error)
         && vtree_pull_release (pull, take_from, NULL, error);
}

bool
vtree_pull (const VtreeRepo *to, const VtreeRepo *from, const VtreeRefSpec *spec,
            const VtreePullOptions *options, VtreePullResult *result, GError **error)
{
  g_auto (VtreePullResult) own = { .version = 0 };
  g_auto (VtreePull) pull = { .to = NULL };
  vtree_pull_init (&pull, to, options, &own);
  pull.from = from;
  if (spec->is_digest)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "pull: a ref expected, not a manifest's digest");
  if (!run (&pull, spec, error)) {
    g_prefix_error (error, "%s: ", spec->name);
    return false;
  }
  *result = own;
  own.ref = NULL;
  own.notes = NULL;
  return true;
}
