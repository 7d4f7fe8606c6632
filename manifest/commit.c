/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the order of a commit. Everything before the head moves can fail, or be killed,
 * and leaves the old release as it was: objects that nothing names, at worst a version
 * that no head names.
 *
 *   locks -> version -> capture and stage -> manifest, checked -> statement, signed
 *   -> one syncfs, sealed, renamed -> one syncfs -> signatures put, then the statement
 *   -> head -> mark
 */
#include "manifest/commit.h"

#include "core/mark.h"
#include "manifest/check.h"
#include "manifest/present.h"
#include "manifest/reach.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
  const VtreeRepo *repo;
  const VtreeCommitOptions *options;
  VtreeSeal seal;
  VtreeIngest *ingest;
  GBytes *root; /* the statement's bytes */
  GBytes *sig;  /* NULL: unsigned */
  VtreeStatement *statement;
  uint64_t parent_size; /* of the head's manifest, 0: there is none */
  VtreeStatCache *cache;
} Commit;

void
vtree_commit_result_clear (VtreeCommitResult *result)
{
  g_clear_pointer (&result->replaced, g_ptr_array_unref);
}

static bool
is_signed (const VtreeCommitOptions *options)
{
  return options->signers != NULL && options->signers->len > 0;
}

/* Whatever stands under their names; none where the ref is new. */
static GArray *
list_versions (const Commit *commit, GError **error)
{
  g_autoptr (GError) failure = NULL;
  GArray *versions = vtree_refs_versions (commit->repo, commit->options->ref, &failure);
  if (versions != NULL)
    return versions;
  if (g_error_matches (failure, VTREE_ERROR, VTREE_ERROR_MISSING))
    return g_array_new (FALSE, FALSE, sizeof (uint64_t));
  g_propagate_error (error, g_steal_pointer (&failure));
  return NULL;
}

/* Whether VERSION is a statement of this ref, which can be signed yet. */
static bool
is_statement (const Commit *commit, uint64_t version)
{
  const char *ref = commit->options->ref;
  g_autoptr (GBytes) root = NULL;
  g_autoptr (GBytes) sig = NULL;
  if (!vtree_refs_load (commit->repo, ref, version, &root, &sig, NULL))
    return false;
  size_t size;
  const void *data = g_bytes_get_data (root, &size);
  g_autoptr (VtreeStatement) statement = vtree_statement_parse (data, size, NULL);
  return statement != NULL && strcmp (statement->ref, ref) == 0
         && statement->version == version;
}

/* The largest version above FLOOR that can become the head, or FLOOR. */
static uint64_t
find_newest (const Commit *commit, const GArray *versions, uint64_t floor)
{
  for (guint i = versions->len; i-- > 0;) {
    uint64_t version = g_array_index (versions, uint64_t, i);
    if (version <= floor)
      break;
    if (is_statement (commit, version))
      return version;
  }
  return floor;
}

/* The first version above FLOOR under whose name nothing stands; 0 if there is none. */
static uint64_t
find_free (const GArray *versions, uint64_t floor)
{
  uint64_t version = floor + 1;
  for (guint i = 0; i < versions->len && version != 0; i++)
    version += version == g_array_index (versions, uint64_t, i);
  return version;
}

/* The version to commit, above head and mark; one that nobody asked for is also above
 * what is still unsigned, unless that leaves none. What is no statement is in nobody's
 * way. */
static bool
choose_version (const Commit *commit, uint64_t head, uint64_t *version, GError **error)
{
  const VtreeCommitOptions *options = commit->options;
  bool has_mark;
  VtreeMark mark;
  if (!vtree_mark_load (options->paths, options->ref, &has_mark, &mark, error))
    return false;
  uint64_t floor = has_mark ? MAX (head, mark.version) : head;
  if (options->version > floor) {
    *version = options->version;
    return true;
  }
  if (options->version != 0)
    return vtree_error_set (
      error, VTREE_ERROR_ROLLBACK,
      "version %" G_GUINT64_FORMAT " is not above %" G_GUINT64_FORMAT ", which is %s",
      options->version, floor, floor == head ? "the head" : "the mark");
  g_autoptr (GArray) versions = list_versions (commit, error);
  if (versions == NULL)
    return false;
  uint64_t chosen = find_free (versions, find_newest (commit, versions, floor));
  if (chosen == 0)
    chosen = find_free (versions, floor);
  if (chosen == 0)
    return vtree_error_set (error, VTREE_ERROR_LIMIT,
                            "there is no version above %" G_GUINT64_FORMAT, floor);
  *version = chosen;
  return true;
}

