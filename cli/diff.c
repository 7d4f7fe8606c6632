/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree diff`: two manifests, or one and a directory captured for the occasion. */
#include "manifest/diff.h"
#include "cli/capture-words.h"
#include "cli/changes.h"
#include "cli/entry.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/tree.h"
#include "manifest/check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

typedef struct {
  VtreeView *from;
  VtreeView *to;
  VtreeJson *json; /* NULL: text */
  uint64_t count;
} Comparison;

/* One side of ITEM, null where it is not there. */
static bool
add_side (VtreeView *view, const VtreeInode *inode, const char *key, VtreeJson *json,
          GError **error)
{
  if (inode == NULL) {
    vtree_json_add_null (json, key);
    return true;
  }
  vtree_json_begin_object (json, key);
  if (!vtree_entry_add_json (view, inode, json, error))
    return false;
  vtree_json_end_object (json);
  return true;
}

static bool
add_item (const Comparison *comparison, const VtreeDiffItem *item, GError **error)
{
  VtreeJson *json = comparison->json;

  vtree_json_begin_object (json, NULL);
  vtree_changes_add_json (item, json);
  if (!add_side (comparison->from, item->from, "from", json, error)
      || !add_side (comparison->to, item->to, "to", json, error))
    return false;
  vtree_json_end_object (json);
  return true;
}

static bool
each_item (void *context, const VtreeDiffItem *item, GError **error)
{
  Comparison *comparison = context;

  comparison->count++;
  if (comparison->json != NULL)
    return add_item (comparison, item, error);
  vtree_changes_print (item);
  return true;
}

/* No ref begins with one of these, or ends so. */
static bool
is_directory_name (const char *text)
{
  return text[0] == '/' || text[0] == '.' || g_str_has_suffix (text, "/");
}

/* A view of DIR as it is now, by the options of a commit to REPO. */
static VtreeView *
capture_directory (const VtreeCli *cli, const VtreeRepo *repo, const char *dir,
                   VtreeCaptureWords *words, GError **error)
{
  g_autoptr (VtreeProgress) progress = vtree_progress_new ("diff", !cli->quiet);
  g_auto (VtreeFd) fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autofree char *escaped = vtree_error_escape (dir, -1);
  g_autoptr (VtreeBuilder) builder = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (VtreePages) pages = NULL;
  VtreeCaptureOptions options;

  if (fd < 0) {
    vtree_error_set_errno (error, errno, "open %s", escaped);
    return NULL;
  }
  if (!vtree_capture_words_apply (words, repo, &options, error))
    return NULL;
  options.progress = vtree_progress_count;
  options.progress_context = progress;
  builder = vtree_capture (fd, dir, &options, NULL, error);
  if (builder == NULL)
    return NULL;
  bytes = vtree_builder_finish (builder, error);
  if (bytes == NULL)
    return NULL;
  pages = vtree_pages_new_for_bytes (bytes);
  return vtree_view_new (pages, error);
}

static bool
compare (VtreeCli *cli, Comparison *comparison, bool exit_code, GError **error)
{
  g_autoptr (VtreeJson) json = cli->json ? vtree_json_new (stdout) : NULL;

  comparison->json = json;
  if (json != NULL) {
    vtree_json_begin_answer (json);
    vtree_json_begin_array (json, "changes");
  }
  if (!vtree_diff (comparison->from, comparison->to, each_item, comparison, error))
    return false;
  if (json != NULL) {
    vtree_json_end_array (json);
    vtree_json_end_object (json);
  }
  if (exit_code && comparison->count > 0)
    cli->status = 1;
  return true;
}

/* The second side: a directory or another tree, checked. The view is TREE's or new. */
static VtreeView *
open_second (const VtreeCli *cli, const VtreeTree *first, VtreeCaptureWords *words,
             VtreeTree *tree, GError **error)
{
  const VtreeTreeMode mode = { .with_path = false };
  const char *text = cli->args[1];

  if (is_directory_name (text))
    return capture_directory (cli, first->repo, text, words, error);
  if (!vtree_tree_open (cli, text, &mode, tree, error)
      || !vtree_check_manifest (tree->view, error))
    return NULL;
  return vtree_view_ref (tree->view);
}

bool
vtree_verb_diff (VtreeCli *cli, GError **error)
{
  g_auto (VtreeCaptureWords) words = { .mtime = NULL };
  g_autoptr (GArray) entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  gboolean exit_code = FALSE;
  const GOptionEntry own = { "exit-code", 0,
                             0,           G_OPTION_ARG_NONE,
                             &exit_code,  "Exit 1 when there is a difference",
                             NULL };
  const VtreeTreeMode mode = { .with_path = false };
  g_auto (VtreeTree) first = { .paths = NULL };
  g_auto (VtreeTree) second = { .paths = NULL };
  g_autoptr (VtreeView) other = NULL;
  Comparison comparison = { .count = 0 };

  g_array_append_val (entries, own);
  vtree_capture_words_add (&words, entries);
  if (!vtree_cli_parse (cli, (const GOptionEntry *) (void *) entries->data, error)
      || !vtree_tree_open (cli, cli->args[0], &mode, &first, error)
      || !vtree_check_manifest (first.view, error))
    return false;
  other = open_second (cli, &first, &words, &second, error);
  if (other == NULL)
    return false;
  comparison.from = first.view;
  comparison.to = other;
  return compare (cli, &comparison, exit_code != FALSE, error);
}
