/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the decision whether a release is accepted, and the order of the checks that
 * make it. Keys are trust.c's, marks mark.c's; the manifest itself is opened in
 * resolved.c.
 */
#include "manifest/resolve.h"

#include "core/mark.h"

#include <string.h>
#include <time.h>

#define U64 "%" G_GUINT64_FORMAT

/* One release on its way through the checks. */
typedef struct {
  const char *ref;
  const VtreeResolveOptions *options;
  bool named;       /* NAME@V: VERSION was asked for */
  bool has_version; /* VERSION is the file's name */
  uint64_t version;
  VtreeResolved *resolved; /* filled on the way */
  bool has_mark;
  VtreeMark mark;
} Release;

void
vtree_resolved_free (VtreeResolved *resolved)
{
  if (resolved == NULL)
    return;
  vtree_statement_free (resolved->statement);
  g_clear_pointer (&resolved->root, g_bytes_unref);
  g_clear_pointer (&resolved->sig, g_bytes_unref);
  g_free (resolved->key_name);
  g_free (resolved->subject);
  g_ptr_array_unref (resolved->notes);
  g_free (resolved);
}

static VtreeResolved *
resolved_new (void)
{
  VtreeResolved *resolved = g_new0 (VtreeResolved, 1);
  resolved->notes = g_ptr_array_new_with_free_func (g_free);
  return resolved;
}

static void G_GNUC_PRINTF (2, 3)
  add_note (const Release *release, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_ptr_array_add (release->resolved->notes, g_strdup_vprintf (format, args));
  va_end (args);
}

/* True, with a note, where the caller forces it; else FAULT and ADVICE are the
 * error. */
static bool
refuse (const Release *release, VtreeErrorCode code, const char *fault,
        const char *advice, GError **error)
{
  if (!release->options->force)
    return vtree_error_set (error, code, "%s; %s", fault, advice);
  add_note (release, "forced: %s", fault);
  return true;
}

/* --- signature and statement ------------------------------------------------------ */

static void
note_certificate (const Release *release, const VtreeCertificate *certificate)
{
  if (certificate == NULL)
    return;
  release->resolved->subject = g_strdup (vtree_certificate_subject (certificate));
  release->resolved->not_before = vtree_certificate_not_before (certificate);
  release->resolved->not_after = vtree_certificate_not_after (certificate);
}

/* Nothing of ROOT is looked at before a trusted signature over it has been found. */
static bool
check_signature (const Release *release, GBytes *root, GBytes *sig, GError **error)
{
  g_autoptr (VtreeTrust) trust
    = vtree_trust_load (release->options->paths, release->options->key_file, error);
  if (trust == NULL)
    return false;
  size_t size = 0;
  const void *data = sig != NULL ? g_bytes_get_data (sig, &size) : NULL;
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_parse (data, size, error);
  if (signatures == NULL) {
    g_prefix_error (error, "'%s': ", release->ref);
    return false;
  }
  g_autoptr (GBytes) message = vtree_statement_signed_bytes (root);
  const VtreeTrustKey *key;
  if (!vtree_trust_verify (trust, release->ref, g_bytes_get_data (message, NULL),
                           g_bytes_get_size (message), signatures, &key, error))
    return false;
  release->resolved->key = key->id;
  release->resolved->key_name = g_strdup (key->name);
  note_certificate (release, key->certificate);
  return true;
}

/* A certificate's dates refuse nothing: see core/trust.h. */
static void
check_validity (const Release *release)
{
  const VtreeResolved *resolved = release->resolved;
  int64_t created = resolved->statement->created;
  if (resolved->subject == NULL
      || (created >= resolved->not_before && created <= resolved->not_after))
    return;
  g_autofree char *when = vtree_time_format (created);
  g_autofree char *from = vtree_time_format (resolved->not_before);
  g_autofree char *to = vtree_time_format (resolved->not_after);
  add_note (release,
            "'%s': version " U64 " was made at %s, and the certificate of '%s' that "
            "signed it is valid from %s to %s",
            release->ref, resolved->statement->version, when, resolved->subject, from,
            to);
}

static bool
read_statement (const Release *release, GBytes *root, GError **error)
{
  size_t size;
  const void *data = g_bytes_get_data (root, &size);
  VtreeStatement *statement = vtree_statement_parse (data, size, error);
  if (statement == NULL) {
    g_prefix_error (error, "'%s': ", release->ref);
    return false;
  }
  release->resolved->statement = statement;
  release->resolved->manifest = statement->manifest;
  release->resolved->manifest_size = statement->size;
  if (strcmp (statement->ref, release->ref) == 0)
    return true;
  return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                          "'%s': the statement is signed for another ref, '%s'",
                          release->ref, statement->ref);
}

