/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `vtree flatpak seal`, `unseal`, `list`: the files of what a user has installed by
 * Flatpak, committed and signed as flatpak/KIND/ID/ARCH/BRANCH, and the verified tree
 * mounted in their place. Which of Flatpak's commits a version is, its message says,
 * which is signed with the rest; nothing else is remembered.
 */
#include "cli/json.h"
#include "cli/mounter.h"
#include "cli/mounts.h"
#include "cli/output.h"
#include "cli/tree.h"
#include "cli/verbs.h"

#include <errno.h>
#include <string.h>

#define MESSAGE "flatpak commit "

/* One branch of an application or a runtime. */
typedef struct {
  char *ref;    /* ours */
  char *id;     /* Flatpak's */
  char *commit; /* the active one */
  char *files;  /* its directory of files */
} Installed;

/* What all three verbs know. */
typedef struct {
  VtreeCli *cli;
  char *root;        /* the user's installation */
  char *repo;        /* our repository */
  GPtrArray *all;    /* Installed, those that were named */
  GPtrArray *mounts; /* VtreeMount */
} Flatpak;

static void
installed_free (void *data)
{
  Installed *item = data;

  g_free (item->ref);
  g_free (item->id);
  g_free (item->commit);
  g_free (item->files);
  g_free (item);
}

static void
flatpak_clear (Flatpak *flatpak)
{
  g_free (flatpak->root);
  g_free (flatpak->repo);
  g_clear_pointer (&flatpak->all, g_ptr_array_unref);
  g_clear_pointer (&flatpak->mounts, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Flatpak, flatpak_clear)

/* --- what is installed ------------------------------------------------------------ */

/* The branch at PATH, if Flatpak has deployed it and we can have a ref for it. */
static void
add_branch (Flatpak *flatpak, const char *const parts[4], const char *path)
{
  g_autofree char *link = g_build_filename (path, "active", NULL);
  g_autofree char *commit = g_file_read_link (link, NULL);
  g_autofree char *ref
    = g_strdup_printf ("flatpak/%s/%s/%s/%s", parts[0], parts[1], parts[2], parts[3]);
  Installed *item;

  if (commit == NULL || strchr (commit, '/') != NULL || commit[0] == '.'
      || !vtree_ref_check_name (ref, NULL))
    return;
  item = g_new (Installed, 1);
  item->ref = g_steal_pointer (&ref);
  item->id = g_strdup (parts[1]);
  item->files = g_build_filename (path, commit, "files", NULL);
  item->commit = g_steal_pointer (&commit);
  g_ptr_array_add (flatpak->all, item);
}

/* All branches below PATH, which DEPTH components of ROOT lead to. */
static void
find_branches (Flatpak *flatpak, const char *wanted, const char *parts[4], int depth,
               const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  if (depth == 4) {
    add_branch (flatpak, parts, path);
    return;
  }
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *below = g_build_filename (path, name, NULL);

    /* ID/current is a link to ID/ARCH/BRANCH. */
    if (g_file_test (below, G_FILE_TEST_IS_SYMLINK)
        || (depth == 1 && wanted != NULL && strcmp (name, wanted) != 0))
      continue;
    parts[depth] = name;
    find_branches (flatpak, wanted, parts, depth + 1, below);
  }
}

static int
compare_refs (const void *a, const void *b)
{
  const Installed *const *left = a;
  const Installed *const *right = b;

  return strcmp ((*left)->ref, (*right)->ref);
}

/* WANTED: an ID, or NULL for all. */
static bool
find_installed (Flatpak *flatpak, const char *wanted, GError **error)
{
  static const char *const kinds[] = { "app", "runtime" };

  flatpak->all = g_ptr_array_new_with_free_func (installed_free);
  for (size_t i = 0; i < G_N_ELEMENTS (kinds); i++) {
    const char *parts[4] = { kinds[i] };
    g_autofree char *path = g_build_filename (flatpak->root, kinds[i], NULL);

    find_branches (flatpak, wanted, parts, 1, path);
  }
  g_ptr_array_sort (flatpak->all, compare_refs);
  return wanted == NULL || flatpak->all->len > 0
         || vtree_error_set (error, VTREE_ERROR_MISSING,
                             "'%s' is not installed in %s; see `flatpak --user list` "
                             "(what is installed for the system is the "
                             "administrator's)",
                             wanted, flatpak->root);
}

