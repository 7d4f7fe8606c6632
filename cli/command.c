/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From argv to a verb's function and back to an exit status. Owns the shared options
 * and the form of an error's line; knows no verb by name but the help.
 */
#include "cli/command.h"
#include "cli/argument.h"
#include "cli/complete.h"
#include "cli/help.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "core/handoff.h"
#include "core/lock.h"
#include "core/version.h"

#include <stdio.h>
#include <string.h>

void
vtree_cli_note (const VtreeCli *cli, const char *format, ...)
{
  g_autofree char *text = NULL;
  g_autofree char *line = NULL;
  va_list arguments;

  if (cli->quiet)
    return;
  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  line = vtree_error_line (text);
  fprintf (stderr, "vtree %s: %s\n", cli->verb->name, line);
}

static void
report_json (const GError *error)
{
  VtreeExit code = vtree_exit_code (error);
  g_autoptr (VtreeJson) json = vtree_json_new (stderr);

  vtree_json_begin_object (json, NULL);
  vtree_json_begin_object (json, "error");
  vtree_json_add_int (json, "code", code);
  vtree_json_add_string (json, "kind", vtree_exit_name (code));
  vtree_json_add_string (json, "message", error->message);
  vtree_json_end_object (json);
  vtree_json_end_object (json);
}

void
vtree_cli_report (const VtreeCli *cli, const GError *error)
{
  g_autofree char *message = vtree_error_line (error->message);
  const char *verb = cli->verb != NULL ? cli->verb->name : NULL;

  if (cli->json) {
    report_json (error);
    return;
  }
  fprintf (stderr, "vtree%s%s: %s", verb != NULL ? " " : "", verb != NULL ? verb : "",
           message);
  if (cli->misused)
    fprintf (stderr, "; see `vtree %s%s--help`", verb != NULL ? verb : "",
             verb != NULL ? " " : "");
  fputc ('\n', stderr);
}

static void
add_entries (GOptionContext *context, const VtreeCli *cli, const GOptionEntry *entries)
{
  if (cli->completion != NULL)
    vtree_completion_add (cli->completion, entries);
  g_option_context_add_main_entries (context, entries, NULL);
}

/* Adds the options that VERB's flags ask for, and --help. */
static void
add_shared_entries (GOptionContext *context, VtreeCli *cli, char **wait, char ***rest)
{
  const VtreeVerbFlags flags = cli->verb->flags;
  const GOptionEntry none = { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL };
  const struct {
    VtreeVerbFlags flag;
    GOptionEntry entry;
  } shared[] = {
    { VTREE_VERB_REPO,
      { "repo", 0, 0, G_OPTION_ARG_FILENAME, &cli->repo_path,
        "The repository (default: $VTREE_REPO, else your own)", "DIR" } },
    { VTREE_VERB_WAIT,
      { "wait", 0, 0, G_OPTION_ARG_FILENAME, wait,
        "Wait so long for a lock, then exit 8 (default: 10; -1: for ever)", "SEC" } },
    { VTREE_VERB_JSON,
      { "json", 0, 0, G_OPTION_ARG_NONE, &cli->json,
        "Answer as JSON, errors on stderr too", NULL } },
    { VTREE_VERB_QUIET,
      { "quiet", 'q', 0, G_OPTION_ARG_NONE, &cli->quiet,
        "Say nothing on stderr but errors", NULL } },
  };
  const GOptionEntry always[] = {
    { "help", 'h', 0, G_OPTION_ARG_NONE, &cli->help, "Show this help", NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, rest, NULL, NULL },
    none,
  };

  for (size_t i = 0; i < G_N_ELEMENTS (shared); i++) {
    const GOptionEntry entries[] = { shared[i].entry, none };

    if ((flags & shared[i].flag) != 0)
      add_entries (context, cli, entries);
  }
  add_entries (context, cli, always);
}

/* What an unset variable of a script leaves: never the working directory, or the
 * default repository. */