static bool
check_digest (const char *what, const VtreeDigest *manifest, const VtreeDigest *pinned,
              GError **error)
{
  if (pinned == NULL || vtree_digest_equal (manifest, pinned))
    return true;
  char is[VTREE_DIGEST_TEXT_MAX], should[VTREE_DIGEST_TEXT_MAX];
  return vtree_error_set (
    error, VTREE_ERROR_CORRUPT, "'%s': its manifest is %s, and digest= wants %s", what,
    vtree_digest_format (manifest, is), vtree_digest_format (pinned, should));
}

/* --- age -------------------------------------------------------------------------- */

static bool
check_min_version (const Release *release, GError **error)
{
  uint64_t version = release->resolved->statement->version;
  return version >= release->options->min_version
         || vtree_error_set (error, VTREE_ERROR_ROLLBACK,
                             "'%s': version " U64 " is older than min_version=" U64,
                             release->ref, version, release->options->min_version);
}

/* Whether the state directory may fail us: what is pinned by other means needs no mark.
 * A mark that is malformed, or that others could write, is not excused. */
static bool
excuse_state (const Release *release, GError *cause, GError **error)
{
  bool pinned = release->options->digest != NULL || release->options->min_version > 0;
  bool unusable = cause->domain == VTREE_ERRNO_ERROR
                  || g_error_matches (cause, VTREE_ERROR, VTREE_ERROR_BUSY);
  if (!pinned || !unusable) {
    g_propagate_error (error, cause);
    return false;
  }
  add_note (release, "'%s': accepted without a mark: %s", release->ref, cause->message);
  g_error_free (cause);
  return true;
}

static bool
load_mark (Release *release, GError **error)
{
  GError *cause = NULL;
  if (vtree_mark_load (release->options->paths, release->ref, &release->has_mark,
                       &release->mark, &cause))
    return true;
  release->has_mark = false;
  return excuse_state (release, cause, error);
}

/* The version is below the mark's. */
static bool
judge_older (const Release *release, GError **error)
{
  uint64_t version = release->resolved->statement->version;
  g_autofree char *fault = g_strdup_printf (
    "'%s': version " U64 " is older than version " U64 ", which was accepted before",
    release->ref, version, release->mark.version);
  if (release->named || release->options->digest != NULL) {
    add_note (release, "%s; its %s was given", fault,
              release->named ? "version" : "digest");
    return true;
  }
  g_autofree char *advice = g_strdup_printf (
    "name it as '%s@" U64 "' if you want it, or run `vtree mark reset %s`",
    release->ref, version, release->ref);
  return refuse (release, VTREE_ERROR_ROLLBACK, fault, advice, error);
}

/* The version is the mark's. */
static bool
judge_same (const Release *release, GError **error)
{
  const VtreeDigest *manifest = &release->resolved->manifest;
  if (vtree_digest_equal (manifest, &release->mark.manifest))
    return true;
  char now[VTREE_DIGEST_TEXT_MAX], then[VTREE_DIGEST_TEXT_MAX];
  g_autofree char *fault = g_strdup_printf (
    "'%s': version " U64 " is another tree (%s) than the one accepted as this version "
    "before (%s)",
    release->ref, release->mark.version, vtree_digest_format (manifest, now),
    vtree_digest_format (&release->mark.manifest, then));
  if (release->options->digest != NULL) {
    add_note (release, "%s; its digest was given", fault);
    return true;
  }
  g_autofree char *advice = g_strdup_printf (
    "its signer has signed both, ask why; `vtree mark reset %s` forgets the old one",
    release->ref);
  return refuse (release, VTREE_ERROR_ROLLBACK, fault, advice, error);
}

static bool
check_mark (const Release *release, GError **error)
{
  uint64_t version = release->resolved->statement->version;
  if (!release->has_mark || version > release->mark.version)
    return true;
  return version < release->mark.version ? judge_older (release, error)
                                         : judge_same (release, error);
}

/* A signed statement that lies under another version's name. */
static bool
check_file_name (const Release *release, GError **error)
{
  uint64_t version = release->resolved->statement->version;
  return !release->has_version || version == release->version
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "'%s': what lies in the place of version " U64
                             " is the statement of version " U64,
                             release->ref, release->version, version);
}

static bool
check_expiry (const Release *release, GError **error)
{
  const VtreeStatement *statement = release->resolved->statement;
  int64_t seen
    = MAX (release->has_mark ? release->mark.created : 0, statement->created);
  int64_t clock = (int64_t) time (NULL);
  if (statement->expires == 0 || MAX (clock, seen) < statement->expires)
    return true;
  g_autofree char *expires = vtree_time_format (statement->expires);
  g_autofree char *newest = vtree_time_format (seen);
  g_autofree char *fault = g_strdup_printf (
    "'%s': version " U64 " expired at %s%s%s", release->ref, statement->version,
    expires, clock < seen ? ", judged by a release made at " : "",
    clock < seen ? newest : "");
  return refuse (release, VTREE_ERROR_EXPIRED, fault,
                 "ask its publisher for a newer one", error);
}

