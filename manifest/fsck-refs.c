/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns what fsck thinks of refs: heads that name a version, statements that are well
 * formed and stand where they belong, signatures. Looks at no object.
 */
#include "manifest/fsck-private.h"

#include "core/builtin.h"

#include <errno.h>
#include <string.h>

typedef struct {
  VtreeFsck *fsck;
  const char *ref;
  bool has_head;
  uint64_t head;
  uint64_t version;
  char *label; /* "name@version" */
} Release;

static void
release_clear (Release *release)
{
  g_free (release->label);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Release, release_clear)

static void
report (const Release *release, VtreeFsckKind kind, const char *message)
{
  VtreeFsckProblem problem
    = { .kind = kind, .ref = release->label, .message = message };
  vtree_fsck_report (release->fsck, &problem);
}

/* True if FAILED (taken) says something of the repository, which is then reported;
 * otherwise it is an error of the check itself. */
static bool
judge (const Release *release, GError *failed, GError **error)
{
  g_autoptr (GError) owned = failed;
  if (failed->domain != VTREE_ERROR && failed->code != EIO && failed->code != EACCES
      && vtree_builtin_refusal (failed->code) == NULL) {
    g_propagate_error (error, g_steal_pointer (&owned));
    return false;
  }
  VtreeFsckKind kind = VTREE_FSCK_CORRUPT;
  if (g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_MISSING))
    kind = VTREE_FSCK_MISSING;
  else if (g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_UNTRUSTED))
    kind = VTREE_FSCK_UNTRUSTED;
  report (release, kind, failed->message);
  return true;
}

static bool
verify (const Release *release, GBytes *root, GBytes *sig, GError **error)
{
  gsize size;
  const void *data = g_bytes_get_data (sig, &size);
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_parse (data, size, error);
  if (signatures == NULL)
    return false;
  g_autoptr (GBytes) message = vtree_statement_signed_bytes (root);
  const VtreeTrustKey *key;
  data = g_bytes_get_data (message, &size);
  return vtree_trust_verify (release->fsck->trust, release->ref, data, size, signatures,
                             &key, error);
}

/* *GO_ON: the statement may be looked at. */
static bool
check_signature (const Release *release, GBytes *root, GBytes *sig, bool *go_on,
                 GError **error)
{
  bool published = release->has_head && release->version <= release->head;
  GError *failed = NULL;
  *go_on = true;
  if (sig == NULL) {
    if (published)
      report (release, VTREE_FSCK_UNTRUSTED, "it is not signed");
    return true;
  }
  if (verify (release, root, sig, &failed))
    return true;
  /* A key that this user does not trust says nothing against the bytes. */
  *go_on = g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_UNTRUSTED);
  return judge (release, failed, error);
}

/* The statement, if it is well formed and for this place. */
static VtreeStatement *
parse (const Release *release, GBytes *root)
{
  gsize size;
  const void *data = g_bytes_get_data (root, &size);
  g_autoptr (GError) failed = NULL;
  g_autoptr (VtreeStatement) statement = vtree_statement_parse (data, size, &failed);
  if (statement == NULL) {
    report (release, VTREE_FSCK_CORRUPT, failed->message);
    return NULL;
  }
  if (strcmp (statement->ref, release->ref) == 0
      && statement->version == release->version)
    return g_steal_pointer (&statement);
  g_autofree char *message = g_strdup_printf (
    "the statement is for %s@%" G_GUINT64_FORMAT, statement->ref, statement->version);
  report (release, VTREE_FSCK_CORRUPT, message);
  return NULL;
}

static void
add_version (const Release *release, const VtreeStatement *statement)
{
  VtreeFsckVersion *version = g_new0 (VtreeFsckVersion, 1);
  version->label = g_strdup (release->label);
  version->manifest = statement->manifest;
  version->size = statement->size;
  g_ptr_array_add (release->fsck->versions, version);
}

static bool
check_version (const Release *release, GError **error)
{
  g_autoptr (GBytes) root = NULL;
  g_autoptr (GBytes) sig = NULL;
  GError *failed = NULL;
  bool go_on;
  release->fsck->result->versions++;
  if (!vtree_refs_load (release->fsck->repo, release->ref, release->version, &root,
                        &sig, &failed))
    return judge (release, failed, error);
  if (!check_signature (release, root, sig, &go_on, error))
    return false;
  g_autoptr (VtreeStatement) statement = go_on ? parse (release, root) : NULL;
  if (statement != NULL)
    add_version (release, statement);
  return true;
}

static bool
has_version (const GArray *versions, uint64_t version)
{
  for (guint i = 0; i < versions->len; i++) {
    if (g_array_index (versions, uint64_t, i) == version)
      return true;
  }
  return false;
}

static bool
load_head (Release *release, const GArray *versions, GError **error)
{
  GError *failed = NULL;
  release->label = g_strdup (release->ref);
  if (!vtree_refs_head (release->fsck->repo, release->ref, &release->has_head,
                        &release->head, &failed))
    return judge (release, failed, error);
  if (!release->has_head || has_version (versions, release->head))
    return true;
  g_autofree char *message = g_strdup_printf (
    "its head is version %" G_GUINT64_FORMAT ", which is not there", release->head);
  report (release, VTREE_FSCK_MISSING, message);
  return true;
}

static bool
check_ref (VtreeFsck *fsck, const char *ref, GError **error)
{
  g_auto (Release) release = { .fsck = fsck, .ref = ref };
  g_autoptr (GArray) versions = vtree_refs_versions (fsck->repo, ref, error);
  if (versions == NULL || !load_head (&release, versions, error))
    return false;
  fsck->result->refs++;
  for (guint i = 0; i < versions->len; i++) {
    release.version = g_array_index (versions, uint64_t, i);
    g_free (release.label);
    release.label = g_strdup_printf ("%s@%" G_GUINT64_FORMAT, ref, release.version);
    if (!check_version (&release, error))
      return false;
  }
  return true;
}

/* STRAY is a path below refs/. */
static void
report_stray (VtreeFsck *fsck, const char *stray)
{
  g_autofree char *escaped = vtree_error_escape (stray, -1);
  g_autofree char *message = g_strdup_printf ("refs/%s belongs to no ref", escaped);
  VtreeFsckProblem problem = { .kind = VTREE_FSCK_STRAY, .message = message };
  vtree_fsck_report (fsck, &problem);
}

const char *const *
vtree_fsck_ref_names (VtreeFsck *fsck, GError **error)
{
  if (fsck->options->refs != NULL)
    return fsck->options->refs;
  if (fsck->all_refs == NULL) {
    g_autoptr (GPtrArray) strays = g_ptr_array_new_with_free_func (g_free);
    fsck->all_refs = vtree_refs_list (fsck->repo, strays, error);
    for (guint i = 0; fsck->all_refs != NULL && i < strays->len; i++)
      report_stray (fsck, g_ptr_array_index (strays, i));
  }
  return (const char *const *) fsck->all_refs;
}

bool
vtree_fsck_refs (VtreeFsck *fsck, GError **error)
{
  const char *const *refs = vtree_fsck_ref_names (fsck, error);
  for (; refs != NULL && *refs != NULL; refs++) {
    if (!check_ref (fsck, *refs, error))
      return false;
  }
  return refs != NULL;
}
