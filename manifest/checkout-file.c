/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the making of single files, the order in which they get their attributes, and
 * the count of what they can't have. Knows one directory descriptor and one name, and
 * never a path; contents are checkout-contents.c's.
 */
#include "manifest/checkout-file.h"

#include "manifest/device.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool
is_privileged_name (VtreeSpan name)
{
  static const char *const prefixes[] = { "security.", "trusted." };
  for (size_t i = 0; i < G_N_ELEMENTS (prefixes); i++) {
    size_t length = strlen (prefixes[i]);
    if (name.size >= length && memcmp (name.data, prefixes[i], length) == 0)
      return true;
  }
  return false;
}

mode_t
vtree_checkout_permissions (const VtreeCheckoutState *state, const VtreeInode *inode)
{
  mode_t mode = inode->mode & 07777;
  if (state->options->keep_owner || S_ISDIR (inode->mode))
    return mode;
  if (inode->uid != state->euid)
    mode &= ~(mode_t) S_ISUID;
  if (inode->gid != getegid ())
    mode &= ~(mode_t) S_ISGID;
  return mode;
}

GArray *
vtree_checkout_xattrs (VtreeCheckoutState *state, const VtreeInode *inode,
                       GError **error)
{
  GArray *xattrs = vtree_view_xattrs (state->view, inode, error);
  bool all = state->options->keep_owner && state->ability.modes;
  if (xattrs == NULL || all)
    return xattrs;
  for (guint i = 0; i < xattrs->len;) {
    if (!state->ability.modes
        || is_privileged_name (g_array_index (xattrs, VtreeXattr, i).name))
      g_array_remove_index (xattrs, i);
    else
      i++;
  }
  return xattrs;
}

bool
vtree_checkout_leaves_out (const VtreeCheckoutState *state, const VtreeInode *inode)
{
  if (!state->options->omit_unsupported || S_ISDIR (inode->mode)
      || S_ISREG (inode->mode))
    return false;
  return S_ISLNK (inode->mode) ? !state->ability.symlinks : !state->ability.specials;
}

bool
vtree_checkout_is_shared (const VtreeCheckoutState *state, const VtreeInode *inode)
{
  return inode->nlink > 1 && state->ability.links;
}

static void
count_made (VtreeCheckoutState *state, const VtreeInode *inode)
{
  atomic_fetch_add (&state->files, 1);
  atomic_fetch_add (&state->bytes, S_ISREG (inode->mode) ? inode->size : 0);
}

/* What the file of ST has not got, because it is not the user's to give. */
static void
count_denied (VtreeCheckoutState *state, const VtreeInode *inode)
{
  if (state->options->keep_owner)
    return;
  if (inode->uid != state->euid || inode->gid != getegid ())
    atomic_fetch_add (&state->owners, 1);
  if (vtree_checkout_permissions (state, inode) != (inode->mode & 07777))
    atomic_fetch_add (&state->set_ids, 1);
}

/* What it has not got, because the filesystem has no such thing. */
static void
count_unsupported (VtreeCheckoutState *state, const struct stat *st,
                   const VtreeInode *inode)
{
  if (inode->uid != st->st_uid || inode->gid != st->st_gid)
    atomic_fetch_add (&state->owners, 1);
  if ((st->st_mode & 07777) != (inode->mode & 07777))
    atomic_fetch_add (&state->modes, 1);
  if (st->st_mode & ~inode->mode & (S_IRWXG | S_IRWXO))
    atomic_fetch_add (&state->exposed, 1);
}

/* Counts what the file of ST, which has its attributes, has not got of INODE's. */
static bool
count_left (VtreeCheckoutState *state, const struct stat *st, const VtreeInode *inode,
            GError **error)
{
  if (state->ability.modes)
    count_denied (state, inode);
  else
    count_unsupported (state, st, inode);
  if (st->st_mtim.tv_sec != inode->mtime || st->st_mtim.tv_nsec != (long) inode->nsec)
    atomic_fetch_add (&state->times, 1);
  if (inode->xattrs == 0)
    return true;
  g_autoptr (GArray) all = vtree_view_xattrs (state->view, inode, error);
  g_autoptr (GArray) set
    = all != NULL ? vtree_checkout_xattrs (state, inode, error) : NULL;
  if (set != NULL)
    atomic_fetch_add (&state->xattrs, all->len - set->len);
  return set != NULL;
}

static bool
set_xattrs (VtreeCheckoutState *state, int fd, const VtreeInode *inode, GError **error)
{
  if (inode->xattrs == 0)
    return true;
  g_autoptr (GArray) xattrs = vtree_checkout_xattrs (state, inode, error);
  for (guint i = 0; xattrs != NULL && i < xattrs->len; i++) {
    const VtreeXattr *xattr = &g_array_index (xattrs, VtreeXattr, i);
    g_autofree char *name
      = g_strndup ((const char *) xattr->name.data, xattr->name.size);
    if (!vtree_xattr_set (fd, name, xattr->value, error))
      return false;
  }
  return xattrs != NULL;
}

static void
get_times (const VtreeInode *inode, struct timespec times[2])
{
  times[0] = (struct timespec){ .tv_sec = inode->mtime, .tv_nsec = inode->nsec };
  times[1] = times[0];
}

/* Owner first, since a change of it takes set-id bits and capabilities away; the mode
 * after the ACL, which changes it, and after the xattrs of a file that it makes
 * read-only. */
