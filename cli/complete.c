/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `vtree __complete -- WORD...`: for the shells' completions, which know nothing of
 * verbs and options. Owns: what each placeholder of a usage line stands for. Changes
 * nothing, and is silent about all that goes wrong: somebody is typing.
 */
#include "cli/complete.h"
#include "cli/deployed.h"
#include "cli/keyring.h"
#include "cli/output.h"
#include "cli/tree.h"
#include "cli/verbs.h"

#include <string.h>
#include <sys/stat.h>

struct VtreeCompletion {
  GArray *entries; /* GOptionEntry */
};

/* A command line up to the cursor. */
typedef struct {
  VtreeCli cli;               /* the verb's */
  VtreeCompletion completion; /* its options */
  const char *current;        /* the word that is being typed */
  char *prefix;               /* what of it comes before the value: "--repo=" */
  const GOptionEntry *option; /* whose value it is; NULL: nobody's */
  unsigned position;          /* number of arguments before it */
  const char *first;          /* the first of them; NULL: there is none */
  bool only_arguments;        /* behind "--" */
  bool system;                /* --system was given */
} Request;

static void
request_clear (Request *request)
{
  g_clear_pointer (&request->completion.entries, g_array_unref);
  g_free (request->prefix);
  vtree_cli_clear (&request->cli);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Request, request_clear)

void
vtree_completion_add (VtreeCompletion *completion, const GOptionEntry *entries)
{
  for (; entries->long_name != NULL; entries++)
    if (entries->long_name[0] != '\0')
      g_array_append_vals (completion->entries, entries, 1);
}