static bool
flatpak_open (VtreeCli *cli, const char *wanted, Flatpak *flatpak, GError **error)
{
  const char *dir = g_getenv ("FLATPAK_USER_DIR");
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (VtreeRepo) repo = vtree_cli_open_own_repo (cli, &paths, error);

  flatpak->cli = cli;
  if (repo == NULL)
    return false;
  flatpak->repo = g_strdup (vtree_repo_path (repo));
  flatpak->root = dir != NULL && dir[0] == '/'
                    ? g_strdup (dir)
                    : g_build_filename (g_get_user_data_dir (), "flatpak", NULL);
  flatpak->mounts = vtree_mounts_list (error);
  return flatpak->mounts != NULL && find_installed (flatpak, wanted, error);
}

/* --- its state -------------------------------------------------------------------- */

typedef enum {
  UNSEALED,
  SEALED,
  UPDATED, /* another commit of Flatpak's was sealed */
} State;

/* Which commit the newest version of ITEM's ref is. */
static bool
find_state (const Flatpak *flatpak, const Installed *item, State *state, GError **error)
{
  const VtreeTreeMode mode = { .with_path = false };
  g_auto (VtreeTree) tree = { .paths = NULL };
  GError *failed = NULL;
  const char *message;

  *state = UNSEALED;
  if (!vtree_tree_open (flatpak->cli, item->ref, &mode, &tree, &failed)) {
    bool missing = g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_MISSING);

    if (missing)
      g_clear_error (&failed);
    else
      g_propagate_error (error, failed);
    return missing;
  }
  message = vtree_statement_extra (tree.resolved->statement, "x-message");
  *state = message != NULL && g_str_has_prefix (message, MESSAGE)
               && strcmp (message + strlen (MESSAGE), item->commit) == 0
             ? SEALED
             : UPDATED;
  return true;
}

static bool
is_mounted (const Flatpak *flatpak, const Installed *item)
{
  g_autofree char *real = vtree_mounts_canonical (item->files, NULL);

  return real != NULL && vtree_mounts_find (flatpak->mounts, real) != NULL;
}

/* --- sealing ---------------------------------------------------------------------- */

/* Another verb of ours, with the same repository. */
static bool
run_verb (const Flatpak *flatpak, const char *const words[], GError **error)
{
  VtreeCli cli = { .wait = flatpak->cli->wait };
  g_autoptr (GPtrArray) all = g_ptr_array_new ();
  g_autofree char *repo = g_strconcat ("--repo=", flatpak->repo, NULL);
  bool ok;

  g_ptr_array_add (all, (void *) words[0]);
  g_ptr_array_add (all, repo);
  for (const char *const *word = words + 1; *word != NULL; word++)
    g_ptr_array_add (all, (void *) *word);
  g_ptr_array_add (all, NULL);
  ok = vtree_cli_run (&cli, (char **) all->pdata, error);
  vtree_cli_clear (&cli);
  return ok;
}

static bool
commit_files (const Flatpak *flatpak, const Installed *item, GError **error)
{
  g_autofree char *message = g_strconcat ("--message=" MESSAGE, item->commit, NULL);
  const char *const words[]
    = { "commit", "--quiet", message, item->ref, item->files, NULL };

  return run_verb (flatpak, words, error);
}

/* What is mounted of ITEM's ref on another commit's files, or (ALL) anywhere. */
static bool
unmount_others (const Flatpak *flatpak, const Installed *item, bool all, GError **error)
{
  g_autofree char *source = g_strconcat (flatpak->repo, ":", item->ref, NULL);
  g_autofree char *real = vtree_mounts_canonical (item->files, NULL);

  for (guint i = flatpak->mounts->len; i-- > 0;) {
    const VtreeMount *mount = flatpak->mounts->pdata[i];
    g_autoptr (GError) failed = NULL;

    if (strcmp (mount->source, source) != 0
        || (!all && g_strcmp0 (mount->dir, real) == 0)
        || vtree_mounts_unmount (mount, false, &failed))
      continue;
    if (all) {
      g_propagate_error (error, g_steal_pointer (&failed));
      return false;
    }
    /* The old version is still running. */
    vtree_cli_note (flatpak->cli, "%s", failed->message);
  }
  return true;
}

static bool
mount_files (const Flatpak *flatpak, const Installed *item, GError **error)
{
  g_autofree char *source = g_strconcat (flatpak->repo, ":", item->ref, NULL);

  if (vtree_mounts_is_dead (item->files)) {
    if (!vtree_mounter_remove_stale (flatpak->cli, item->files, error))
      return false;
  } else if (is_mounted (flatpak, item)) {
    return true;
  }
  return vtree_mounter_mount (flatpak->cli, source, item->files, "", error)
         && unmount_others (flatpak, item, false, error);
}