/* Names the head's manifest as the parent, where it can be read. It is information:
 * nobody decides anything by it, so an unreadable old statement does not stop a new
 * one. */
static void
find_parent (Commit *commit, uint64_t head)
{
  g_autoptr (GBytes) root = NULL;
  g_autoptr (GBytes) sig = NULL;
  if (!vtree_refs_load (commit->repo, commit->options->ref, head, &root, &sig, NULL))
    return;
  size_t size;
  const void *data = g_bytes_get_data (root, &size);
  g_autoptr (VtreeStatement) old = vtree_statement_parse (data, size, NULL);
  if (old == NULL)
    return;
  commit->statement->has_parent = true;
  commit->statement->parent = old->manifest;
  commit->parent_size = old->size;
}

/* The statement without what the capture will tell. Serializing it once finds what is
 * wrong with it before hours of work. */
static bool
prepare_statement (Commit *commit, GError **error)
{
  const VtreeCommitOptions *options = commit->options;
  uint64_t head = 0;
  bool has_head;
  if (!vtree_refs_head (commit->repo, options->ref, &has_head, &head, error))
    return false;
  VtreeStatement *statement = g_new0 (VtreeStatement, 1);
  commit->statement = statement;
  if (!choose_version (commit, has_head ? head : 0, &statement->version, error))
    return false;
  statement->ref = g_strdup (options->ref);
  statement->created = g_get_real_time () / G_USEC_PER_SEC;
  statement->expires = options->expires;
  statement->manifest.alg = vtree_repo_options (commit->repo)->digest;
  statement->size = 1;
  if (options->expires != 0 && options->expires <= statement->created)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "it would have expired already");
  if (options->message != NULL) {
    const char *const extra[] = { "x-message", options->message, NULL };
    statement->extra = g_strdupv ((char **) (void *) extra);
  }
  if (has_head)
    find_parent (commit, head);
  g_autoptr (GBytes) probe = vtree_statement_serialize (statement, error);
  return probe != NULL;
}

/* --- trusting stat ---------------------------------------------------------------- */

static bool
load_cache (Commit *commit, VtreeCaptureOptions *capture, const VtreeRepo *repo,
            GError **error)
{
  if (!commit->options->trust_stat)
    return true;
  g_autofree char *xattrs = capture->xattrs != NULL
                              ? g_strjoinv (",", (char **) (void *) capture->xattrs)
                              : g_strdup ("default");
  g_autofree char *filter = g_strdup_printf ("%d %u %u %s", capture->owner,
                                             capture->uid, capture->gid, xattrs);
  commit->cache
    = vtree_stat_cache_load (commit->options->paths, vtree_repo_path (repo),
                             commit->options->ref, capture->alg, filter, error);
  if (commit->cache == NULL)
    return false;
  capture->cache = commit->cache;
  return true;
}

/* Captures while what the head has is listed. Where that lacks what the cache answered
 * with, all is done again with what there is. Without a head that can be read there is
 * nothing to be trusted. */
static VtreeBuilder *
capture_trusting (Commit *commit, int fd, const char *dir,
                  const VtreeCaptureOptions *capture, GError **error)
{
  const VtreeStatement *statement = commit->statement;
  if (commit->parent_size == 0 || vtree_stat_cache_is_empty (commit->cache)) {
    vtree_stat_cache_clear (commit->cache);
    return vtree_capture (fd, dir, capture, commit->ingest, error);
  }
  g_autoptr (VtreePresent) present
    = vtree_present_new (commit->repo, &statement->parent, commit->parent_size);
  g_autoptr (VtreeBuilder) builder
    = vtree_capture (fd, dir, capture, commit->ingest, error);
  if (builder != NULL
      && !vtree_stat_cache_restrict (commit->cache, vtree_present_wait (present))) {
    vtree_builder_free (builder);
    builder = vtree_capture (fd, dir, capture, commit->ingest, error);
  }
  vtree_stat_cache_end (commit->cache); /* as PRESENT does */
  return g_steal_pointer (&builder);
}