/* One candidate; what a line of our answer can't hold is left out. */
static void
offer (const Request *request, const char *word, const char *description)
{
  const char *value = request->current + strlen (request->prefix);

  if (!g_str_has_prefix (word, value))
    return;
  for (const char *p = word; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      return;
  vtree_out_print ("%s%s", request->prefix, word);
  if (description != NULL)
    vtree_out_print ("\t%s", description);
  vtree_out_text ("\n");
}

static void
offer_all (const Request *request, char **words)
{
  for (; words != NULL && *words != NULL; words++)
    offer (request, *words, NULL);
}

/* --- what stands for what --------------------------------------------------------- */

/* The repository that the deployment NAME came from. */
static VtreeRepo *
open_origin (const Request *request, const char *name)
{
  g_auto (VtreeDeployed) deployed = { .cli = NULL };
  g_autoptr (VtreeDeployment) deployment = NULL;

  if (!vtree_deployed_open (&request->cli, request->system, VTREE_DEPLOYMENTS_LOOK,
                            &deployed, NULL))
    return NULL;
  deployment = vtree_deployments_load (deployed.all, name, NULL);
  if (deployment == NULL || !deployment->has_active)
    return NULL;
  return vtree_repo_open (
    vtree_deployment_find (deployment, deployment->active)->origin->repository, NULL);
}

/* Where a verb takes no --repo, they are of what its deployment came from. */
static void
offer_refs (const Request *request)
{
  g_autoptr (VtreePaths) paths = NULL;
  bool own
    = (request->cli.verb->flags & VTREE_VERB_REPO) != 0 || request->first == NULL;
  g_autoptr (VtreeRepo) repo = own
                                 ? vtree_cli_open_own_repo (&request->cli, &paths, NULL)
                                 : open_origin (request, request->first);
  g_auto (GStrv) names = repo != NULL ? vtree_refs_list (repo, NULL, NULL) : NULL;

  offer_all (request, names);
}

static void
offer_deployments (const Request *request)
{
  g_auto (VtreeDeployed) deployed = { .cli = NULL };
  g_auto (GStrv) names = NULL;

  if (!vtree_deployed_open (&request->cli, request->system, VTREE_DEPLOYMENTS_LOOK,
                            &deployed, NULL))
    return;
  names = vtree_deployments_list (deployed.all, NULL);
  offer_all (request, names);
}

/* A key where an option or a verb of keys asks for a name, else a deployment. */
static void
offer_names (const Request *request)
{
  g_autoptr (VtreePaths) paths = NULL;
  g_auto (GStrv) names = NULL;

  if (request->option == NULL && !g_str_has_prefix (request->cli.verb->name, "key ")) {
    offer_deployments (request);
    return;
  }
  paths = vtree_paths_new (NULL);
  names = paths != NULL ? vtree_keyring_names (paths, NULL) : NULL;
  offer_all (request, names);
}

static void
offer_settings (const Request *request)
{
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (VtreeRepo) repo = vtree_cli_open_own_repo (&request->cli, &paths, NULL);
  g_auto (GStrv) lines = repo != NULL ? vtree_repo_config_list (repo, NULL) : NULL;

  for (char **line = lines; line != NULL && *line != NULL; line++) {
    (*line)[strcspn (*line, "=")] = '\0';
    offer (request, *line, NULL);
  }
}

/* The verbs that begin with PREFIX ("key "), by the first word behind it. */
static void
offer_verbs (const Request *request, const char *prefix)
{
  g_autoptr (GHashTable) seen
    = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (size_t i = 0; i < vtree_verbs_count (); i++) {
    const VtreeVerb *verb = vtree_verbs_peek (i);
    const char *rest = verb->name + strlen (prefix);
    g_autofree char *word = NULL;

    if (verb->name[0] == '_' || !g_str_has_prefix (verb->name, prefix))
      continue;
    word = g_strndup (rest, strcspn (rest, " "));
    if (g_hash_table_add (seen, g_strdup (word)))
      offer (request, word, strlen (word) == strlen (rest) ? verb->summary : NULL);
  }
}

static void
offer_every_verb (const Request *request)
{
  offer_verbs (request, "");
}

static void
offer_files (const Request *request)
{
  (void) request;
  vtree_out_text (":files\n");
}

static void
offer_directories (const Request *request)
{
  (void) request;
  vtree_out_text (":directories\n");
}

/* The names in the directory INODE of TREE, behind WHERE. */
static void
offer_entries (const Request *request, VtreeTree *tree, const VtreeInode *inode,
               const char *where)
{
  VtreeDirectory directory;

  if (!S_ISDIR (inode->mode)
      || !vtree_view_directory (tree->view, inode, &directory, NULL))
    return;
  for (uint32_t i = 0; i < directory.count; i++) {
    VtreeEntry entry;
    VtreeInode child;
    g_autofree char *name = NULL;
    g_autofree char *word = NULL;

    if (!vtree_view_entry (tree->view, &directory, i, &entry, NULL)
        || !vtree_view_inode (tree->view, entry.inode, &child, NULL))
      return;
    name = g_strndup ((const char *) entry.name.data, entry.name.size);
    word = g_strconcat (where, name, S_ISDIR (child.mode) ? "/" : "", NULL);
    offer (request, word, NULL);
  }
}

/* REF:PATH; the signature is verified, as for every look at a tree. */
static void
offer_paths (const Request *request)
{
  const VtreeTreeMode mode = { .with_path = true };
  const char *value = request->current + strlen (request->prefix);
  const char *colon = strrchr (value, ':');
  const char *slash = strrchr (value, '/');
  g_auto (VtreeTree) tree = { .paths = NULL };
  g_autofree char *where = NULL;
  g_autofree char *text = NULL;
  VtreeInode inode;

  if (colon == NULL)
    return;
  where = g_strndup (value, (gsize) ((slash > colon ? slash : colon) + 1 - value));
  text = g_strndup (where, strlen (where) - 1);
  if (vtree_tree_open (&request->cli, text, &mode, &tree, NULL)
      && vtree_tree_find (&tree, &inode, NULL))
    offer_entries (request, &tree, &inode, where);
}

static void
offer_places (const Request *request)
{
  static const char *const words[]
    = { "home",        "host",          "host-os",       "host-etc",
        "xdg-desktop", "xdg-documents", "xdg-download",  "xdg-music",
        "xdg-config",  "xdg-pictures",  "xdg-data",      "xdg-cache",
        "xdg-run",     "xdg-videos",    "xdg-templates", "xdg-public-share",
        NULL };

  offer_all (request, (char **) words);
  vtree_out_text (":directories\n");
}

/* The words of usage lines and of options' values. */
static const struct {
  const char *placeholder;
  void (*offer) (const Request *request);
  const char *words; /* or these, separated by spaces */
} placeholders[] = {
  { "REF", offer_refs, NULL },
  { "PREFIX", offer_refs, NULL },
  { "A", offer_refs, NULL },
  { "B", offer_refs, NULL },
  { "FROM", offer_refs, NULL },
  { "TO", offer_refs, NULL },
  { ":PATH", offer_paths, NULL },
  { "NAME", offer_names, NULL },
  { "KEY", offer_settings, NULL },
  { "VERB", offer_every_verb, NULL },
  { "FILE", offer_files, NULL },
  { "SIG", offer_files, NULL },
  { "SOURCE", offer_files, NULL },
  { "DIR", offer_directories, NULL },
  { "PATH", offer_directories, NULL },
  { "ALG", NULL, "sha256 sha512" },
  { "WORD", NULL, "auto require off" },
  { "SHARED", NULL, "network ipc" },
  { "SOCKET", NULL,
    "wayland x11 fallback-x11 pulseaudio session-bus system-bus ssh-auth cups" },
  { "DEVICE", NULL, "dri kvm shm all" },
  { "PLACE", offer_places, NULL },
  { "HOW", NULL, "keep epoch clamp:" },
  { "WHO", NULL, "keep root" },
};

static void
offer_placeholder (const Request *request, const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS (placeholders); i++) {
    g_auto (GStrv) words = NULL;

    if (strcmp (placeholders[i].placeholder, name) != 0)
      continue;
    if (placeholders[i].offer != NULL) {
      placeholders[i].offer (request);
      return;
    }
    words = g_strsplit (placeholders[i].words, " ", -1);
    offer_all (request, words);
  }
}

