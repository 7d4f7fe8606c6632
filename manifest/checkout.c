/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the target of a checkout: where it is written, when it is synced and renamed
 * into its place, and that nothing is left after an error.
 */
#include "manifest/checkout.h"

#include "manifest/acl.h"
#include "manifest/check.h"
#include "manifest/checkout-tree.h"
#include "manifest/listing.h"
#include "manifest/remove.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEMPORARY_NAME_MAX 48
#define ATTEMPTS 100

/* The xattrs that an update compares where it may not set all of them. */
static const char *const user_patterns[]
  = { "user.*", VTREE_ACL_ACCESS, VTREE_ACL_DEFAULT, NULL };

/* A path as the directory that it is in and its name there. */
typedef struct {
  VtreeFd parent;
  char *name;
} Target;

static void
clear_target (Target *target)
{
  vtree_fd_close (target->parent);
  g_free (target->name);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Target, clear_target)

static bool
open_parent (const char *path, Target *target, GError **error)
{
  g_autofree char *trimmed = g_strdup (path);
  for (size_t length = strlen (trimmed); length > 1 && trimmed[length - 1] == '/';)
    trimmed[--length] = '\0';
  g_autofree char *directory = g_path_get_dirname (trimmed);
  g_autofree char *name = g_path_get_basename (trimmed);
  if (g_str_equal (name, ".") || g_str_equal (name, "..") || g_str_equal (name, "/"))
    return vtree_error_set (error, VTREE_ERROR_INVALID, "it has no name of its own");
  target->parent = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (target->parent < 0)
    return vtree_error_set_errno (error, errno, "open the directory that it is in");
  target->name = g_steal_pointer (&name);
  return true;
}

static void
new_temporary_name (char name[TEMPORARY_NAME_MAX])
{
  snprintf (name, TEMPORARY_NAME_MAX, ".vtree-checkout.%08x", g_random_int ());
}

/* Makes sure that what is beneath FD survives a power cut. */
static bool
sync_all (int fd, GError **error)
{
  if (syncfs (fd) == 0)
    return true;
  return vtree_error_set_errno (error, errno, "sync the filesystem");
}

/* What is at FROM becomes the target, which must not have come up meanwhile unless
 * REPLACE. */
static bool
rename_into_place (VtreePlace from, const Target *target, bool replace, GError **error)
{
  int parent = target->parent;
  int result = renameat2 (from.dirfd, from.name, parent, target->name,
                          replace ? 0 : RENAME_NOREPLACE);
  if (result != 0 && errno == EINVAL) /* a filesystem that has no such flag */
    result = renameat (from.dirfd, from.name, parent, target->name);
  if (result != 0 || fsync (parent) != 0)
    return vtree_error_set_errno (error, errno, "rename it into its place");
  return true;
}

/* Makes an empty directory beside the target, which inherits nothing. Its descriptor,
 * or -1; NAME is empty where none was made. */
