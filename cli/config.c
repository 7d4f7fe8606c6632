/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree config`: which keys there are and what they may be is core's affair. */
#include "cli/json.h"
#include "cli/output.h"
#include "cli/signing.h"
#include "cli/verbs.h"

#include <string.h>

/* Splits "key=value" in place; returns the value. */
static char *
split (char *line)
{
  char *equals = strchr (line, '=');

  if (equals == NULL)
    return line + strlen (line);
  *equals = '\0';
  return equals + 1;
}

static void
print_json (char **lines)
{
  g_autoptr (VtreeJson) json = vtree_json_new (stdout);

  vtree_json_begin_answer (json);
  vtree_json_begin_object (json, "config");
  for (; *lines != NULL; lines++) {
    char *value = split (*lines);

    vtree_json_add_string (json, *lines, value);
  }
  vtree_json_end_object (json);
  vtree_json_end_object (json);
}

static bool
list (const VtreeCli *cli, const VtreeRepo *repo, GError **error)
{
  g_auto (GStrv) lines = vtree_repo_config_list (repo, error);

  if (lines == NULL)
    return false;
  if (cli->json) {
    print_json (lines);
    return true;
  }
  for (char **line = lines; *line != NULL; line++) {
    vtree_out_name (*line, -1);
    vtree_out_text ("\n");
  }
  return true;
}

static bool
print_one (const VtreeCli *cli, const VtreeRepo *repo, const char *key, GError **error)
{
  g_autofree char *value = vtree_repo_config_get (repo, key, error);
  g_auto (GStrv) lines = NULL;

  if (value == NULL)
    return false;
  if (cli->json) {
    lines = g_new0 (char *, 2);
    lines[0] = g_strconcat (key, "=", value, NULL);
    print_json (lines);
    return true;
  }
  vtree_out_name (value, -1);
  vtree_out_text ("\n");
  return true;
}

/* Changes the key that the words name, or says what is there. */
static bool
config (const VtreeCli *cli, VtreeRepo *repo, const VtreeObjectSigner *signer,
        GError **error)
{
  VtreeSeal seal;

  if (cli->n_args == 0)
    return list (cli, repo, error);
  if (cli->n_args == 1)
    return print_one (cli, repo, cli->args[0], error);
  return vtree_object_words_seal (repo, signer, &seal, error)
         && vtree_repo_config_set (repo, cli->args[0], cli->args[1], error)
         && vtree_object_words_sign_config (repo, &seal, cli->wait, error);
}

bool
vtree_verb_config (VtreeCli *cli, GError **error)
{
  g_autoptr (GArray) entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  g_auto (VtreeObjectWords) words = { .key = NULL };
  g_autoptr (VtreeObjectSigner) signer = NULL;
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (VtreeRepo) repo = NULL;

  vtree_object_words_add (&words, entries);
  if (!vtree_cli_parse (cli, (const GOptionEntry *) (void *) entries->data, error)
      || !vtree_object_words_load (&words, &signer, error))
    return false;
  if (signer != NULL && cli->n_args < 2)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "--object-key is for changing a value");
  repo = vtree_cli_open_own_repo (cli, &paths, error);
  return repo != NULL && config (cli, repo, signer, error);
}