/* One argument of a usage line: "REF|SOURCE", "REF[:PATH]", "[NAME...]". */
static void
offer_argument (const Request *request, const char *argument)
{
  g_auto (GStrv) choices = g_strsplit (argument, "|", -1);

  for (char **choice = choices; *choice != NULL; choice++) {
    const char *start = *choice + strspn (*choice, "[");
    g_autofree char *name = g_strndup (start, strcspn (start, "[]:@."));

    offer_placeholder (request, name);
    if (strstr (start, ":PATH") != NULL)
      offer_placeholder (request, ":PATH");
  }
}

/* The argument at the cursor; the last one may come again. */
static void
offer_arguments (const Request *request)
{
  g_auto (GStrv) arguments = g_strsplit (request->cli.verb->arguments, " ", -1);
  guint count = g_strv_length (arguments);

  if (request->position < count)
    offer_argument (request, arguments[request->position]);
  else if (count > 0 && strstr (arguments[count - 1], "...") != NULL)
    offer_argument (request, arguments[count - 1]);
}

/* --- where the cursor is ---------------------------------------------------------- */

static bool
takes_value (const GOptionEntry *entry)
{
  return entry != NULL && entry->arg != G_OPTION_ARG_NONE;
}

/* The option that WORD, "--long", "--long=value" or "-abc", names last; or NULL. */
static const GOptionEntry *
find_option (const Request *request, const char *word)
{
  const GArray *entries = request->completion.entries;
  bool is_long = g_str_has_prefix (word, "--");
  g_autofree char *name = g_strndup (word + 2, is_long ? strcspn (word + 2, "=") : 0);

  for (guint i = 0; i < entries->len; i++) {
    const GOptionEntry *entry = &g_array_index (entries, GOptionEntry, i);

    if (is_long ? strcmp (entry->long_name, name) == 0
                : entry->short_name == word[strlen (word) - 1])
      return entry;
  }
  return NULL;
}

static void
note_option (Request *request, const GOptionEntry *entry, const char *value)
{
  if (entry == NULL)
    return;
  if (strcmp (entry->long_name, "system") == 0)
    request->system = true;
  if (strcmp (entry->long_name, "repo") != 0 || value == NULL)
    return;
  g_free (request->cli.repo_path);
  request->cli.repo_path = g_strdup (value);
}

static void
note_argument (Request *request, const char *word)
{
  if (request->position++ == 0)
    request->first = word;
}

