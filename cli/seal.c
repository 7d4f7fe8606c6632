/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree seal` and `vtree unseal`: plain files, one after the other. */
#include "cli/json.h"
#include "cli/output.h"
#include "cli/signing.h"
#include "cli/verbs.h"
#include "manifest/file-seal-make.h"

typedef struct {
  VtreeSigningWords signing;
  char *name; /* --as */
  gboolean detached;
} SealWords;

static void
seal_words_clear (SealWords *words)
{
  vtree_signing_words_clear (&words->signing);
  g_clear_pointer (&words->name, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SealWords, seal_words_clear)

/* What one run works with. */
typedef struct {
  const VtreeCli *cli;
  VtreePaths *paths;
  VtreeTrust *trust;
  GPtrArray *signers; /* VtreeSigner *; seal alone */
  VtreeJson *json;    /* NULL without --json */
} Run;

static void
run_clear (Run *run)
{
  g_clear_pointer (&run->json, vtree_json_free);
  g_clear_pointer (&run->signers, g_ptr_array_unref);
  g_clear_pointer (&run->trust, vtree_trust_free);
  g_clear_pointer (&run->paths, vtree_paths_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

static bool
run_begin (Run *run, GError **error)
{
  run->paths = vtree_paths_new (error);
  run->trust = run->paths != NULL ? vtree_trust_load (run->paths, NULL, error) : NULL;
  if (run->trust == NULL)
    return false;
  if (!run->cli->json)
    return true;
  run->json = vtree_json_new (stdout);
  vtree_json_begin_answer (run->json);
  vtree_json_begin_array (run->json, "files");
  return true;
}

static void
run_end (Run *run)
{
  if (run->json == NULL)
    return;
  vtree_json_end_array (run->json);
  vtree_json_end_object (run->json);
}

/* --- seal ------------------------------------------------------------------------- */

static void
print_json (VtreeJson *json, const char *file, const VtreeFileSealResult *result)
{
  const VtreeFileSeal *seal = result->seal;
  g_autofree char *mode = g_strdup_printf ("%04o", seal->mode);
  char digest[VTREE_DIGEST_TEXT_MAX];

  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "path", file);
  vtree_json_add_string (json, "name", seal->name);
  vtree_json_add_uint (json, "version", seal->version);
  vtree_json_add_string (json, "digest", vtree_digest_format (&seal->digest, digest));
  vtree_json_add_uint (json, "size", seal->size);
  vtree_json_add_string (json, "mode", mode);
  vtree_json_add_bool (json, "enforced", result->enforced);
  vtree_json_add_bool (json, "detached", result->where == VTREE_FILE_SEAL_FILE_PLACE);
  vtree_json_add_bool (json, "trusted", result->trusted);
  vtree_json_end_object (json);
}

/* What a person should know of this file beyond that it is sealed. */
static void
note_result (const Run *run, const SealWords *words, const char *file,
             const VtreeFileSealResult *result)
{
  g_autofree char *shown = vtree_error_escape (file, -1);

  if (!result->enforced)
    vtree_cli_note (run->cli,
                    "%s: signed only: %s, so a change is found by `vtree check`, not "
                    "prevented",
                    shown, result->not_enforced);
  if (result->where == VTREE_FILE_SEAL_FILE_PLACE && !words->detached)
    vtree_cli_note (run->cli,
                    "%s: the filesystem has no room for an xattr; its seal is "
                    "%s" VTREE_FILE_SEAL_SUFFIX,
                    shown, shown);
  if (result->names > 1)
    vtree_cli_note (run->cli, "%s: it has %u names (hard links); the seal is for '%s'",
                    shown, result->names, result->seal->name);
  if (!result->trusted)
    vtree_cli_note (run->cli,
                    "%s: no signature is by a key that is trusted here for files: "
                    "`vtree check` will refuse it",
                    shown);
}

static bool
seal_one (Run *run, const SealWords *words, const char *file, GError **error)
{
  const VtreeFileSealOptions options = { .paths = run->paths,
                                         .trust = run->trust,
                                         .name = words->name,
                                         .detached = words->detached != FALSE,
                                         .wait = run->cli->wait,
                                         .signers = run->signers };
  g_auto (VtreeFileSealResult) result = { .seal = NULL };
  char digest[VTREE_DIGEST_TEXT_MAX];

  if (!vtree_file_seal_make (&options, file, &result, error))
    return false;
  if (run->json != NULL)
    print_json (run->json, file, &result);
  else {
    vtree_out_print ("%s ", vtree_digest_format (&result.seal->digest, digest));
    vtree_out_name (file, -1);
    vtree_out_text ("\n");
  }
  note_result (run, words, file, &result);
  return true;
}

static bool
parse_seal (VtreeCli *cli, SealWords *words, GError **error)
{
  const GOptionEntry own[]
    = { { "as", 0, 0, G_OPTION_ARG_FILENAME, &words->name,
          "Seal it under NAME instead of the file's path", "NAME" },
        { "detached", 0, 0, G_OPTION_ARG_NONE, &words->detached,
          "Put the seal into FILE.vsig instead of an xattr", NULL } };
  g_autoptr (GArray) entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));

  g_array_append_vals (entries, own, G_N_ELEMENTS (own));
  vtree_signing_words_add (&words->signing, entries);
  if (!vtree_cli_parse (cli, (const GOptionEntry *) (void *) entries->data, error))
    return false;
  if (words->name != NULL && cli->n_args > 1)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "--as: one name is for one file");
  return true;
}

bool
vtree_verb_seal (VtreeCli *cli, GError **error)
{
  g_auto (SealWords) words = { .name = NULL };
  g_auto (Run) run = { .cli = cli };

  if (!parse_seal (cli, &words, error) || !run_begin (&run, error))
    return false;
  run.signers = vtree_signing_words_signers (&words.signing, run.paths, error);
  if (run.signers == NULL)
    return false;
  for (char **file = cli->args; *file != NULL; file++)
    if (!seal_one (&run, &words, *file, error))
      return false;
  run_end (&run);
  return true;
}

/* --- unseal ----------------------------------------------------------------------- */

static bool
unseal_one (Run *run, const char *file, GError **error)
{
  VtreeUnsealResult result;
  g_autofree char *shown = vtree_error_escape (file, -1);

  if (!vtree_file_seal_unmake (run->paths, run->trust, file, run->cli->wait, &result,
                               error))
    return false;
  if (run->json != NULL) {
    vtree_json_begin_object (run->json, NULL);
    vtree_json_add_string (run->json, "path", file);
    vtree_json_add_bool (run->json, "copied", result.copied);
    vtree_json_add_bool (run->json, "gone", result.gone);
    vtree_json_end_object (run->json);
  }
  if (result.gone)
    vtree_cli_note (run->cli,
                    "%s: there is no such file any more; the log has "
                    "forgotten it",
                    shown);
  else if (result.copied && result.names > 1)
    vtree_cli_note (run->cli,
                    "%s: its other names (%u hard links) are the sealed file still",
                    shown, result.names - 1);
  return true;
}

bool
vtree_verb_unseal (VtreeCli *cli, GError **error)
{
  const GOptionEntry entries[]
    = { { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  g_auto (Run) run = { .cli = cli };

  if (!vtree_cli_parse (cli, entries, error) || !run_begin (&run, error))
    return false;
  for (char **file = cli->args; *file != NULL; file++)
    if (!unseal_one (&run, *file, error))
      return false;
  run_end (&run);
  return true;
}
