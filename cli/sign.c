/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `vtree sign`: nobody signs what was not checked and shown. The order: statement ->
 * manifest, whole -> shown, agreed -> under the locks: signature, head, mark.
 */
#include "cli/output.h"
#include "cli/release.h"
#include "cli/signing.h"
#include "cli/verbs.h"
#include "core/mark.h"
#include "core/pkcs7.h"
#include "manifest/check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  VtreeSigningWords signing;
  VtreeObjectWords object;
  char *manifest; /* --manifest */
  char *attach;   /* --attach */
  gboolean detached;
} SignWords;

static void
sign_words_clear (SignWords *words)
{
  vtree_signing_words_clear (&words->signing);
  vtree_object_words_clear (&words->object);
  g_clear_pointer (&words->manifest, g_free);
  g_clear_pointer (&words->attach, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SignWords, sign_words_clear)

/* What is to be signed. */
typedef struct {
  const VtreeCli *cli;
  const SignWords *words;
  VtreePaths *paths;
  VtreeRepo *repo;
  VtreeObjectSigner *signer; /* NULL: without built-in signatures */
  VtreeSeal seal;            /* of the repository's own files */
  char *ref;
  uint64_t version;
  GBytes *root;
  VtreeStatement *statement;
  VtreeViewTotals totals;
} Signing;

static void
signing_clear (Signing *signing)
{
  g_clear_pointer (&signing->statement, vtree_statement_free);
  g_clear_pointer (&signing->root, g_bytes_unref);
  g_clear_pointer (&signing->ref, g_free);
  g_clear_pointer (&signing->signer, vtree_object_signer_free);
  g_clear_pointer (&signing->repo, vtree_repo_free);
  g_clear_pointer (&signing->paths, vtree_paths_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Signing, signing_clear)

/* The newest version of NAME, signed or not. */
static bool
find_newest (const VtreeRepo *repo, const char *name, uint64_t *version, GError **error)
{
  g_autoptr (GArray) versions = vtree_refs_versions (repo, name, error);

  if (versions == NULL)
    return false;
  if (versions->len == 0)
    return vtree_error_set (error, VTREE_ERROR_MISSING, "sign %s: it has no version",
                            name);
  *version = g_array_index (versions, uint64_t, versions->len - 1);
  return true;
}

static bool
find_release (Signing *signing, const char *text, GError **error)
{
  g_auto (VtreeRefSpec) spec = { .name = NULL };

  if (!vtree_ref_spec_parse (text, false, &spec, error))
    return false;
  if (spec.is_digest)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "sign %s: a manifest has no statement; name a ref", text);
  signing->paths = vtree_paths_new (error);
  if (signing->paths == NULL)
    return false;
  signing->repo = vtree_cli_open_repo (signing->cli, signing->paths, error);
  if (signing->repo == NULL)
    return false;
  signing->ref = g_strdup (spec.name);
  signing->version = spec.version;
  return spec.has_version
         || find_newest (signing->repo, spec.name, &signing->version, error);
}

/* Loads the statement, which must be the one for this place. */
static bool
load_statement (Signing *signing, GError **error)
{
  g_autoptr (GBytes) sig = NULL;
  const VtreeStatement *statement;

  if (!vtree_refs_load (signing->repo, signing->ref, signing->version, &signing->root,
                        &sig, error))
    return false;
  signing->statement = vtree_statement_parse (g_bytes_get_data (signing->root, NULL),
                                              g_bytes_get_size (signing->root), error);
  statement = signing->statement;
  if (statement == NULL)
    return false;
  if (strcmp (statement->ref, signing->ref) != 0
      || statement->version != signing->version)
    return vtree_error_set (
      error, VTREE_ERROR_CORRUPT,
      "sign %s@%" G_GUINT64_FORMAT ": the statement is for %s@%" G_GUINT64_FORMAT,
      signing->ref, signing->version, statement->ref, statement->version);
  return true;
}

/* The full check of the manifest that the statement names. */
static bool
check_manifest (Signing *signing, GError **error)
{
  const VtreeRefSpec spec
    = { .is_digest = true, .digest = signing->statement->manifest };
  const VtreeResolveOptions options = { .paths = signing->paths };
  g_auto (VtreeFd) lock = -1;
  g_autoptr (VtreeResolved) resolved = NULL;
  g_autoptr (VtreeStore) store = NULL;
  g_autoptr (VtreeView) view = NULL;

  if (!vtree_repo_lock (signing->repo, VTREE_REPO_LOCK_SHARED, signing->cli->wait,
                        &lock, error))
    return false;
  resolved = vtree_resolve (signing->repo, &spec, &options, error);
  if (resolved == NULL)
    return false;
  if (resolved->manifest_size != signing->statement->size)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "the statement says a size of %" G_GUINT64_FORMAT
                            ", the manifest has %" G_GUINT64_FORMAT,
                            signing->statement->size, resolved->manifest_size);
  store = vtree_store_new (signing->repo, error);
  view = store != NULL ? vtree_resolved_open (resolved, store, VTREE_VERITY_AUTO, error)
                       : NULL;
  if (view == NULL || !vtree_check_manifest (view, error))
    return false;
  signing->totals = *vtree_view_totals (view);
  return true;
}

