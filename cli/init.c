/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree init`: the repository, and the first signing key of a user who has none. */
#include "cli/argument.h"
#include "cli/json.h"
#include "cli/keyring.h"
#include "cli/output.h"
#include "cli/signing.h"
#include "cli/verbs.h"
#include "core/pack.h"

typedef struct {
  char *digest;
  char *verity;
  char *threshold;
  gboolean shared;
  VtreeObjectWords object;
} InitWords;

static void
init_words_clear (InitWords *words)
{
  g_clear_pointer (&words->digest, g_free);
  g_clear_pointer (&words->verity, g_free);
  g_clear_pointer (&words->threshold, g_free);
  vtree_object_words_clear (&words->object);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (InitWords, init_words_clear)

/* Parses the words into OPTIONS. */
static bool
parse_words (const InitWords *words, VtreeRepoOptions *options, GError **error)
{
  uint64_t threshold = options->pack_threshold;

  if (words->digest != NULL
      && !vtree_digest_alg_parse (words->digest, &options->digest))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "--digest: '%s' is neither sha256 nor sha512",
                            words->digest);
  if (words->verity != NULL
      && !vtree_verity_policy_parse (words->verity, &options->verity))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "--verity: '%s' is none of require, auto and off",
                            words->verity);
  if (words->threshold != NULL
      && !vtree_argument_number ("--pack-threshold", words->threshold, 0,
                                 VTREE_PACK_OBJECT_MAX, &threshold, error))
    return false;
  options->pack_threshold = (uint32_t) threshold;
  options->shared = words->shared != FALSE;
  return true;
}

/* Makes the user's first key where there is none; KEY_ID is "" otherwise. */
static bool
make_key (const VtreeCli *cli, const VtreePaths *paths,
          char key_id[VTREE_KEY_ID_TEXT_MAX], GError **error)
{
  g_auto (GStrv) names = vtree_keyring_names (paths, error);
  g_autofree char *private_path = NULL;
  g_autofree char *public_path = NULL;
  VtreeKeyId id;

  if (names == NULL)
    return false;
  key_id[0] = '\0';
  if (names[0] != NULL)
    return true;
  if (!vtree_keyring_generate (paths, VTREE_KEYRING_DEFAULT, &id, &private_path,
                               &public_path, error))
    return false;
  vtree_key_id_format (&id, key_id);
  vtree_cli_note (cli, "you had no signing key: made %s, private in %s, trusted by %s",
                  key_id, private_path, public_path);
  return true;
}

static void
print_answer (const VtreeCli *cli, const char *path, const char *key_id)
{
  g_autoptr (VtreeJson) json = NULL;

  if (!cli->json) {
    vtree_out_print ("%s\n", path);
    return;
  }
  json = vtree_json_new (stdout);
  vtree_json_begin_answer (json);
  vtree_json_add_string (json, "repository", path);
  vtree_json_add_string (json, "new_key", key_id[0] != '\0' ? key_id : NULL);
  vtree_json_end_object (json);
}

static GArray *
init_entries (InitWords *words)
{
  GArray *entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  const GOptionEntry own[]
    = { { "digest", 0, 0, G_OPTION_ARG_FILENAME, &words->digest,
          "Hash algorithm: sha256 (default) or sha512", "ALG" },
        { "verity", 0, 0, G_OPTION_ARG_FILENAME, &words->verity,
          "Commits enable fs-verity where it is there (auto, default), always "
          "(require), never (off)",
          "WORD" },
        { "pack-threshold", 0, 0, G_OPTION_ARG_FILENAME, &words->threshold,
          "Put contents of at most N bytes into packs (default: 4096; 0: none)", "N" },
        { "shared", 0, 0, G_OPTION_ARG_NONE, &words->shared,
          "Readable by all users: commits refuse files that are not", NULL } };

  g_array_append_vals (entries, own, G_N_ELEMENTS (own));
  vtree_object_words_add (&words->object, entries);
  return entries;
}

/* Has SIGNER, unless it is NULL, sign what the new repository at PATH has. */
static bool
sign_repository (const VtreeCli *cli, const char *path, const VtreeObjectSigner *signer,
                 GError **error)
{
  g_autoptr (VtreeRepo) repo = NULL;
  VtreeSeal seal;

  if (signer == NULL)
    return true;
  repo = vtree_repo_open (path, error);
  return repo != NULL && vtree_object_words_seal (repo, signer, &seal, error)
         && vtree_object_words_sign_config (repo, &seal, cli->wait, error);
}

bool
vtree_verb_init (VtreeCli *cli, GError **error)
{
  g_auto (InitWords) words = { .digest = NULL };
  g_autoptr (GArray) entries = init_entries (&words);
  VtreeRepoOptions options = { .digest = VTREE_DIGEST_SHA256,
                               .verity = VTREE_VERITY_AUTO,
                               .pack_threshold = VTREE_REPO_PACK_THRESHOLD };
  g_autoptr (VtreeObjectSigner) signer = NULL;
  g_autoptr (VtreePaths) paths = NULL;
  g_autofree char *path = NULL;
  char key_id[VTREE_KEY_ID_TEXT_MAX];

  if (!vtree_cli_parse (cli, (const GOptionEntry *) (void *) entries->data, error)
      || !parse_words (&words, &options, error)
      || !vtree_object_words_load (&words.object, &signer, error))
    return false;
  paths = vtree_paths_new (error);
  if (paths == NULL)
    return false;
  path = vtree_cli_repo_path (cli, paths);
  if (!vtree_repo_init (path, &options, error)
      || !sign_repository (cli, path, signer, error)
      || !make_key (cli, paths, key_id, error))
    return false;
  print_answer (cli, path, key_id);
  return true;
}