static bool
set_rights (VtreeCheckoutState *state, int fd, const VtreeInode *inode, GError **error)
{
  if (!state->ability.modes)
    return true;
  if (state->options->keep_owner && fchown (fd, inode->uid, inode->gid) != 0)
    return vtree_error_set_errno (error, errno, "set its owner %u:%u", inode->uid,
                                  inode->gid);
  if (!set_xattrs (state, fd, inode, error))
    return false;
  return fchmod (fd, vtree_checkout_permissions (state, inode)) == 0
         || vtree_error_set_errno (error, errno, "set its mode");
}

bool
vtree_checkout_set_attributes (VtreeCheckoutState *state, int fd,
                               const VtreeInode *inode, GError **error)
{
  if (!set_rights (state, fd, inode, error))
    return false;
  struct timespec times[2];
  get_times (inode, times);
  struct stat st;
  if (futimens (fd, times) != 0 || fstat (fd, &st) != 0)
    return vtree_error_set_errno (error, errno, "set its time");
  return S_ISDIR (inode->mode) || count_left (state, &st, inode, error);
}

/* The same for what can't be opened. */
static bool
set_unopened_rights (VtreeCheckoutState *state, VtreePlace place,
                     const VtreeInode *inode, GError **error)
{
  if (!state->ability.modes)
    return true;
  if (state->options->keep_owner
      && fchownat (place.dirfd, place.name, inode->uid, inode->gid, AT_SYMLINK_NOFOLLOW)
           != 0)
    return vtree_error_set_errno (error, errno, "set its owner %u:%u", inode->uid,
                                  inode->gid);
  g_auto (VtreeFd) fd = -1;
  if (inode->xattrs != 0) {
    fd = openat (place.dirfd, place.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
      return vtree_error_set_errno (error, errno, "look at it");
    if (!set_xattrs (state, fd, inode, error))
      return false;
  }
  return S_ISLNK (inode->mode)
         || fchmodat (place.dirfd, place.name,
                      vtree_checkout_permissions (state, inode), AT_SYMLINK_NOFOLLOW)
              == 0
         || vtree_error_set_errno (error, errno, "set its mode");
}

static bool
set_unopened_attributes (VtreeCheckoutState *state, VtreePlace place,
                         const VtreeInode *inode, GError **error)
{
  if (!set_unopened_rights (state, place, inode, error))
    return false;
  struct timespec times[2];
  get_times (inode, times);
  struct stat st;
  if (utimensat (place.dirfd, place.name, times, AT_SYMLINK_NOFOLLOW) != 0
      || fstatat (place.dirfd, place.name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return vtree_error_set_errno (error, errno, "set its time");
  return count_left (state, &st, inode, error);
}

/* What is sealed gets its attributes afterwards: enabling needs write permission. */
static bool
fill_descriptor (VtreeCheckoutState *state, int fd, const VtreeInode *inode,
                 GError **error)
{
  if (!vtree_checkout_write_contents (state, fd, inode, error)
      || (!state->seal && !vtree_checkout_set_attributes (state, fd, inode, error)))
    return false;
  count_made (state, inode);
  return true;
}

bool
vtree_checkout_fill (VtreeCheckoutState *state, VtreePlace place,
                     const VtreeInode *inode, GError **error)
{
  g_auto (VtreeFd) fd
    = openat (place.dirfd, place.name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return vtree_error_set_errno (error, errno, "open it");
  return fill_descriptor (state, fd, inode, error);
}

/* A new file's descriptor, or a negative errno. */
static int
create (VtreePlace place)
{
  int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat (place.dirfd, place.name, flags, 0600);
  return fd >= 0 ? fd : -errno;
}

bool
vtree_checkout_reserve (VtreePlace place, GError **error)
{
  g_auto (VtreeFd) fd = create (place);
  return fd >= 0 || vtree_error_set_errno (error, -fd, "create it");
}

static bool
make_symlink (VtreeCheckoutState *state, VtreePlace place, const VtreeInode *inode,
              GError **error)
{
  VtreeSpan span;
  if (!vtree_view_target (state->view, inode, &span, error))
    return false;
  g_autofree char *target = g_strndup ((const char *) span.data, span.size);
  if (symlinkat (target, place.dirfd, place.name) != 0)
    return vtree_error_set_errno (error, errno, "make the symlink");
  return true;
}

static bool
make_special (VtreePlace place, const VtreeInode *inode, GError **error)
{
  dev_t device = vtree_device_decode (inode->rdev);
  mode_t mode = (inode->mode & S_IFMT) | 0600;
  if (mknodat (place.dirfd, place.name, mode, device) == 0)
    return true;
  if (errno == EPERM && (S_ISBLK (mode) || S_ISCHR (mode)))
    return vtree_error_set_errno (error, errno,
                                  "make a device node, for which one has to be root");
  return vtree_error_set_errno (error, errno, "make the special file");
}

static bool
make_regular (VtreeCheckoutState *state, VtreePlace place, const VtreeInode *inode,
              GError **error)
{
  bool linked;
  if (!vtree_checkout_link (state, place, inode, &linked, error))
    return false;
  if (linked) {
    count_made (state, inode);
    return true;
  }
  g_auto (VtreeFd) fd = create (place);
  if (fd < 0)
    return vtree_error_set_errno (error, -fd, "create it");
  return fill_descriptor (state, fd, inode, error);
}

bool
vtree_checkout_make (VtreeCheckoutState *state, VtreePlace place,
                     const VtreeInode *inode, GError **error)
{
  if (S_ISREG (inode->mode))
    return make_regular (state, place, inode, error);
  bool made = S_ISLNK (inode->mode) ? make_symlink (state, place, inode, error)
                                    : make_special (place, inode, error);
  if (!made || !set_unopened_attributes (state, place, inode, error))
    return false;
  count_made (state, inode);
  return true;
}
