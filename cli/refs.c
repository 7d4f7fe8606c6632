/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree refs`: what is there, unjudged, and the removal of a ref. */
#include "cli/deployed.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "manifest/ref.h"

/* A head that can't be read does not hide the other refs: *FOUND is false, *BAD is
 * true. */
static bool
read_head (const VtreeCli *cli, const VtreeRepo *repo, const char *name, bool *found,
           uint64_t *version, bool *bad, GError **error)
{
  g_autoptr (GError) failed = NULL;

  *bad = !vtree_refs_head (repo, name, found, version, &failed);
  if (!*bad)
    return true;
  if (!g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_CORRUPT)) {
    g_propagate_error (error, g_steal_pointer (&failed));
    return false;
  }
  *found = false;
  vtree_cli_note (cli, "%s", failed->message);
  return true;
}

static bool
print_ref (const VtreeCli *cli, const VtreeRepo *repo, const char *name,
           VtreeJson *json, GError **error)
{
  g_autoptr (GArray) versions = vtree_refs_versions (repo, name, error);
  g_autofree char *head = NULL;
  uint64_t version;
  bool found, bad;

  if (versions == NULL || !read_head (cli, repo, name, &found, &version, &bad, error))
    return false;
  if (json == NULL) {
    head = found ? g_strdup_printf ("%" G_GUINT64_FORMAT, version)
                 : g_strdup (bad ? "?" : "-");
    vtree_out_print ("%s %s %u\n", name, head, versions->len);
    return true;
  }
  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "ref", name);
  if (found)
    vtree_json_add_uint (json, "head", version);
  else
    vtree_json_add_null (json, "head");
  vtree_json_begin_array (json, "versions");
  for (guint i = 0; i < versions->len; i++)
    vtree_json_add_uint (json, NULL, g_array_index (versions, uint64_t, i));
  vtree_json_end_array (json);
  vtree_json_end_object (json);
  return true;
}

/* One line, however many there are. */
static void
note_strays (const VtreeCli *cli, const GPtrArray *strays)
{
  g_autofree char *first = NULL;
  g_autofree char *more = NULL;

  if (strays->len == 0)
    return;
  first = vtree_error_escape (g_ptr_array_index (strays, 0), -1);
  more = strays->len > 1 ? g_strdup_printf (" and %u more", strays->len - 1)
                         : g_strdup ("");
  vtree_cli_note (cli, "passed over refs/%s%s: no part of any ref; fsck names them all",
                  first, more);
}

static bool
list_refs (const VtreeCli *cli, const VtreeRepo *repo, GError **error)
{
  g_autoptr (GPtrArray) strays = g_ptr_array_new_with_free_func (g_free);
  g_auto (GStrv) names = vtree_refs_list (repo, strays, error);
  g_autoptr (VtreeJson) json = cli->json ? vtree_json_new (stdout) : NULL;

  if (names == NULL)
    return false;
  note_strays (cli, strays);
  if (json != NULL) {
    vtree_json_begin_answer (json);
    vtree_json_begin_array (json, "refs");
  }
  for (char **name = names; *name != NULL; name++)
    if (!print_ref (cli, repo, *name, json, error))
      return false;
  if (json != NULL) {
    vtree_json_end_array (json);
    vtree_json_end_object (json);
  }
  return true;
}

/* What is deployed can't be run without its statement. */
static bool
check_holders (const VtreePaths *paths, const VtreeRepo *repo, const char *name,
               const GArray *versions, GError **error)
{
  for (guint i = 0; i < versions->len; i++) {
    uint64_t version = g_array_index (versions, uint64_t, i);
    g_autofree char *holder = NULL;

    if (!vtree_deployed_find_holder (paths, repo, name, version, &holder, error))
      return false;
    if (holder != NULL)
      return vtree_error_set (error, VTREE_ERROR_BUSY,
                              "delete %s: version %" G_GUINT64_FORMAT
                              " belongs to %s; undeploy that first",
                              name, version, holder);
  }
  return true;
}

static bool
delete_ref (const VtreeCli *cli, const VtreePaths *paths, const VtreeRepo *repo,
            const char *name, GError **error)
{
  g_autoptr (GArray) versions = NULL;
  g_auto (VtreeFd) lock = -1;

  if (!vtree_ref_check_name (name, error)
      || !vtree_repo_lock (repo, VTREE_REPO_LOCK_EXCLUSIVE, cli->wait, &lock, error))
    return false;
  versions = vtree_refs_versions (repo, name, error);
  if (versions == NULL || !check_holders (paths, repo, name, versions, error)
      || !vtree_refs_remove (repo, name, error))
    return false;
  vtree_cli_note (cli, "deleted %s with %u versions; gc frees the space", name,
                  versions->len);
  return true;
}

bool
vtree_verb_refs (VtreeCli *cli, GError **error)
{
  g_autofree char *victim = NULL;
  const GOptionEntry entries[]
    = { { "delete", 0, 0, G_OPTION_ARG_FILENAME, &victim,
          "Delete this ref with all its versions", "REF" },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (VtreeRepo) repo = NULL;

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  repo = vtree_cli_open_own_repo (cli, &paths, error);
  if (repo == NULL)
    return false;
  return victim != NULL ? delete_ref (cli, paths, repo, victim, error)
                        : list_refs (cli, repo, error);
}