/* All that the signature will vouch for, on stderr: stdout may be the signature's. */
static void
show (const Signing *signing)
{
  gsize size;
  const char *text = g_bytes_get_data (signing->root, &size);
  g_autofree char *copy = g_strndup (text, size);
  g_auto (GStrv) lines = g_strsplit (copy, "\n", -1);
  const VtreeViewTotals *totals = &signing->totals;

  if (signing->cli->quiet)
    return;
  for (char **line = lines; *line != NULL && **line != '\0'; line++) {
    g_autofree char *escaped = vtree_error_escape (*line, -1);

    fprintf (stderr, "  %s\n", escaped);
  }
  fprintf (stderr,
           "  (%" G_GUINT64_FORMAT " files of %" G_GUINT64_FORMAT
           " bytes, %" G_GUINT64_FORMAT " directories, %" G_GUINT64_FORMAT
           " symlinks, %" G_GUINT64_FORMAT " special files%s%s)\n",
           totals->regular, totals->bytes, totals->directories, totals->symlinks,
           totals->special,
           (totals->flags & VTREE_VIEW_HAS_SETID) != 0 ? ", set-id" : "",
           (totals->flags & VTREE_VIEW_HAS_DEVICE) != 0 ? ", devices" : "");
}

/* Whether the person at the terminal says yes. */
static bool
ask (void)
{
  char answer[16];

  fputs ("Sign this? [y/N] ", stderr);
  fflush (stderr);
  return fgets (answer, sizeof answer, stdin) != NULL
         && (answer[0] == 'y' || answer[0] == 'Y');
}

/* By --manifest or at the terminal. */
static bool
agree (const Signing *signing, GError **error)
{
  const char *wanted = signing->words->manifest;
  VtreeDigest digest;

  if (wanted != NULL) {
    if (!vtree_digest_parse (wanted, &digest, error)) {
      g_prefix_error (error, "--manifest: ");
      return false;
    }
    if (!vtree_digest_equal (&digest, &signing->statement->manifest))
      return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                              "sign %s@%" G_GUINT64_FORMAT
                              ": its manifest is not %s; nothing was signed",
                              signing->ref, signing->version, wanted);
    return true;
  }
  if (isatty (STDIN_FILENO) != 1 || isatty (STDERR_FILENO) != 1)
    return vtree_error_set (
      error, VTREE_ERROR_INVALID,
      "sign %s@%" G_GUINT64_FORMAT
      ": without a terminal to ask at, --manifest=DIGEST is needed",
      signing->ref, signing->version);
  if (ask ())
    return true;
  return vtree_error_set (error, VTREE_ERROR_FAILED,
                          "sign %s@%" G_GUINT64_FORMAT ": you did not agree",
                          signing->ref, signing->version);
}

/* Signatures by all that were chosen. */
static VtreeSignatures *
make_signatures (const Signing *signing, GError **error)
{
  g_autoptr (GPtrArray) signers
    = vtree_signing_words_signers (&signing->words->signing, signing->paths, error);
  g_autoptr (GBytes) message = vtree_statement_signed_bytes (signing->root);
  const VtreeSigningRequest request
    = { .message = message, .ref = signing->ref, .version = signing->version };

  return signers != NULL ? vtree_signers_sign (signers, &request, error) : NULL;
}

/* Each line must be a good one by a signer who is trusted here; other kinds can't be
 * checked: they come along with a good one. */
static bool
judge_attached (const Signing *signing, const VtreeTrust *trust,
                const VtreeSignatures *attached, GError **error)
{
  const VtreeRelease release = { .name = signing->ref, .root = signing->root };
  unsigned good = 0;

  for (size_t i = 0; i < vtree_signatures_count (attached); i++) {
    const VtreeSignatureLine *line = vtree_signatures_peek (attached, i);
    g_autofree char *reason = NULL;

    if (line->value == NULL)
      continue;
    if (!vtree_release_judge_line (&release, trust, line, &reason))
      return vtree_error_set (error, VTREE_ERROR_UNTRUSTED, "line %zu: %s", i + 1,
                              reason);
    good++;
  }
  if (good == 0)
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED, "it holds no signature");
  return true;
}