static bool
save_cache (const Commit *commit, GError **error)
{
  if (commit->cache == NULL || vtree_stat_cache_save (commit->cache, error))
    return true;
  g_prefix_error (error, "version %" G_GUINT64_FORMAT " is committed, but: ",
                  commit->statement->version);
  return false;
}

/* Reads DIR, and hands the manifest's bytes back. */
static GBytes *
capture_tree (Commit *commit, const char *dir, const VtreeCaptureOptions *wanted,
              GError **error)
{
  g_autofree char *shown = vtree_error_escape (dir, -1);
  g_auto (VtreeFd) fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat (vtree_repo_dirfd (commit->repo), &st) != 0) {
    vtree_error_set_errno (error, errno, "open %s", shown);
    return NULL;
  }
  VtreeCaptureOptions capture = *wanted;
  const VtreeRepoOptions *repo = vtree_repo_options (commit->repo);
  /* Its configuration may say that nobody else can enter: see whether that is so. */
  bool open_to_others = repo->shared || (st.st_mode & S_IXOTH);
  capture.alg = repo->digest;
  capture.forbidden_dev = st.st_dev;
  capture.forbidden_ino = st.st_ino;
  capture.require_world_readable = open_to_others && !commit->options->allow_secret;
  if (!load_cache (commit, &capture, commit->repo, error))
    return NULL;
  g_autoptr (VtreeBuilder) builder
    = commit->cache != NULL ? capture_trusting (commit, fd, dir, &capture, error)
                            : vtree_capture (fd, dir, &capture, commit->ingest, error);
  return builder != NULL ? vtree_builder_finish (builder, error) : NULL;
}

/* VtreeStoreEach */
static bool
order (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  (void) size;
  (void) error;
  vtree_ingest_order (context, digest);
  return true;
}

/* Checks the manifest like any other consumer would: what is wrong with it shall not be
 * signed. Its figures go into RESULT, the order of its objects to the ingest. */
static bool
check_manifest (const Commit *commit, GBytes *manifest, VtreeCommitResult *result,
                GError **error)
{
  g_autoptr (VtreePages) pages = vtree_pages_new_for_bytes (manifest);
  g_autoptr (VtreeView) view = vtree_view_new (pages, error);
  if (view == NULL || !vtree_check_manifest (view, error)) {
    g_prefix_error (error, "the new manifest fails its own check: ");
    return false;
  }
  result->totals = *vtree_view_totals (view);
  return vtree_reach_foreach (view, order, commit->ingest, error);
}

static bool
stage_manifest (Commit *commit, GBytes *manifest, GError **error)
{
  size_t size;
  const void *data = g_bytes_get_data (manifest, &size);
  commit->statement->size = size;
  return vtree_ingest_manifest (commit->ingest, data, size,
                                &commit->statement->manifest, error);
}

static bool
sign_statement (Commit *commit, GError **error)
{
  commit->root = vtree_statement_serialize (commit->statement, error);
  if (commit->root == NULL)
    return false;
  if (!is_signed (commit->options))
    return true;
  g_autoptr (GBytes) message = vtree_statement_signed_bytes (commit->root);
  VtreeSigningRequest request = { .message = message,
                                  .ref = commit->options->ref,
                                  .version = commit->statement->version };
  g_autoptr (VtreeSignatures) signatures
    = vtree_signers_sign (commit->options->signers, &request, error);
  if (signatures == NULL)
    return false;
  commit->sig = vtree_signatures_serialize (signatures);
  return true;
}

/* From the head on everybody sees the new version: what fails then must not look as if
 * nothing had happened. */
static bool
move_head (const Commit *commit, GError **error)
{
  const char *ref = commit->options->ref;
  uint64_t version = commit->statement->version;
  VtreeMark mark = { .version = version,
                     .manifest = commit->statement->manifest,
                     .created = commit->statement->created };
  if (vtree_refs_set_head (commit->repo, ref, version, error)
      && vtree_mark_raise (commit->options->paths, ref, &mark, error))
    return true;
  bool found;
  uint64_t head;
  if (vtree_refs_head (commit->repo, ref, &found, &head, NULL) && found
      && head == version)
    g_prefix_error (error,
                    "version %" G_GUINT64_FORMAT " is committed, but: ", version);
  return false;
}

