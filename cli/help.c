/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of verbs. What a verb says of itself stands in the table (verbs.c). */
#include "cli/help.h"
#include "cli/output.h"
#include "cli/verbs.h"

#include <string.h>

/* One line for each verb whose name begins with PREFIX, but those that are for
 * programs. Returns their number. */
static unsigned
print_list (const char *prefix)
{
  unsigned count = 0;

  for (size_t i = 0; i < vtree_verbs_count (); i++) {
    const VtreeVerb *verb = vtree_verbs_peek (i);

    if (!g_str_has_prefix (verb->name, prefix) || verb->name[0] == '_')
      continue;
    vtree_out_print ("  %-15s %s\n", verb->name, verb->summary);
    count++;
  }
  return count;
}

void
vtree_help_print_verbs (void)
{
  vtree_out_text ("Usage:\n"
                  "  vtree [--repo=DIR] VERB [OPTION…] [ARGUMENT…]\n"
                  "  vtree VERB --help\n"
                  "  vtree --version\n"
                  "\n"
                  "Signed, verified directory trees over fs-verity objects.\n"
                  "\n"
                  "Verbs:\n");
  print_list ("");
  vtree_out_text ("\n"
                  "The repository is --repo, else $VTREE_REPO, else your own.\n"
                  "A first tree:\n"
                  "  vtree init\n"
                  "  vtree commit mytree DIR\n"
                  "  vtree mount mytree MOUNTPOINT\n"
                  "See vtree(1).\n");
}

static bool
is_help (const char *word)
{
  return word != NULL && (strcmp (word, "--help") == 0 || strcmp (word, "-h") == 0);
}

/* The verbs of a family as "a, b or c". */
static char *
family_members (const char *prefix)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (size_t i = 0; i < vtree_verbs_count (); i++) {
    const char *name = vtree_verbs_peek (i)->name;

    if (g_str_has_prefix (name, prefix))
      g_string_append_printf (text, "%s%s", text->len > 0 ? ", " : "",
                              name + strlen (prefix));
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

bool
vtree_help_print_family (char **words, GError **error)
{
  g_autofree char *prefix = g_strconcat (words[0], " ", NULL);
  g_autofree char *members = family_members (prefix);
  g_autofree char *escaped = vtree_error_escape (words[0], -1);

  if (members[0] == '\0')
    return vtree_error_set (error, VTREE_ERROR_INVALID, "there is no verb '%s'",
                            escaped);
  if (!is_help (words[1]))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "'%s' is followed by one of: %s", escaped, members);
  vtree_out_print ("Usage:\n  vtree %s VERB [OPTION…] [ARGUMENT…]\n\nVerbs:\n",
                   words[0]);
  print_list (prefix);
  return false;
}

bool
vtree_verb_help (VtreeCli *cli, GError **error)
{
  const GOptionEntry entries[]
    = { { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  const char *words[4] = { NULL };
  VtreeCli other = { .wait = VTREE_CLI_WAIT };
  bool done;

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  if (cli->n_args == 0) {
    vtree_help_print_verbs ();
    return true;
  }
  memcpy (words, cli->args, cli->n_args * sizeof *words);
  words[cli->n_args] = "--help";
  done = vtree_cli_run (&other, (char **) words, error) || other.help;
  vtree_cli_clear (&other);
  return done;
}
