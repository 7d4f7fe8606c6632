/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the question whether a tree fits on a filesystem that can't hold all of a tree's
 * kinds and names. Tries names out in the staging directory and touches nothing else.
 */
#include "manifest/checkout-tree.h"

#include "manifest/listing.h"
#include "manifest/remove.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define TRIAL "names"

/* A directory that is to be looked at. */
typedef struct {
  VtreeInode inode;
  char *path;
} Waiting;

typedef struct {
  VtreeCheckoutState *state;
  VtreeFd size_fd; /* a file to try sizes on */
  GArray *waiting; /* Waiting */
} Admit;

static void
clear_waiting (gpointer data)
{
  g_free (((Waiting *) data)->path);
}

static bool
prefix_path (const char *path, GError **error)
{
  g_autofree char *shown = vtree_error_escape (path, -1);
  g_prefix_error (error, "%s: ", shown);
  return false;
}

/* --- one inode -------------------------------------------------------------------- */

static bool
check_kind (VtreeCheckoutState *state, const VtreeInode *inode, GError **error)
{
  bool symlink = S_ISLNK (inode->mode);
  if (S_ISDIR (inode->mode) || S_ISREG (inode->mode)
      || (symlink ? state->ability.symlinks : state->ability.specials))
    return true;
  if (vtree_checkout_leaves_out (state, inode)) {
    atomic_fetch_add (&state->omitted, 1);
    return true;
  }
  return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                          "this filesystem has no %s (--omit-unsupported leaves them "
                          "out)",
                          symlink ? "symbolic links" : "special files");
}

/* lseek(2) goes no further than a file can be long. */
static bool
check_size (const Admit *admit, const VtreeInode *inode, GError **error)
{
  if (!S_ISREG (inode->mode)
      || lseek (admit->size_fd, (off_t) inode->size, SEEK_SET) >= 0)
    return true;
  return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                          "%" G_GUINT64_FORMAT
                          " bytes are more than a file can have on this filesystem",
                          inode->size);
}

static bool
check_inode (const Admit *admit, const VtreeInode *inode, GError **error)
{
  return check_kind (admit->state, inode, error) && check_size (admit, inode, error);
}

/* --- the names of a directory ----------------------------------------------------- */

static bool
try_name (int trial, const char *name, GError **error)
{
  g_auto (VtreeFd) fd
    = openat (trial, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd >= 0)
    return true;
  if (errno == EEXIST)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "this filesystem can't tell its name from that of another "
                            "file beside it (case?)");
  return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                          "this filesystem can't have its name: %s",
                          g_strerror (errno));
}

/* What was accepted may have become another name. */
static bool
check_listed (const Admit *admit, int trial, GPtrArray *names, const Waiting *parent,
              GError **error)
{
  g_autoptr (GHashTable) listed = NULL;
  if (!vtree_checkout_list_names (admit->state, trial, &listed, error))
    return false;
  for (guint i = 0; i < names->len; i++) {
    if (vtree_checkout_has_name (listed, names->pdata[i]))
      continue;
    g_autofree char *path = g_build_filename (parent->path, names->pdata[i], NULL);
    vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                     "this filesystem changes its name to another");
    return prefix_path (path, error);
  }
  return true;
}

static bool
try_names (const Admit *admit, int trial, GPtrArray *names, const Waiting *parent,
           GError **error)
{
  for (guint i = 0; i < names->len; i++) {
    if (try_name (trial, names->pdata[i], error))
      continue;
    g_autofree char *path = g_build_filename (parent->path, names->pdata[i], NULL);
    return prefix_path (path, error);
  }
  return check_listed (admit, trial, names, parent, error);
}

static bool
check_names (const Admit *admit, GPtrArray *names, const Waiting *parent,
             GError **error)
{
  int staging = admit->state->staging;
  if (admit->state->ability.names || names->len == 0)
    return true;
  if (mkdirat (staging, TRIAL, 0700) != 0)
    return vtree_error_set_errno (error, errno, "make a directory for trials");
  g_auto (VtreeFd) trial
    = openat (staging, TRIAL, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  bool ok = trial >= 0 ? try_names (admit, trial, names, parent, error)
                       : vtree_error_set_errno (error, errno, "open it again");
  return vtree_remove (staging, TRIAL, ok ? error : NULL) && ok;
}

/* --- the tree --------------------------------------------------------------------- */

/* One entry: its inode is looked at, its name is added to NAMES. */
static bool
admit_entry (Admit *admit, const VtreeDirectory *directory, uint32_t n,
             const Waiting *parent, GPtrArray *names, GError **error)
{
  VtreeView *view = admit->state->view;
  VtreeEntry entry;
  VtreeInode inode;
  if (!vtree_view_entry (view, directory, n, &entry, error)
      || !vtree_view_child (view, directory, entry.inode, &inode, error))
    return false;
  char *name = g_strndup ((const char *) entry.name.data, entry.name.size);
  g_autofree char *path = g_build_filename (parent->path, name, NULL);
  if (vtree_checkout_leaves_out (admit->state, &inode))
    g_free (name);
  else
    g_ptr_array_add (names, name);
  if (!check_inode (admit, &inode, error))
    return prefix_path (path, error);
  if (S_ISDIR (inode.mode)) {
    Waiting next = { .inode = inode, .path = g_steal_pointer (&path) };
    g_array_append_val (admit->waiting, next);
  }
  return true;
}

static bool
admit_directory (Admit *admit, const Waiting *one, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  VtreeDirectory directory;
  if (!vtree_view_directory (admit->state->view, &one->inode, &directory, error))
    return false;
  for (uint32_t n = 0; n < directory.count; n++) {
    if (!admit_entry (admit, &directory, n, one, names, error))
      return false;
  }
  return check_names (admit, names, one, error);
}

static bool
admit_all (Admit *admit, GError **error)
{
  while (admit->waiting->len > 0) {
    guint last = admit->waiting->len - 1;
    Waiting *waiting = &g_array_index (admit->waiting, Waiting, last);
    Waiting one = { .inode = waiting->inode, .path = g_steal_pointer (&waiting->path) };
    g_array_set_size (admit->waiting, last);
    bool ok = admit_directory (admit, &one, error);
    clear_waiting (&one);
    if (!ok)
      return false;
  }
  return true;
}

static bool
admit_top (Admit *admit, const VtreeInode *top, GError **error)
{
  if (!S_ISDIR (top->mode))
    return check_inode (admit, top, error);
  Waiting first = { .inode = *top, .path = g_strdup ("") };
  g_array_append_val (admit->waiting, first);
  return admit_all (admit, error);
}

bool
vtree_checkout_admit (VtreeCheckoutState *state, const VtreeInode *top, GError **error)
{
  const VtreeAbility *ability = &state->ability;
  if (ability->modes && ability->symlinks && ability->specials && ability->names)
    return true;
  Admit admit = { .state = state };
  admit.size_fd = openat (state->staging, "size",
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (admit.size_fd < 0)
    return vtree_error_set_errno (error, errno, "make a file for trials");
  admit.waiting = g_array_new (FALSE, FALSE, sizeof (Waiting));
  g_array_set_clear_func (admit.waiting, clear_waiting);
  bool ok = admit_top (&admit, top, error);
  g_array_unref (admit.waiting);
  vtree_fd_close (admit.size_fd);
  if (unlinkat (state->staging, "size", 0) != 0 && ok)
    return vtree_error_set_errno (error, errno, "remove a file for trials");
  return ok;
}