static bool
refuse_empty (const VtreeCli *cli, GError **error)
{
  unsigned own = (cli->verb->flags & VTREE_VERB_COMMAND) != 0 ? 1 : cli->n_args;

  if (cli->repo_path != NULL && cli->repo_path[0] == '\0')
    return vtree_error_set (error, VTREE_ERROR_INVALID, "--repo: it is empty");
  for (unsigned i = 0; i < own; i++)
    if (cli->args[i][0] == '\0')
      return vtree_error_set (error, VTREE_ERROR_INVALID,
                              "%s expected, but argument %u is empty",
                              cli->verb->arguments, i + 1);
  return true;
}

static bool
check_arguments (VtreeCli *cli, GError **error)
{
  const VtreeVerb *verb = cli->verb;

  cli->n_args = g_strv_length (cli->args);
  if (cli->n_args < verb->min_args && cli->n_args == 0)
    return vtree_error_set (error, VTREE_ERROR_INVALID, "%s expected", verb->arguments);
  if (cli->n_args < verb->min_args)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "%s expected, but nothing follows '%s'", verb->arguments,
                            cli->args[cli->n_args - 1]);
  if (cli->n_args > verb->max_args)
    return vtree_error_set (error, VTREE_ERROR_INVALID, "unexpected argument '%s'",
                            cli->args[verb->max_args]);
  return refuse_empty (cli, error);
}

static bool
parse (VtreeCli *cli, const GOptionEntry *entries, GError **error)
{
  g_autoptr (GOptionContext) context = g_option_context_new (cli->verb->arguments);
  g_autoptr (GError) local = NULL;
  g_autofree char *wait = NULL;
  g_autofree char *title = g_strdup_printf ("vtree %s", cli->verb->name);
  const gboolean json = cli->json;
  char **rest = NULL;
  bool parsed;

  g_set_prgname (title);
  g_option_context_set_main_group (
    context, g_option_group_new (NULL, NULL, NULL, cli->option_data, NULL));
  g_option_context_set_help_enabled (context, FALSE);
  g_option_context_set_summary (context, cli->verb->summary);
  g_option_context_set_description (context, cli->verb->description);
  add_entries (context, cli, entries);
  add_shared_entries (context, cli, &wait, &rest);
  if (cli->completion != NULL)
    return false;
  parsed = g_option_context_parse_strv (context, &cli->words, &local);
  cli->args = rest != NULL ? rest : g_new0 (char *, 1);
  if (!parsed) {
    cli->json = json; /* GLib has taken it back with all the rest */
    return vtree_error_set (error, VTREE_ERROR_INVALID, "%s", local->message);
  }
  if (cli->help) {
    g_autofree char *text = g_option_context_get_help (context, TRUE, NULL);

    vtree_out_text (text);
    return false;
  }
  if (wait != NULL && !vtree_argument_wait (wait, &cli->wait, error))
    return false;
  return check_arguments (cli, error);
}

bool
vtree_cli_parse (VtreeCli *cli, const GOptionEntry *entries, GError **error)
{
  bool parsed = parse (cli, entries, error);

  cli->misused = !parsed && !cli->help;
  return parsed;
}

char *
vtree_cli_repo_path (const VtreeCli *cli, const VtreePaths *paths)
{
  const char *path = cli->repo_path;

  if (path == NULL)
    path = g_getenv ("VTREE_REPO");
  if (path == NULL || path[0] == '\0')
    path = vtree_paths_repo (paths);
  return g_canonicalize_filename (path, NULL);
}

VtreeRepo *
vtree_cli_open_repo (const VtreeCli *cli, const VtreePaths *paths, GError **error)
{
  g_autofree char *path = vtree_cli_repo_path (cli, paths);

  return vtree_repo_open (path, error);
}

