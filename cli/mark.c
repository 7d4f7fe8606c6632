/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs of the family "mark". The files' form is core/mark.h's affair. */
#include "core/mark.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "manifest/file-seal.h"
#include "manifest/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const GOptionEntry no_entries[]
  = { { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };

static void
print_mark (const char *ref, const VtreeMark *mark, VtreeJson *json)
{
  char digest[VTREE_DIGEST_TEXT_MAX];

  vtree_digest_format (&mark->manifest, digest);
  if (json == NULL) {
    vtree_out_print ("%s %" G_GUINT64_FORMAT " %s\n", ref, mark->version, digest);
    return;
  }
  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "ref", ref);
  vtree_json_add_uint (json, "version", mark->version);
  vtree_json_add_string (json, "manifest", digest);
  vtree_json_end_object (json);
}

static int
compare_names (const void *a, const void *b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* Adds to REFS the refs whose marks lie in DIR, which belongs to the ref PREFIX (""
 * at the top): a mark is a file "head", a component of a name is a directory. */
static bool
find_refs (const char *dir, const char *prefix, GPtrArray *refs, GError **error)
{
  g_autoptr (GDir) directory = g_dir_open (dir, 0, NULL);
  const char *name;

  if (directory == NULL)
    return vtree_error_set_errno (error, errno, "list %s", dir);
  while ((name = g_dir_read_name (directory)) != NULL) {
    g_autofree char *path = g_build_filename (dir, name, NULL);
    g_autofree char *ref
      = prefix[0] != '\0' ? g_strconcat (prefix, "/", name, NULL) : g_strdup (name);

    if (strcmp (name, "head") == 0 && prefix[0] != '\0')
      g_ptr_array_add (refs, g_strdup (prefix));
    else if (g_file_test (path, G_FILE_TEST_IS_DIR) && vtree_ref_check_name (ref, NULL)
             && !find_refs (path, ref, refs, error))
      return false;
  }
  return true;
}

/* The refs to show: REF, or all that have a mark; sorted, NULL-terminated. */
static char **
choose_refs (const VtreePaths *paths, const char *ref, GError **error)
{
  g_autoptr (GPtrArray) refs = g_ptr_array_new_with_free_func (g_free);
  const char *dir = vtree_paths_marks (paths);

  if (ref != NULL && !vtree_ref_check_name (ref, error))
    return NULL;
  if (ref != NULL)
    g_ptr_array_add (refs, g_strdup (ref));
  else if (g_file_test (dir, G_FILE_TEST_EXISTS) && !find_refs (dir, "", refs, error))
    return NULL;
  g_ptr_array_sort (refs, compare_names);
  g_ptr_array_add (refs, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&refs), FALSE);
}

static bool
print_marks (const VtreePaths *paths, char **refs, bool required, VtreeJson *json,
             GError **error)
{
  for (; *refs != NULL; refs++) {
    VtreeMark mark;
    bool found;

    if (!vtree_mark_load (paths, *refs, &found, &mark, error))
      return false;
    if (found)
      print_mark (*refs, &mark, json);
    else if (required)
      return vtree_error_set (error, VTREE_ERROR_MISSING,
                              "find the mark of %s: no version was accepted yet",
                              *refs);
  }
  return true;
}

bool
vtree_verb_mark_show (VtreeCli *cli, GError **error)
{
  g_autoptr (VtreePaths) paths = NULL;
  g_auto (GStrv) refs = NULL;
  g_autoptr (VtreeJson) json = NULL;

  if (!vtree_cli_parse (cli, no_entries, error))
    return false;
  paths = vtree_paths_new (error);
  refs = paths != NULL ? choose_refs (paths, cli->args[0], error) : NULL;
  if (refs == NULL)
    return false;
  if (!cli->json)
    return print_marks (paths, refs, cli->n_args > 0, NULL, error);
  json = vtree_json_new (stdout);
  vtree_json_begin_answer (json);
  vtree_json_begin_array (json, "marks");
  if (!print_marks (paths, refs, cli->n_args > 0, json, error))
    return false;
  vtree_json_end_array (json);
  vtree_json_end_object (json);
  return true;
}

bool
vtree_verb_mark_reset (VtreeCli *cli, GError **error)
{
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (GError) malformed = NULL;
  const char *ref;
  VtreeMark mark;
  bool found = true;

  if (!vtree_cli_parse (cli, no_entries, error))
    return false;
  ref = cli->args[0];
  if (!vtree_file_seal_is_mark_ref (ref) && !vtree_ref_check_name (ref, error))
    return false;
  paths = vtree_paths_new (error);
  if (paths == NULL)
    return false;
  /* A mark that can't be read is to be forgotten too. */
  if (vtree_mark_load (paths, ref, &found, &mark, &malformed) && !found)
    return vtree_error_set (error, VTREE_ERROR_MISSING,
                            "forget the mark of %s: there is none", ref);
  if (!vtree_mark_reset (paths, ref, error))
    return false;
  if (malformed != NULL)
    vtree_cli_note (cli, "forgot the mark of %s, which was unusable: %s", ref,
                    malformed->message);
  else
    vtree_cli_note (cli, "forgot that version %" G_GUINT64_FORMAT " of %s was accepted",
                    mark.version, ref);
  return true;
}