/* Where unsigned files shall not be opened, the configuration is the first that has to
 * be signed. */
static bool
sign_config (const Commit *commit, GError **error)
{
  bool done;
  return commit->seal.signer == NULL
         || vtree_repo_seal_config (commit->repo, &commit->seal, &done, error);
}

/* Everything that reaches the disk for good, in its order. A statement must not outlive
 * a power cut that its manifest or its own bytes did not: no gc would go past it. */
static bool
publish (const Commit *commit, GError **error)
{
  return vtree_ingest_seal (commit->ingest, error) && sign_config (commit, error)
         && vtree_ingest_sync (commit->ingest, error)
         && vtree_refs_put (commit->repo, commit->options->ref,
                            commit->statement->version, commit->root, commit->sig,
                            &commit->seal, error)
         && (commit->sig == NULL || move_head (commit, error));
}

static void
fill_result (const Commit *commit, VtreeCommitResult *result)
{
  result->version = commit->statement->version;
  result->manifest = commit->statement->manifest;
  result->manifest_size = commit->statement->size;
  vtree_ingest_stats (commit->ingest, &result->stats);
  if (commit->cache != NULL)
    result->trusted = vtree_stat_cache_hits (commit->cache);
  const GPtrArray *replaced = vtree_ingest_replaced (commit->ingest);
  for (guint i = 0; i < replaced->len; i++) {
    char text[VTREE_DIGEST_TEXT_MAX];
    vtree_digest_format (replaced->pdata[i], text);
    g_ptr_array_add (result->replaced, g_strdup (text));
  }
}

static bool
run (Commit *commit, const char *dir, const VtreeCaptureOptions *capture,
     VtreeCommitResult *result, GError **error)
{
  const VtreeCommitOptions *options = commit->options;
  if (!prepare_statement (commit, error))
    return false;
  commit->seal = vtree_repo_seal (commit->repo);
  commit->seal.signer = options->signer;
  if (options->has_verity)
    commit->seal.policy = options->verity;
  VtreeIngestOptions ingest
    = { .verity = commit->seal.policy, .signer = options->signer };
  commit->ingest = vtree_ingest_new (commit->repo, &ingest, error);
  if (commit->ingest == NULL)
    return false;
  g_autoptr (GBytes) manifest = capture_tree (commit, dir, capture, error);
  if (manifest == NULL || !check_manifest (commit, manifest, result, error)
      || !stage_manifest (commit, manifest, error) || !sign_statement (commit, error)
      || !publish (commit, error) || !save_cache (commit, error))
    return false;
  fill_result (commit, result);
  return true;
}

static void
clear_commit (Commit *commit)
{
  g_clear_pointer (&commit->ingest, vtree_ingest_free);
  g_clear_pointer (&commit->cache, vtree_stat_cache_free);
  g_clear_pointer (&commit->root, g_bytes_unref);
  g_clear_pointer (&commit->sig, g_bytes_unref);
  g_clear_pointer (&commit->statement, vtree_statement_free);
}

bool
vtree_commit (const VtreeRepo *repo, const char *dir, const VtreeCommitOptions *options,
              const VtreeCaptureOptions *capture, VtreeCommitResult *result,
              GError **error)
{
  if (!vtree_ref_check_name (options->ref, error))
    return false;
  g_auto (VtreeFd) repo_lock = -1;
  g_auto (VtreeFd) ref_lock = -1;
  Commit commit = { .repo = repo, .options = options };
  g_auto (VtreeCommitResult) done
    = { .replaced = g_ptr_array_new_with_free_func (g_free) };
  bool ok
    = vtree_repo_lock (repo, VTREE_REPO_LOCK_SHARED, options->wait, &repo_lock, error)
      && vtree_refs_lock (repo, options->ref, options->wait, &ref_lock, error)
      && run (&commit, dir, capture, &done, error);
  clear_commit (&commit);
  if (!ok) {
    g_prefix_error (error, "commit %s: ", options->ref);
    return false;
  }
  *result = done;
  done.replaced = NULL;
  return true;
}