/* What was forced or pinned in place of the mark's own manifest leaves the mark
 * alone. */
static bool
raise_mark (const Release *release, GError **error)
{
  const VtreeStatement *statement = release->resolved->statement;
  bool conflict
    = release->has_mark && release->mark.version == statement->version
      && !vtree_digest_equal (&release->mark.manifest, &statement->manifest);
  if (!release->options->raise_mark || conflict)
    return true;
  VtreeMark mark = { statement->version, statement->manifest, statement->created };
  GError *cause = NULL;
  return vtree_mark_raise (release->options->paths, release->ref, &mark, &cause)
         || excuse_state (release, cause, error);
}

static bool
check_age (Release *release, GError **error)
{
  return check_min_version (release, error) && load_mark (release, error)
         && check_mark (release, error) && check_file_name (release, error)
         && check_expiry (release, error) && raise_mark (release, error);
}

static VtreeResolved *
accept (Release *release, GBytes *root, GBytes *sig, GError **error)
{
  g_autoptr (VtreeResolved) resolved = resolved_new ();
  release->resolved = resolved;
  if (!check_signature (release, root, sig, error)
      || !read_statement (release, root, error)
      || !check_digest (release->ref, &resolved->manifest, release->options->digest,
                        error)
      || !check_age (release, error))
    return NULL;
  check_validity (release);
  resolved->root = g_bytes_ref (root);
  resolved->sig = g_bytes_ref (sig);
  return g_steal_pointer (&resolved);
}

/* --- from a name ------------------------------------------------------------------ */

/* The version that the bare name stands for. */
static bool
find_head (const VtreeRepo *repo, const char *name, uint64_t *version, GError **error)
{
  bool found;
  if (!vtree_refs_head (repo, name, &found, version, error))
    return false;
  if (found)
    return true;
  g_autoptr (GArray) versions = vtree_refs_versions (repo, name, error);
  if (versions == NULL)
    return false;
  return vtree_error_set (error, VTREE_ERROR_MISSING,
                          "'%s' has no signed version yet; `vtree sign %s@VERSION` "
                          "makes one its head",
                          name, name);
}

static VtreeResolved *
resolve_name (const VtreeRepo *repo, const VtreeRefSpec *spec,
              const VtreeResolveOptions *options, GError **error)
{
  uint64_t version = spec->version;
  if (!spec->has_version && !find_head (repo, spec->name, &version, error))
    return NULL;
  g_autoptr (GBytes) root = NULL;
  g_autoptr (GBytes) sig = NULL;
  if (!vtree_refs_load (repo, spec->name, version, &root, &sig, error))
    return NULL;
  Release release = {
    .ref = spec->name,
    .options = options,
    .named = spec->has_version,
    .has_version = true,
    .version = version,
  };
  return accept (&release, root, sig, error);
}

static VtreeResolved *
resolve_digest (const VtreeRepo *repo, const VtreeDigest *digest,
                const VtreeResolveOptions *options, GError **error)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  vtree_digest_format (digest, text);
  if (options->min_version > 0) {
    vtree_error_set (error, VTREE_ERROR_INVALID,
                     "%s has no version that min_version= could be compared with",
                     text);
    return NULL;
  }
  if (!check_digest (text, digest, options->digest, error))
    return NULL;
  g_autoptr (VtreeStore) store = vtree_store_new (repo, error);
  bool found = false;
  uint64_t size = 0;
  if (store == NULL || !vtree_store_find (store, digest, &found, &size, error))
    return NULL;
  if (!found) {
    vtree_error_set (error, VTREE_ERROR_MISSING, "there is no manifest %s in %s", text,
                     vtree_repo_path (repo));
    return NULL;
  }
  VtreeResolved *resolved = resolved_new ();
  resolved->manifest = *digest;
  resolved->manifest_size = size;
  return resolved;
}

VtreeResolved *
vtree_resolve (const VtreeRepo *repo, const VtreeRefSpec *spec,
               const VtreeResolveOptions *options, GError **error)
{
  return spec->is_digest ? resolve_digest (repo, &spec->digest, options, error)
                         : resolve_name (repo, spec, options, error);
}

VtreeResolved *
vtree_resolve_statement (const char *ref, GBytes *root, GBytes *sig,
                         const VtreeResolveOptions *options, GError **error)
{
  Release release = { .ref = ref, .options = options };
  return accept (&release, root, sig, error);
}
