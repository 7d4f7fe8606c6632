/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree commit`: options in, figures out; the work is manifest/commit.h's. */
#include "manifest/commit.h"
#include "cli/argument.h"
#include "cli/capture-words.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/repacking.h"
#include "cli/signing.h"
#include "cli/verbs.h"

#include <string.h>
#include <time.h>

typedef struct {
  VtreeCaptureWords capture;
  VtreeSigningWords signing;
  VtreeObjectWords object;
  char *version;
  char *expires;
  char *message;
  char *verity;
  gboolean no_sign;
  gboolean allow_secret;
  gboolean trust_stat;
} CommitWords;

static void
commit_words_clear (CommitWords *words)
{
  vtree_capture_words_clear (&words->capture);
  vtree_signing_words_clear (&words->signing);
  vtree_object_words_clear (&words->object);
  g_clear_pointer (&words->version, g_free);
  g_clear_pointer (&words->expires, g_free);
  g_clear_pointer (&words->message, g_free);
  g_clear_pointer (&words->verity, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CommitWords, commit_words_clear)

static GArray *
commit_entries (CommitWords *words)
{
  GArray *entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  const GOptionEntry own[]
    = { { "message", 'm', 0, G_OPTION_ARG_FILENAME, &words->message,
          "A line for the log, signed with the rest", "TEXT" },
        { "version", 0, 0, G_OPTION_ARG_FILENAME, &words->version,
          "The version's number (default: the next)", "N" },
        { "expires", 0, 0, G_OPTION_ARG_FILENAME, &words->expires,
          "Not to be mounted after WHEN: 2027-01-31T00:00:00Z, 30d, 12h, 1y", "WHEN" },
        { "no-sign", 0, 0, G_OPTION_ARG_NONE, &words->no_sign,
          "Leave it unsigned; the head stays until `vtree sign`", NULL },
        { "verity", 0, 0, G_OPTION_ARG_FILENAME, &words->verity,
          "Enable fs-verity: auto, require or off (default: the repository's word)",
          "WORD" },
        { "allow-secret", 0, 0, G_OPTION_ARG_NONE, &words->allow_secret,
          "Take files into a shared repository that not everybody may read", NULL },
        { "trust-stat", 0, 0, G_OPTION_ARG_NONE, &words->trust_stat,
          "Don't read files again that look unchanged since the last such commit",
          NULL } };

  g_array_append_vals (entries, own, G_N_ELEMENTS (own));
  vtree_signing_words_add (&words->signing, entries);
  vtree_object_words_add (&words->object, entries);
  vtree_capture_words_add (&words->capture, entries);
  return entries;
}

/* A message is one line of a statement. */
static bool
check_message (const char *message, GError **error)
{
  if (g_utf8_validate (message, -1, NULL) && strpbrk (message, "\r\n") == NULL)
    return true;
  return vtree_error_set (error, VTREE_ERROR_INVALID,
                          "--message: one line of UTF-8 text expected");
}

static bool
apply_words (const CommitWords *words, VtreeCommitOptions *options, GError **error)
{
  if (words->version != NULL
      && !vtree_argument_number ("--version", words->version, 1, UINT64_MAX,
                                 &options->version, error))
    return false;
  if (words->expires != NULL
      && !vtree_argument_expires (words->expires, time (NULL), &options->expires,
                                  error))
    return false;
  if (words->message != NULL && !check_message (words->message, error))
    return false;
  options->has_verity = words->verity != NULL;
  if (options->has_verity
      && !vtree_argument_verity (words->verity, &options->verity, error))
    return false;
  if (words->no_sign && vtree_signing_words_given (&words->signing))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "--no-sign and a signer exclude each other");
  options->message = words->message;
  options->allow_secret = words->allow_secret != FALSE;
  options->trust_stat = words->trust_stat != FALSE;
  return true;
}

static void
print_json (const char *ref, const VtreeCommitResult *result, bool is_signed)
{
  g_autoptr (VtreeJson) json = vtree_json_new (stdout);
  char digest[VTREE_DIGEST_TEXT_MAX];

  vtree_json_begin_answer (json);
  vtree_json_add_string (json, "ref", ref);
  vtree_json_add_uint (json, "version", result->version);
  vtree_json_add_string (json, "manifest",
                         vtree_digest_format (&result->manifest, digest));
  vtree_json_add_bool (json, "signed", is_signed);
  vtree_json_add_uint (json, "inodes", result->totals.inodes);
  vtree_json_add_uint (json, "bytes", result->totals.bytes);
  vtree_json_add_uint (json, "new_objects", result->stats.new_objects);
  vtree_json_add_uint (json, "new_bytes", result->stats.new_bytes);
  vtree_json_add_uint (json, "shared_objects", result->stats.shared_objects);
  vtree_json_add_uint (json, "shared_bytes", result->stats.shared_bytes);
  vtree_json_add_uint (json, "trusted_files", result->trusted);
  vtree_json_begin_array (json, "replaced");
  for (guint i = 0; result->replaced != NULL && i < result->replaced->len; i++)
    vtree_json_add_string (json, NULL, result->replaced->pdata[i]);
  vtree_json_end_array (json);
  vtree_json_end_object (json);
}

static void
print_result (const VtreeCli *cli, const char *ref, const VtreeCommitResult *result,
              bool is_signed)
{
  char digest[VTREE_DIGEST_TEXT_MAX];

  for (guint i = 0; result->replaced != NULL && i < result->replaced->len; i++)
    vtree_cli_note (cli, "replaced %s, which was corrupt in the repository",
                    (const char *) result->replaced->pdata[i]);
  vtree_cli_note (
    cli,
    "%s version %" G_GUINT64_FORMAT "%s: %u inodes, %" G_GUINT64_FORMAT
    " bytes; %" G_GUINT64_FORMAT " objects (%" G_GUINT64_FORMAT
    " bytes) new, %" G_GUINT64_FORMAT " (%" G_GUINT64_FORMAT " bytes) shared",
    ref, result->version, is_signed ? "" : ", unsigned", result->totals.inodes,
    result->totals.bytes, result->stats.new_objects, result->stats.new_bytes,
    result->stats.shared_objects, result->stats.shared_bytes);
  if (result->trusted > 0)
    vtree_cli_note (cli, "%" G_GUINT64_FORMAT " files look unchanged and were not read",
                    result->trusted);
  if (!is_signed)
    vtree_cli_note (
      cli, "it is not the head until you sign it: vtree sign %s@%" G_GUINT64_FORMAT,
      ref, result->version);
  if (cli->json)
    print_json (ref, result, is_signed);
  else
    vtree_out_print ("%s\n", vtree_digest_format (&result->manifest, digest));
}

/* Commits with the words understood so far; OPTIONS lacks what needs paths. */
static bool
commit (const VtreeCli *cli, CommitWords *words, VtreeCommitOptions *options,
        GError **error)
{
  g_autoptr (VtreePaths) paths = vtree_paths_new (error);
  g_autoptr (VtreeProgress) progress = vtree_progress_new ("commit", !cli->quiet);
  g_autoptr (VtreeRepo) repo
    = paths != NULL ? vtree_cli_open_repo (cli, paths, error) : NULL;
  g_autoptr (GPtrArray) signers = NULL;
  g_autoptr (VtreeObjectSigner) signer = NULL;
  g_auto (VtreeCommitResult) result = { .version = 0 };
  VtreeCaptureOptions capture;

  if (repo == NULL || !vtree_object_words_load (&words->object, &signer, error)
      || !vtree_capture_words_apply (&words->capture, repo, &capture, error))
    return false;
  if (!words->no_sign) {
    signers = vtree_signing_words_signers (&words->signing, paths, error);
    if (signers == NULL)
      return false;
  }
  capture.progress = vtree_progress_count;
  capture.progress_context = progress;
  options->signers = signers;
  options->signer = signer;
  options->paths = paths;
  if (!vtree_commit (repo, cli->args[1], options, &capture, &result, error))
    return false;
  g_clear_pointer (&progress, vtree_progress_free);
  print_result (cli, options->ref, &result, signers != NULL);
  return vtree_repacking_consider (cli, repo, signer, error);
}

bool
vtree_verb_commit (VtreeCli *cli, GError **error)
{
  g_auto (CommitWords) words = { .version = NULL };
  g_autoptr (GArray) entries = commit_entries (&words);
  VtreeCommitOptions options = { .ref = NULL };

  if (!vtree_cli_parse (cli, (const GOptionEntry *) (void *) entries->data, error)
      || !vtree_ref_check_name (cli->args[0], error)
      || !apply_words (&words, &options, error))
    return false;
  options.ref = cli->args[0];
  options.wait = cli->wait;
  return commit (cli, &words, &options, error);
}