static int
make_beside (const Target *target, char name[TEMPORARY_NAME_MAX], GError **error)
{
  int made = -1;
  for (int attempt = 0; attempt < ATTEMPTS && made != 0; attempt++) {
    new_temporary_name (name);
    made = mkdirat (target->parent, name, 0700);
    if (made != 0 && errno != EEXIST)
      break;
  }
  if (made != 0) {
    vtree_error_set_errno (error, errno, "make a directory beside it");
    name[0] = '\0';
    return -1;
  }
  g_auto (VtreeFd) fd
    = openat (target->parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    vtree_error_set_errno (error, errno, "open its new directory");
  if (fd < 0 || !vtree_checkout_forget_parent (fd, error))
    return -1;
  return vtree_fd_steal (&fd);
}

static bool
write_tree (VtreeCheckoutState *state, int fd, const VtreeInode *top, GError **error)
{
  return vtree_checkout_tree (state, fd, top, error) && sync_all (fd, error);
}

/* A new directory, written beside its place. */
static bool
write_new_directory (VtreeCheckoutState *state, const Target *target,
                     const VtreeInode *top, GError **error)
{
  char name[TEMPORARY_NAME_MAX];
  g_auto (VtreeFd) fd = make_beside (target, name, error);
  VtreePlace beside = { .dirfd = target->parent, .name = name };
  bool ok = fd >= 0 && write_tree (state, fd, top, error)
            && rename_into_place (beside, target, false, error);
  if (!ok && name[0] != '\0')
    vtree_remove (target->parent, name, NULL);
  return ok;
}

static bool
check_empty (int fd, GError **error)
{
  g_autoptr (VtreeListing) listing = vtree_listing_read (fd, error);
  if (listing == NULL)
    return false;
  if (vtree_listing_count (listing) > 0)
    return vtree_error_set (
      error, VTREE_ERROR_FAILED,
      "the directory is not empty (--update makes it equal to the "
      "tree, and removes what the tree has not)");
  return true;
}

/* A directory that exists: filled if it is empty, else made equal. */
static bool
write_existing_directory (VtreeCheckoutState *state, int fd, const VtreeInode *top,
                          GError **error)
{
  if (state->options->update)
    return write_tree (state, fd, top, error);
  struct stat st;
  if (fstat (fd, &st) != 0)
    return vtree_error_set_errno (error, errno, "look at it");
  if (!check_empty (fd, error))
    return false;
  if (vtree_checkout_forget_parent (fd, error) && write_tree (state, fd, top, error))
    return true;
  /* It may have got the mode of the tree's top directory already. */
  fchmod (fd, (st.st_mode & 07777) | S_IRWXU);
  vtree_remove_contents (fd, NULL);
  fchmod (fd, st.st_mode & 07777);
  return false;
}

static bool
write_directory (VtreeCheckoutState *state, const char *path, const VtreeInode *top,
                 GError **error)
{
  g_auto (VtreeFd) fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0)
    return write_existing_directory (state, fd, top, error);
  if (errno == ENOTDIR)
    return vtree_error_set (error, VTREE_ERROR_FAILED, "it exists and is no directory");
  if (errno != ENOENT)
    return vtree_error_set_errno (error, errno, "open it");
  g_auto (Target) target = { .parent = -1 };
  return open_parent (path, &target, error)
         && write_new_directory (state, &target, top, error);
}

/* A single file. Its other names are none of the target's business. */
static bool
write_file (VtreeCheckoutState *state, const char *path, const VtreeInode *inode,
            GError **error)
{
  g_auto (Target) target = { .parent = -1 };
  if (!open_parent (path, &target, error))
    return false;
  struct stat st;
  bool there = fstatat (target.parent, target.name, &st, AT_SYMLINK_NOFOLLOW) == 0;
  if (there && (!state->options->update || S_ISDIR (st.st_mode)))
    return vtree_error_set (error, VTREE_ERROR_FAILED, "%s",
                            S_ISDIR (st.st_mode)
                              ? "it is a directory, but a single file is to be written"
                              : "it exists (--update replaces it)");
  char name[TEMPORARY_NAME_MAX];
  g_auto (VtreeFd) fd = make_beside (&target, name, error);
  VtreePlace beside = { .dirfd = fd, .name = "file" };
  bool ok = fd >= 0 && vtree_checkout_make (state, beside, inode, error)
            && sync_all (fd, error)
            && rename_into_place (beside, &target, there, error);
  if (name[0] != '\0' && !vtree_remove (target.parent, name, ok ? error : NULL))
    return false;
  return ok;
}

static void
fill_report (VtreeCheckoutState *state, VtreeCheckoutReport *report)
{
  if (report == NULL)
    return;
  *report = (VtreeCheckoutReport){ .files = atomic_load (&state->files),
                                   .bytes = atomic_load (&state->bytes),
                                   .kept = atomic_load (&state->kept),
                                   .removed = atomic_load (&state->removed),
                                   .owners = atomic_load (&state->owners),
                                   .set_ids = atomic_load (&state->set_ids),
                                   .xattrs = atomic_load (&state->xattrs) };
}

bool
vtree_checkout (VtreeView *view, const VtreeStore *store, const char *target,
                const VtreeCheckoutOptions *options, GError **error)
{
  VtreeInode top;
  const char *path = options->path != NULL ? options->path : "";
  if (!vtree_check_manifest (view, error)
      || !vtree_view_resolve (view, path, &top, error))
    return false;
  g_autoptr (VtreeXattrFilter) filter
    = vtree_xattr_filter_new (options->keep_owner ? NULL : user_patterns);
  VtreeCheckoutState state = { .view = view,
                               .store = store,
                               .options = options,
                               .filter = filter,
                               .euid = geteuid () };
  bool ok = S_ISDIR (top.mode) ? write_directory (&state, target, &top, error)
                               : write_file (&state, target, &top, error);
  if (!ok) {
    g_autofree char *shown = vtree_error_escape (target, -1);
    g_prefix_error (error, "check out to %s: ", shown);
    return false;
  }
  fill_report (&state, options->report);
  return true;
}