/* Whether BYTES is DER, and then no .sig file, which is text. */
static bool
is_pkcs7 (GBytes *bytes)
{
  gsize size;
  const uint8_t *data = g_bytes_get_data (bytes, &size);

  return size > 0 && data[0] == 0x30;
}

/* A line with the PKCS #7 signature in BYTES, for the certificate ID. */
static VtreeSignatures *
make_line (const VtreeKeyId *id, GBytes *bytes, GError **error)
{
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_new ();
  gsize size;
  const void *data = g_bytes_get_data (bytes, &size);

  return vtree_signatures_add_pkcs7 (signatures, id, data, size, error)
           ? g_steal_pointer (&signatures)
           : NULL;
}

/* The line for the PKCS #7 signature in BYTES, by the trusted certificate that it
 * names. */
static VtreeSignatures *
find_signer (const Signing *signing, const VtreeTrust *trust, GBytes *bytes,
             GError **error)
{
  const VtreeSpan span = { g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes) };

  for (size_t i = 0; i < vtree_trust_count (trust); i++) {
    const VtreeTrustKey *key = vtree_trust_peek (trust, i);
    g_autoptr (VtreeSignatures) line = NULL;

    if (key->certificate == NULL || !vtree_pkcs7_names (key->certificate, span))
      continue;
    line = make_line (&key->id, bytes, error);
    if (line == NULL || !judge_attached (signing, trust, line, error))
      return NULL;
    return g_steal_pointer (&line);
  }
  vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                   "no PKCS #7 signature by a certificate that is trusted here; if you "
                   "trust its signer, run `vtree key trust FILE` with the certificate");
  return NULL;
}

/* The good signatures in BYTES: those of a .sig file, or one in DER. */
static VtreeSignatures *
read_attached (const Signing *signing, GBytes *bytes, GError **error)
{
  g_autoptr (VtreeTrust) trust = vtree_trust_load (signing->paths, NULL, error);
  g_autoptr (VtreeSignatures) signatures = NULL;

  if (trust == NULL)
    return NULL;
  if (is_pkcs7 (bytes))
    return find_signer (signing, trust, bytes, error);
  signatures = vtree_signatures_parse (g_bytes_get_data (bytes, NULL),
                                       g_bytes_get_size (bytes), error);
  if (signatures == NULL || !judge_attached (signing, trust, signatures, error))
    return NULL;
  return g_steal_pointer (&signatures);
}

/* The signatures of the file of --attach. */
static VtreeSignatures *
load_attached (const Signing *signing, GError **error)
{
  const char *file = signing->words->attach;
  g_auto (VtreeFd) fd = open (file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  g_autofree char *escaped = vtree_error_escape (file, -1);
  g_autoptr (GBytes) bytes = NULL;
  VtreeSignatures *signatures = NULL;

  if (fd < 0) {
    vtree_error_set_errno (error, errno, "open %s", escaped);
    return NULL;
  }
  bytes = vtree_fd_load (fd, VTREE_SIGNATURE_FILE_MAX, error);
  if (bytes != NULL)
    signatures = read_attached (signing, bytes, error);
  if (signatures == NULL)
    g_prefix_error (error, "attach %s: ", escaped);
  return signatures;
}

/* The signatures in the bytes OLD (NULL: none). What is malformed vouches for
 * nothing and makes room, or it could never be put right. */
static VtreeSignatures *
parse_old (const Signing *signing, GBytes *old)
{
  g_autoptr (GError) error = NULL;
  VtreeSignatures *signatures = NULL;

  if (old == NULL)
    return vtree_signatures_new ();
  signatures = vtree_signatures_parse (g_bytes_get_data (old, NULL),
                                       g_bytes_get_size (old), &error);
  if (signatures != NULL)
    return signatures;
  vtree_cli_note (signing->cli, "replaced the old signature file: %s", error->message);
  return vtree_signatures_new ();
}

/* Adds the lines of MORE to ALL: one of a signer takes the place of that signer's older
 * one. */
static bool
add_lines (VtreeSignatures *all, const VtreeSignatures *more, GError **error)
{
  for (size_t i = 0; i < vtree_signatures_count (more); i++) {
    if (!vtree_signatures_add_line (all, vtree_signatures_peek (more, i), error))
      return false;
  }
  return vtree_signatures_merge (all, more, error);
}

/* Adds SIGNATURES to those that the version has. */
static bool
put_signatures (const Signing *signing, const VtreeSignatures *signatures,
                GError **error)
{
  g_autoptr (GBytes) root = NULL;
  g_autoptr (GBytes) old = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (VtreeSignatures) all = NULL;

  if (!vtree_refs_load (signing->repo, signing->ref, signing->version, &root, &old,
                        error))
    return false;
  if (!g_bytes_equal (root, signing->root))
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "sign %s@%" G_GUINT64_FORMAT
                            ": the statement changed meanwhile; nothing was signed",
                            signing->ref, signing->version);
  all = parse_old (signing, old);
  if (!add_lines (all, signatures, error))
    return false;
  bytes = vtree_signatures_serialize (all);
  return vtree_refs_put_signature (signing->repo, signing->ref, signing->version, bytes,
                                   &signing->seal, error);
}

