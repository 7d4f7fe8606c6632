/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree seal` and `vtree unseal`: plain files, one after the other. */
#include "cli/output.h"
#include "cli/sealing.h"
#include "cli/signing.h"
#include "cli/verbs.h"
#include "manifest/file-seal-make.h"

typedef struct {
  VtreeSigningWords signing;
  VtreeObjectWords object;
  char *name; /* --as */
  gboolean detached;
} SealWords;

static void
seal_words_clear (SealWords *words)
{
  vtree_signing_words_clear (&words->signing);
  vtree_object_words_clear (&words->object);
  g_clear_pointer (&words->name, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SealWords, seal_words_clear)

/* --- seal ------------------------------------------------------------------------- */

static void
print_json (VtreeJson *json, const char *file, const VtreeFileSealResult *result)
{
  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "path", file);
  vtree_sealing_add_seal (json, result->seal);
  vtree_json_add_bool (json, "enforced", result->enforced);
  vtree_json_add_bool (json, "detached", result->where == VTREE_FILE_SEAL_FILE_PLACE);
  vtree_json_add_bool (json, "trusted", result->trusted);
  vtree_json_end_object (json);
}

/* What a person should know of this file beyond that it is sealed. */
static void
note_result (VtreeSealing *run, const SealWords *words, const char *file,
             const VtreeFileSealResult *result)
{
  g_autofree char *shown = vtree_error_escape (file, -1);

  if (!result->enforced)
    vtree_sealing_note (
      run,
      "%s: signed only: %s, so a change is found by `vtree check`, not "
      "prevented",
      shown, result->not_enforced);
  if (result->where == VTREE_FILE_SEAL_FILE_PLACE && !words->detached)
    vtree_sealing_note (run,
                        "%s: the filesystem has no room for an xattr; its seal is "
                        "%s" VTREE_FILE_SEAL_SUFFIX,
                        shown, shown);
  if (result->names > 1)
    vtree_sealing_note (run, "%s: it has %u names (hard links); the seal is for '%s'",
                        shown, result->names, result->seal->name);
  if (!result->trusted)
    vtree_sealing_note (run,
                        "%s: no signature is by a key that is trusted here for files: "
                        "`vtree check` will refuse it",
                        shown);
}

static bool
seal_one (VtreeSealing *run, const SealWords *words,
          const VtreeFileSealOptions *options, const char *file, GError **error)
{
  g_auto (VtreeFileSealResult) result = { .seal = NULL };
  char digest[VTREE_DIGEST_TEXT_MAX];

  if (!vtree_file_seal_make (options, file, &result, error))
    return false;
  vtree_sealing_next (run);
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
  vtree_object_words_add (&words->object, entries);
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
  g_auto (VtreeSealing) run = { .cli = cli };
  g_autoptr (GPtrArray) signers = NULL;
  g_autoptr (VtreeObjectSigner) object_signer = NULL;
  VtreeFileSealOptions options;

  if (!parse_seal (cli, &words, error)
      || !vtree_object_words_load (&words.object, &object_signer, error)
      || !vtree_sealing_begin (&run, "seal", NULL, error))
    return false;
  signers = vtree_signing_words_signers (&words.signing, run.paths, error);
  if (signers == NULL)
    return false;
  options = (VtreeFileSealOptions){ .paths = run.paths,
                                    .trust = run.trust,
                                    .name = words.name,
                                    .detached = words.detached != FALSE,
                                    .wait = cli->wait,
                                    .signers = signers,
                                    .object_signer = object_signer,
                                    .progress = vtree_sealing_progress (&run) };
  vtree_progress_set_total (run.progress, cli->n_args);
  for (char **file = cli->args; *file != NULL; file++)
    if (!seal_one (&run, &words, &options, *file, error))
      return false;
  vtree_sealing_end (&run);
  return true;
}

/* --- unseal ----------------------------------------------------------------------- */

static bool
unseal_one (VtreeSealing *run, const char *file, GError **error)
{
  VtreeUnsealResult result;
  g_autofree char *shown = vtree_error_escape (file, -1);

  if (!vtree_file_seal_unmake (run->paths, run->trust, file, run->cli->wait, &result,
                               error))
    return false;
  vtree_sealing_next (run);
  if (run->json != NULL) {
    vtree_json_begin_object (run->json, NULL);
    vtree_json_add_string (run->json, "path", file);
    vtree_json_add_bool (run->json, "copied", result.copied);
    vtree_json_add_bool (run->json, "gone", result.gone);
    vtree_json_end_object (run->json);
  }
  if (result.gone)
    vtree_sealing_note (run,
                        "%s: there is no such file any more; the log has "
                        "forgotten it",
                        shown);
  else if (result.copied && result.names > 1)
    vtree_sealing_note (run,
                        "%s: its other names (%u hard links) are the sealed file still",
                        shown, result.names - 1);
  return true;
}

bool
vtree_verb_unseal (VtreeCli *cli, GError **error)
{
  const GOptionEntry entries[]
    = { { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  g_auto (VtreeSealing) run = { .cli = cli };

  if (!vtree_cli_parse (cli, entries, error)
      || !vtree_sealing_begin (&run, "unseal", NULL, error))
    return false;
  vtree_progress_set_total (run.progress, cli->n_args);
  for (char **file = cli->args; *file != NULL; file++)
    if (!unseal_one (&run, *file, error))
      return false;
  vtree_sealing_end (&run);
  return true;
}