VtreeRepo *
vtree_cli_open_own_repo (const VtreeCli *cli, VtreePaths **paths, GError **error)
{
  *paths = vtree_paths_new (error);
  return *paths != NULL ? vtree_cli_open_repo (cli, *paths, error) : NULL;
}

/* Whether an option --NAME stands among WORDS: for errors that come before they are
 * parsed. */
static bool
has_flag (char **words, const char *flag)
{
  for (; *words != NULL && strcmp (*words, "--") != 0; words++)
    if (strcmp (*words, flag) == 0)
      return true;
  return false;
}

/* Handles what stands before the verb; *WORDS goes on to the verb. True if there is a
 * verb to look for. */
static bool
parse_global (VtreeCli *cli, char ***words, GError **error)
{
  for (; **words != NULL && ***words == '-'; (*words)++) {
    const char *word = **words;

    if (strcmp (word, "--version") == 0) {
      vtree_out_print ("vtree %s\n", vtree_version ());
      return false;
    }
    if (strcmp (word, "--help") == 0 || strcmp (word, "-h") == 0) {
      vtree_help_print_verbs ();
      return false;
    }
    if (g_str_has_prefix (word, "--repo=")) {
      g_free (cli->repo_path);
      cli->repo_path = g_strdup (word + strlen ("--repo="));
    } else if (strcmp (word, "--repo") == 0 && (*words)[1] != NULL) {
      g_free (cli->repo_path);
      cli->repo_path = g_strdup (*++*words);
    } else {
      return vtree_error_set (error, VTREE_ERROR_INVALID, "unknown option '%s'", word);
    }
  }
  if (**words == NULL)
    return vtree_error_set (error, VTREE_ERROR_INVALID, "a verb expected");
  return true;
}

/* Who waits for locks may be told to wait longer. */
static void
hint_wait (const VtreeCli *cli, GError **error)
{
  g_autoptr (GError) busy = NULL;

  if (error == NULL || !g_error_matches (*error, VTREE_ERROR, VTREE_ERROR_BUSY)
      || (cli->verb->flags & VTREE_VERB_WAIT) == 0
      || !g_str_has_suffix ((*error)->message, VTREE_LOCK_HELD))
    return;
  busy = *error;
  *error = NULL;
  vtree_error_set (error, VTREE_ERROR_BUSY, "%s; --wait=SEC waits longer",
                   busy->message);
}

bool
vtree_cli_run (VtreeCli *cli, char **words, GError **error)
{
  unsigned used = 0;

  cli->misused = true;
  if (!parse_global (cli, &words, error))
    return false;
  cli->verb = vtree_verbs_find (words, &used);
  if (cli->verb == NULL)
    return vtree_help_print_family (words, error);
  cli->misused = false;
  cli->words = g_strdupv (words + used - 1);
  cli->json = (cli->verb->flags & VTREE_VERB_JSON) != 0 && has_flag (words, "--json");
  if (cli->verb->run (cli, error))
    return true;
  if (!cli->help && *error == NULL)
    vtree_error_set (error, VTREE_ERROR_FAILED,
                     "it failed and does not say why: please report this");
  hint_wait (cli, error);
  return false;
}

void
vtree_cli_clear (VtreeCli *cli)
{
  g_strfreev (cli->words);
  g_strfreev (cli->args);
  g_free (cli->repo_path);
}

int
vtree_cli_main (int argc, char **argv)
{
  VtreeCli cli = { .wait = VTREE_CLI_WAIT };
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) output = NULL;
  int status;

  g_assert (argc >= 1);
  vtree_cli_run (&cli, argv + 1, &error);
  status = error != NULL ? (int) vtree_exit_code (error) : cli.status;
  if (!vtree_out_finish (&output) && status == 0) {
    status = VTREE_EXIT_FAILED;
    if (output != NULL)
      vtree_cli_report (&cli, output);
  }
  if (error != NULL && !vtree_out_is_quiet_error (error))
    vtree_cli_report (&cli, error);
  vtree_cli_clear (&cli);
  return status;
}
