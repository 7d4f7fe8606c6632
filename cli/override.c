/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree override`: changes and shows the words of one deployment's overrides. */
#include "cli/context-words.h"
#include "cli/deployed.h"
#include "cli/output.h"
#include "cli/overrides.h"
#include "cli/verbs.h"

typedef struct {
  VtreeContextWords context;
  gboolean show;
  gboolean reset;
} OverrideWords;

static void
override_words_clear (OverrideWords *words)
{
  vtree_context_words_clear (&words->context);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (OverrideWords, override_words_clear)

typedef struct {
  GKeyFile *file;
  unsigned changes;
} Change;

static bool
change (void *data, VtreeContextKind kind, const char *word, GError **error)
{
  Change *all = data;

  all->changes++;
  return vtree_context_save (all->file, kind, word, error);
}

static void
show (GKeyFile *file)
{
  gsize size;
  g_autofree char *text = g_key_file_to_data (file, &size, NULL);

  vtree_out_text (text);
}

/* It may come later; but it may be a slip. */
static void
note_unknown (const VtreeCli *cli, const VtreePaths *paths)
{
  g_autoptr (VtreePaths) root = vtree_paths_new_for_system ("");
  const char *name = cli->args[0];

  if (!vtree_deployed_has (vtree_paths_deploy (paths), name)
      && !vtree_deployed_has (vtree_paths_deploy (root), name))
    vtree_cli_note (cli, "nothing is deployed as '%s' now; see `vtree list`", name);
}

/* Without words there is nothing to do but to show. */
static bool
apply (const VtreePaths *paths, const char *name, const OverrideWords *words,
       GError **error)
{
  g_autoptr (GKeyFile) file
    = words->reset ? g_key_file_new () : vtree_overrides_read (paths, name, error);
  Change all = { file, 0 };
  bool reset = words->reset;

  if (file == NULL || !vtree_context_words_each (&words->context, change, &all, error))
    return false;
  if ((all.changes > 0 || reset)
      && !vtree_overrides_write (paths, name, all.changes > 0 ? file : NULL, error))
    return false;
  if (words->show || (all.changes == 0 && !reset))
    show (file);
  return true;
}

bool
vtree_verb_override (VtreeCli *cli, GError **error)
{
  g_auto (OverrideWords) words = { .show = FALSE };
  g_autoptr (GArray) entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  const GOptionEntry own[]
    = { { "show", 0, 0, G_OPTION_ARG_NONE, &words.show,
          "Print what is said then (default where nothing is changed)", NULL },
        { "reset", 0, 0, G_OPTION_ARG_NONE, &words.reset, "Forget what was said before",
          NULL } };
  g_autoptr (VtreePaths) paths = NULL;

  g_array_append_vals (entries, own, G_N_ELEMENTS (own));
  vtree_context_words_add (&words.context, entries);
  if (!vtree_cli_parse (cli, (const GOptionEntry *) entries->data, error)
      || !vtree_deployments_check_name (cli->args[0], error))
    return false;
  paths = vtree_paths_new (error);
  if (paths == NULL || !apply (paths, cli->args[0], &words, error))
    return false;
  vtree_context_words_note_missing (&words.context, cli);
  if (!words.reset)
    note_unknown (cli, paths);
  return true;
}
