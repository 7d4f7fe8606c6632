/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree ls`: walks directories of a view; knows nothing of contents. */
#include "cli/entry.h"
#include "cli/output.h"
#include "cli/tree.h"
#include "manifest/check.h"

#include <string.h>
#include <sys/stat.h>

typedef struct {
  VtreeView *view;
  VtreeJson *json; /* NULL: text */
  bool is_long;
  bool recursive;
} Listing;

/* A directory that is still to be listed. */
typedef struct {
  uint32_t inode;
  char *path; /* "" for the root; raw bytes */
} Pending;

static void
pending_free (void *item)
{
  Pending *pending = item;

  g_free (pending->path);
  g_free (pending);
}

static Pending *
pending_new (uint32_t inode, const char *parent, VtreeSpan name)
{
  Pending *pending = g_new (Pending, 1);

  pending->inode = inode;
  pending->path = g_strdup_printf ("%s%s%.*s", parent, parent[0] != '\0' ? "/" : "",
                                   (int) name.size, (const char *) name.data);
  return pending;
}

/* One entry, called NAME, in the directory PARENT. */
static bool
print_entry (const Listing *listing, const char *parent, VtreeSpan name,
             const VtreeInode *inode, GError **error)
{
  g_autofree char *path = NULL;

  if (listing->json != NULL) {
    path = g_strdup_printf ("%s%s%.*s", parent, parent[0] != '\0' ? "/" : "",
                            (int) name.size, (const char *) name.data);
    vtree_json_begin_object (listing->json, NULL);
    vtree_json_add_string (listing->json, "path", path);
    if (!vtree_entry_add_json (listing->view, inode, listing->json, error))
      return false;
    vtree_json_end_object (listing->json);
    return true;
  }
  if (listing->is_long)
    vtree_entry_print_long (inode);
  vtree_out_name ((const char *) name.data, (gssize) name.size);
  if (listing->is_long && !vtree_entry_print_target (listing->view, inode, error))
    return false;
  vtree_out_text ("\n");
  return true;
}

/* Lists DIRECTORY, called PATH, and collects its subdirectories in CHILDREN. */
static bool
print_directory (const Listing *listing, const VtreeInode *inode, const char *path,
                 GPtrArray *children, GError **error)
{
  VtreeDirectory directory;

  if (!vtree_view_directory (listing->view, inode, &directory, error))
    return false;
  for (uint32_t i = 0; i < directory.count; i++) {
    VtreeEntry entry;
    VtreeInode child;

    if (!vtree_view_entry (listing->view, &directory, i, &entry, error)
        || !vtree_view_inode (listing->view, entry.inode, &child, error)
        || !print_entry (listing, path, entry.name, &child, error))
      return false;
    if (S_ISDIR (child.mode))
      g_ptr_array_add (children, pending_new (entry.inode, path, entry.name));
  }
  return true;
}

static void
print_heading (const Listing *listing, const char *path, bool first)
{
  if (!listing->recursive || listing->json != NULL)
    return;
  if (!first)
    vtree_out_text ("\n");
  vtree_out_name (path[0] != '\0' ? path : "/", -1);
  vtree_out_text (":\n");
}

/* Lists what STACK holds, and with -R all beneath, in the order of "ls -R": a
 * directory's own subdirectories before its next sibling. */
static bool
print_stack (const Listing *listing, GPtrArray *stack, GError **error)
{
  bool first = true;

  while (stack->len > 0) {
    g_autoptr (GPtrArray) children = g_ptr_array_new_with_free_func (pending_free);
    Pending *next = g_ptr_array_steal_index (stack, stack->len - 1);
    VtreeInode inode;
    bool done;

    print_heading (listing, next->path, first);
    first = false;
    done = vtree_view_inode (listing->view, next->inode, &inode, error)
           && print_directory (listing, &inode, next->path, children, error);
    pending_free (next);
    if (!done)
      return false;
    while (listing->recursive && children->len > 0)
      g_ptr_array_add (stack, g_ptr_array_steal_index (children, children->len - 1));
  }
  return true;
}

/* PATH without slashes at its ends. */
static char *
trim (const char *path)
{
  g_autofree char *copy = g_strdup (path != NULL ? path : "");
  size_t length = strlen (copy);

  while (length > 0 && copy[length - 1] == '/')
    copy[--length] = '\0';
  return g_strdup (copy + strspn (copy, "/"));
}

static bool
print_tree (const Listing *listing, VtreeTree *tree, GError **error)
{
  g_autoptr (GPtrArray) stack = g_ptr_array_new_with_free_func (pending_free);
  g_autofree char *path = trim (tree->spec.path);
  VtreeSpan name = { .data = (const uint8_t *) path, .size = strlen (path) };
  VtreeInode inode;

  /* A signed manifest can still be a hostile one, with a cycle. */
  if (listing->recursive && !vtree_check_manifest (tree->view, error))
    return false;
  if (!vtree_tree_find (tree, &inode, error))
    return false;
  if (!S_ISDIR (inode.mode))
    return print_entry (listing, "", name, &inode, error);
  g_ptr_array_add (stack, pending_new (inode.index, "", name));
  return print_stack (listing, stack, error);
}

bool
vtree_verb_ls (VtreeCli *cli, GError **error)
{
  gboolean is_long = FALSE, recursive = FALSE;
  const GOptionEntry entries[]
    = { { "long", 'l', 0, G_OPTION_ARG_NONE, &is_long,
          "Mode, links, owner, size, time and target as well", NULL },
        { "recursive", 'R', 0, G_OPTION_ARG_NONE, &recursive,
          "All directories beneath as well", NULL },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  const VtreeTreeMode mode = { .with_path = true };
  g_auto (VtreeTree) tree = { .paths = NULL };
  g_autoptr (VtreeJson) json = NULL;
  Listing listing;

  if (!vtree_cli_parse (cli, entries, error)
      || !vtree_tree_open (cli, cli->args[0], &mode, &tree, error))
    return false;
  listing = (Listing){ .view = tree.view,
                       .is_long = is_long != FALSE,
                       .recursive = recursive != FALSE };
  if (!cli->json)
    return print_tree (&listing, &tree, error);
  listing.json = json = vtree_json_new (stdout);
  vtree_json_begin_answer (json);
  vtree_tree_add_json (&tree, json);
  vtree_json_begin_array (json, "entries");
  if (!print_tree (&listing, &tree, error))
    return false;
  vtree_json_end_array (json);
  vtree_json_end_object (json);
  return true;
}