/* Reads WORDS, those between the verb and the cursor. */
static void
read_words (Request *request, char **words)
{
  for (; *words != NULL; words++) {
    const char *word = *words;
    const char *equals = strchr (word, '=');
    const GOptionEntry *entry;

    if (request->only_arguments || word[0] != '-' || word[1] == '\0') {
      note_argument (request, word);
      continue;
    }
    request->only_arguments = strcmp (word, "--") == 0;
    entry = request->only_arguments ? NULL : find_option (request, word);
    if (!takes_value (entry) || equals != NULL) {
      note_option (request, entry, equals != NULL ? equals + 1 : NULL);
    } else if (words[1] == NULL) {
      request->option = entry;
    } else {
      note_option (request, entry, *++words);
    }
  }
}

static void
offer_options (const Request *request)
{
  const GArray *entries = request->completion.entries;

  for (guint i = 0; i < entries->len; i++) {
    const GOptionEntry *entry = &g_array_index (entries, GOptionEntry, i);
    g_autofree char *word
      = g_strconcat ("--", entry->long_name, takes_value (entry) ? "=" : "", NULL);

    offer (request, word, entry->description);
  }
}

/* What may stand at the cursor, which is behind the verb. */
static void
offer_for_verb (Request *request)
{
  const char *equals = strchr (request->current, '=');
  bool is_option
    = !request->only_arguments && request->option == NULL && request->current[0] == '-';

  if (is_option && equals != NULL) {
    request->option = find_option (request, request->current);
    g_free (request->prefix);
    request->prefix
      = g_strndup (request->current, (gsize) (equals + 1 - request->current));
  }
  if (takes_value (request->option) && request->option->arg_description != NULL)
    offer_argument (request, request->option->arg_description);
  else if (is_option && equals == NULL)
    offer_options (request);
  else if (!is_option && request->option == NULL)
    offer_arguments (request);
}

/* Has the verb hand over its options; it does nothing else. */
static void
ask_verb (Request *request)
{
  VtreeCli *cli = &request->cli;
  g_autoptr (GError) error = NULL;

  cli->completion = &request->completion;
  cli->verb->run (cli, &error);
  cli->completion = NULL;
}

static void
offer_first_word (const Request *request, char **words)
{
  g_autofree char *family = words[0] != NULL ? g_strconcat (words[0], " ", NULL) : NULL;

  if (family == NULL && request->current[0] == '-') {
    offer (request, "--repo=", NULL);
    offer (request, "--help", NULL);
    offer (request, "--version", NULL);
  } else if (family == NULL || words[1] == NULL) {
    offer_verbs (request, family != NULL ? family : "");
  }
}

/* WORDS, the last of which is at the cursor. */
static void
complete (char **words)
{
  guint count = g_strv_length (words);
  g_auto (GStrv) before = NULL;
  char **rest;
  unsigned used = 0;
  g_auto (Request) request
    = { .cli = { .wait = 0, .quiet = TRUE },
        .completion = { g_array_new (FALSE, FALSE, sizeof (GOptionEntry)) },
        .current = count > 0 ? words[count - 1] : "",
        .prefix = g_strdup ("") };

  before = g_strdupv (words);
  if (count > 0)
    g_clear_pointer (&before[count - 1], g_free);
  for (rest = before; *rest != NULL && g_str_has_prefix (*rest, "--repo="); rest++) {
    g_free (request.cli.repo_path);
    request.cli.repo_path = g_strdup (*rest + strlen ("--repo="));
  }
  request.cli.verb = *rest != NULL ? vtree_verbs_find (rest, &used) : NULL;
  if (request.cli.verb == NULL) {
    offer_first_word (&request, rest);
    return;
  }
  request.cli.words = g_new0 (char *, 2);
  request.cli.words[0] = g_strdup (rest[used - 1]);
  ask_verb (&request);
  read_words (&request, rest + used);
  offer_for_verb (&request);
}

bool
vtree_verb_complete (VtreeCli *cli, GError **error)
{
  const GOptionEntry entries[]
    = { { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };

  if (cli->completion == NULL && cli->words[1] != NULL
      && strcmp (cli->words[1], "--") == 0) {
    complete (cli->words + 2);
    return true;
  }
  return vtree_cli_parse (cli, entries, error)
         && vtree_error_set (error, VTREE_ERROR_INVALID, "-- and words expected");
}