/* A signed version that is newer than the head becomes the head; the signer knows
 * it. */
static bool
move_head (const Signing *signing, GError **error)
{
  const VtreeMark mark = { .version = signing->version,
                           .manifest = signing->statement->manifest,
                           .created = signing->statement->created };
  uint64_t head;
  bool found;

  if (!vtree_refs_head (signing->repo, signing->ref, &found, &head, error))
    return false;
  if (found && head >= signing->version)
    return true;
  if (!vtree_refs_set_head (signing->repo, signing->ref, signing->version, error))
    return false;
  vtree_cli_note (signing->cli, "%s@%" G_GUINT64_FORMAT " is the head now",
                  signing->ref, signing->version);
  return vtree_mark_raise (signing->paths, signing->ref, &mark, error);
}

static bool
publish (const Signing *signing, const VtreeSignatures *signatures, GError **error)
{
  const int wait = signing->cli->wait;
  g_auto (VtreeFd) repo_lock = -1;
  g_auto (VtreeFd) ref_lock = -1;

  return vtree_object_words_sign_config (signing->repo, &signing->seal, wait, error)
         && vtree_repo_lock (signing->repo, VTREE_REPO_LOCK_SHARED, wait, &repo_lock,
                             error)
         && vtree_refs_lock (signing->repo, signing->ref, wait, &ref_lock, error)
         && put_signatures (signing, signatures, error) && move_head (signing, error);
}

static bool
sign (Signing *signing, GError **error)
{
  const SignWords *words = signing->words;
  g_autoptr (VtreeSignatures) signatures = NULL;
  g_autoptr (GBytes) lines = NULL;

  if (!find_release (signing, signing->cli->args[0], error)
      || !vtree_object_words_seal (signing->repo, signing->signer, &signing->seal,
                                   error)
      || !load_statement (signing, error) || !check_manifest (signing, error))
    return false;
  show (signing);
  /* A file to attach was agreed to by who made it: only --manifest can forbid it. */
  if ((words->attach == NULL || words->manifest != NULL) && !agree (signing, error))
    return false;
  signatures = words->attach != NULL ? load_attached (signing, error)
                                     : make_signatures (signing, error);
  if (signatures == NULL)
    return false;
  if (!words->detached)
    return publish (signing, signatures, error);
  lines = vtree_signatures_serialize (signatures);
  return vtree_out_write (g_bytes_get_data (lines, NULL), g_bytes_get_size (lines),
                          error);
}

static GArray *
sign_entries (SignWords *words)
{
  GArray *entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  const GOptionEntry own[]
    = { { "manifest", 0, 0, G_OPTION_ARG_FILENAME, &words->manifest,
          "Sign without asking, but only if this is the manifest", "DIGEST" },
        { "detached", 0, 0, G_OPTION_ARG_NONE, &words->detached,
          "Print the signature's lines, and leave the repository alone", NULL },
        { "attach", 0, 0, G_OPTION_ARG_FILENAME, &words->attach,
          "Add what a file has: lines made with --detached, or PKCS #7 in DER",
          "SIG" } };

  g_array_append_vals (entries, own, G_N_ELEMENTS (own));
  vtree_signing_words_add (&words->signing, entries);
  vtree_object_words_add (&words->object, entries);
  return entries;
}

static bool
check_words (const SignWords *words, GError **error)
{
  if (words->attach != NULL
      && (words->detached || vtree_signing_words_given (&words->signing)))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "--attach excludes --detached and signers");
  if (words->detached && words->object.key != NULL)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "--detached writes no file that --object-key could sign");
  return true;
}

bool
vtree_verb_sign (VtreeCli *cli, GError **error)
{
  g_auto (SignWords) words = { .manifest = NULL };
  g_autoptr (GArray) entries = sign_entries (&words);
  g_auto (Signing) signing = { .cli = cli, .words = &words };

  return vtree_cli_parse (cli, (const GOptionEntry *) (void *) entries->data, error)
         && check_words (&words, error)
         && vtree_object_words_load (&words.object, &signing.signer, error)
         && sign (&signing, error);
}
