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

/* The xattrs that an update compares where it may not set all of them. */
static const char *const user_patterns[]
  = { "user.*", VTREE_ACL_ACCESS, VTREE_ACL_DEFAULT, NULL };

/* --- a target that does not exist ------------------------------------------------- */

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

/* Opens it, and removes what killed checkouts left there. */
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
  vtree_checkout_staging_clean (target->parent, NULL, NULL);
  return true;
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

/* A new directory, written beside its place. */
static bool
write_new_directory (VtreeCheckoutState *state, const Target *target,
                     const VtreeInode *top, GError **error)
{
  char name[VTREE_CHECKOUT_NAME_MAX];
  g_auto (VtreeFd) fd
    = vtree_checkout_staging_make (target->parent, NULL, NULL, name, error);
  if (fd < 0)
    return false;
  VtreePlace beside = { .dirfd = target->parent, .name = name };
  state->fresh = true;
  bool ok = vtree_checkout_tree (state, fd, top, error)
            && rename_into_place (beside, target, false, error);
  if (!ok)
    vtree_remove (target->parent, name, NULL);
  return ok;
}

/* --- a directory that exists ------------------------------------------------------ */

/* Removes what is in FD, a filesystem's lost+found aside, or only looks. */
static bool
empty (int fd, bool look, GError **error)
{
  g_autoptr (VtreeListing) listing = vtree_listing_read (fd, error);
  if (listing == NULL)
    return false;
  for (size_t i = 0; i < vtree_listing_count (listing); i++) {
    const char *name = vtree_listing_peek (listing, i)->name;
    if (vtree_checkout_is_lost_and_found (fd, name))
      continue;
    if (look)
      return vtree_error_set (error, VTREE_ERROR_FAILED,
                              "the directory is not empty (--update makes it equal to "
                              "the tree, and removes what the tree has not)");
    if (!vtree_remove (fd, name, error))
      return false;
  }
  return true;
}

/* Filled if it is empty, else made equal. */
static bool
write_existing_directory (VtreeCheckoutState *state, int fd, const VtreeInode *top,
                          GError **error)
{
  struct stat st;
  if (!vtree_checkout_lock (fd, error))
    return false;
  if (state->options->update)
    return vtree_checkout_tree (state, fd, top, error);
  if (fstat (fd, &st) != 0)
    return vtree_error_set_errno (error, errno, "look at it");
  vtree_checkout_staging_clean (fd, NULL, NULL);
  if (!empty (fd, true, error))
    return false;
  if (vtree_checkout_tree (state, fd, top, error))
    return true;
  /* It may have got the mode of the tree's top directory already. */
  fchmod (fd, (st.st_mode & 07777) | S_IRWXU);
  empty (fd, false, NULL);
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

/* --- a single file ---------------------------------------------------------------- */

/* Its other names are none of the target's business. */
static bool
is_kept (VtreeCheckoutState *state, const Target *target, const struct stat *st,
         const VtreeInode *inode, bool *kept, GError **error)
{
  VtreePlace place = { .dirfd = target->parent, .name = target->name };
  return vtree_checkout_is_linked (state, st, inode, kept, error)
         && (*kept || vtree_checkout_is_equal (state, place, st, inode, kept, error));
}

static bool
make_single (VtreeCheckoutState *state, VtreePlace beside, const VtreeInode *inode,
             GError **error)
{
  return vtree_checkout_make (state, beside, inode, error)
         && vtree_checkout_sync (beside.dirfd, error)
         && (!state->seal || !S_ISREG (inode->mode)
             || vtree_checkout_seal (state, beside, inode, error));
}

/* OLD is the file that is to be replaced, NULL where there is none. FD: see above. */
static bool
write_beside (VtreeCheckoutState *state, int fd, const Target *target,
              const struct stat *old, const VtreeInode *inode, GError **error)
{
  VtreePlace beside = { .dirfd = fd, .name = "file" };
  bool kept = false;
  if (!vtree_checkout_prepare (state, fd, error)
      || !vtree_checkout_admit (state, inode, error)
      || (old != NULL && !is_kept (state, target, old, inode, &kept, error)))
    return false;
  if (kept) {
    atomic_fetch_add (&state->kept, 1);
    return true;
  }
  return vtree_checkout_leaves_out (state, inode)
         || (make_single (state, beside, inode, error)
             && rename_into_place (beside, target, old != NULL, error));
}

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
  char name[VTREE_CHECKOUT_NAME_MAX];
  g_auto (VtreeFd) fd
    = vtree_checkout_staging_make (target.parent, NULL, NULL, name, error);
  if (fd < 0)
    return false;
  bool ok = write_beside (state, fd, &target, there ? &st : NULL, inode, error);
  return vtree_remove (target.parent, name, ok ? error : NULL) && ok;
}

/* --- all of it -------------------------------------------------------------------- */

static void
fill_report (VtreeCheckoutState *state, VtreeCheckoutReport *report)
{
  if (report == NULL)
    return;
  *report = (VtreeCheckoutReport){ .sealing = state->seal };
  report->files = atomic_load (&state->files);
  report->bytes = atomic_load (&state->bytes);
  report->cloned = atomic_load (&state->cloned);
  report->linked = atomic_load (&state->linked);
  report->sealed = atomic_load (&state->sealed);
  report->kept = atomic_load (&state->kept);
  report->removed = atomic_load (&state->removed);
  report->owners = atomic_load (&state->owners);
  report->set_ids = atomic_load (&state->set_ids);
  report->modes = atomic_load (&state->modes);
  report->times = atomic_load (&state->times);
  report->exposed = atomic_load (&state->exposed);
  report->xattrs = atomic_load (&state->xattrs);
  report->copies = atomic_load (&state->copies);
  report->omitted = atomic_load (&state->omitted);
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
                               .clock_fd = -1,
                               .euid = geteuid () };
  g_mutex_init (&state.clock);
  bool ok = S_ISDIR (top.mode) ? write_directory (&state, target, &top, error)
                               : write_file (&state, target, &top, error);
  g_mutex_clear (&state.clock);
  vtree_fd_close (state.clock_fd);
  if (!ok) {
    g_autofree char *shown = vtree_error_escape (target, -1);
    g_prefix_error (error, "check out to %s: ", shown);
    return false;
  }
  fill_report (&state, options->report);
  return true;
}