/* What is mounted already is sealed: it is not read again. */
static bool
seal_one (const Flatpak *flatpak, const Installed *item, GError **error)
{
  State state;

  if (!find_state (flatpak, item, &state, error))
    return false;
  if (state == UPDATED)
    vtree_cli_note (flatpak->cli, "Flatpak has updated %s since it was sealed",
                    item->id);
  return (state == SEALED || commit_files (flatpak, item, error))
         && mount_files (flatpak, item, error);
}

static bool
unseal_one (const Flatpak *flatpak, const Installed *item, GError **error)
{
  g_autofree char *option = g_strconcat ("--delete=", item->ref, NULL);
  const char *const words[] = { "refs", "--quiet", option, NULL };
  State state;

  return unmount_others (flatpak, item, true, error)
         && find_state (flatpak, item, &state, error)
         && (state == UNSEALED || run_verb (flatpak, words, error));
}

/* --- verbs ------------------------------------------------------------------------ */

/* APPID|--all: EACH for all that is named; one that fails does not keep the rest. */
static bool
for_each (VtreeCli *cli, bool (*each) (const Flatpak *, const Installed *, GError **),
          GError **error)
{
  gboolean all = FALSE;
  const GOptionEntry entries[]
    = { { "all", 'a', 0, G_OPTION_ARG_NONE, &all,
          "All that you have installed, runtimes too", NULL },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  g_auto (Flatpak) flatpak = { .cli = cli };
  GError *first = NULL;

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  if ((cli->n_args == 0) == (all == FALSE)) {
    cli->misused = true;
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "either APPID or --all expected");
  }
  if (!flatpak_open (cli, all ? NULL : cli->args[0], &flatpak, error))
    return false;
  if (flatpak.all->len == 0)
    vtree_cli_note (cli, "nothing is installed in %s", flatpak.root);
  for (guint i = 0; i < flatpak.all->len; i++) {
    g_autoptr (GError) failed = NULL;

    if (each (&flatpak, flatpak.all->pdata[i], &failed))
      continue;
    if (first == NULL)
      first = g_steal_pointer (&failed);
    else
      vtree_cli_note (cli, "%s", failed->message);
  }
  if (first == NULL)
    return true;
  g_propagate_error (error, first);
  return false;
}

bool
vtree_verb_flatpak_seal (VtreeCli *cli, GError **error)
{
  return for_each (cli, seal_one, error);
}

bool
vtree_verb_flatpak_unseal (VtreeCli *cli, GError **error)
{
  return for_each (cli, unseal_one, error);
}

static bool
show (const Flatpak *flatpak, const Installed *item, VtreeJson *json, GError **error)
{
  static const char *const words[]
    = { [UNSEALED] = "unsealed", [SEALED] = "sealed", [UPDATED] = "updated" };
  bool mounted = is_mounted (flatpak, item);
  State state;

  if (!find_state (flatpak, item, &state, error))
    return false;
  if (json == NULL) {
    vtree_out_print ("%s %s%s\n", item->ref, words[state], mounted ? ",mounted" : "");
    return true;
  }
  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "ref", item->ref);
  vtree_json_add_string (json, "id", item->id);
  vtree_json_add_string (json, "commit", item->commit);
  vtree_json_add_string (json, "state", words[state]);
  vtree_json_add_bool (json, "mounted", mounted);
  vtree_json_end_object (json);
  return true;
}

bool
vtree_verb_flatpak_list (VtreeCli *cli, GError **error)
{
  const GOptionEntry entries[]
    = { { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  g_auto (Flatpak) flatpak = { .cli = cli };
  g_autoptr (VtreeJson) json = NULL;

  if (!vtree_cli_parse (cli, entries, error)
      || !flatpak_open (cli, NULL, &flatpak, error))
    return false;
  json = cli->json ? vtree_json_new (stdout) : NULL;
  if (json != NULL) {
    vtree_json_begin_answer (json);
    vtree_json_begin_array (json, "installed");
  }
  for (guint i = 0; i < flatpak.all->len; i++)
    if (!show (&flatpak, flatpak.all->pdata[i], json, error))
      return false;
  if (json != NULL) {
    vtree_json_end_array (json);
    vtree_json_end_object (json);
  }
  return true;
}
