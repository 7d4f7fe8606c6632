/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the question of an update: is what lies there already what the manifest says?
 * Reads real files; changes nothing but the attributes of a directory.
 */
#include "manifest/checkout-file.h"

#include "core/seal.h"
#include "core/verity.h"
#include "manifest/device.h"
#include "manifest/format.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool
is_named (const VtreeXattr *xattr, const char *name)
{
  return xattr->name.size == strlen (name)
         && memcmp (xattr->name.data, name, xattr->name.size) == 0;
}

static bool
is_same_value (const VtreeXattr *xattr, const VtreeXattrValue *value)
{
  return is_named (xattr, value->name) && xattr->value.size == value->size
         && vtree_span_compare (xattr->value, (VtreeSpan){ value->data, value->size })
              == 0;
}

/* Both are sorted by name. What the filter does not take is never found, so an inode
 * that has such an xattr is always written anew. */
static bool
compare_xattrs (VtreeCheckoutState *state, int fd, const VtreeInode *inode, bool *equal,
                GError **error)
{
  g_autoptr (GPtrArray) found = NULL;
  g_autoptr (GArray) wanted = vtree_checkout_xattrs (state, inode, error);
  if (wanted == NULL || !vtree_xattrs_read (fd, state->filter, &found, error))
    return false;
  guint count = found != NULL ? found->len : 0;
  bool same = count == wanted->len;
  for (guint i = 0; same && i < count; i++)
    same = is_same_value (&g_array_index (wanted, VtreeXattr, i), found->pdata[i]);
  *equal = same;
  return true;
}

/* Whether FOUND is what this filesystem makes of INODE's time: a scratch file gets it
 * too. */
static bool
is_rounded (VtreeCheckoutState *state, const struct timespec *found,
            const VtreeInode *inode)
{
  const struct timespec time = { .tv_sec = inode->mtime, .tv_nsec = inode->nsec };
  const struct timespec times[2] = { time, time };
  struct stat st;
  g_mutex_lock (&state->clock);
  bool same = futimens (state->clock_fd, times) == 0
              && fstat (state->clock_fd, &st) == 0 && st.st_mtim.tv_sec == found->tv_sec
              && st.st_mtim.tv_nsec == found->tv_nsec;
  g_mutex_unlock (&state->clock);
  return same;
}

static bool
has_same_time (VtreeCheckoutState *state, const struct timespec *found,
               const VtreeInode *inode)
{
  return (found->tv_sec == inode->mtime && found->tv_nsec == (long) inode->nsec)
         || (state->clock_fd >= 0 && is_rounded (state, found, inode));
}

static bool
has_same_attributes (VtreeCheckoutState *state, const struct stat *st,
                     const VtreeInode *inode)
{
  if (!state->ability.modes)
    return has_same_time (state, &st->st_mtim, inode);
  bool owner = !state->options->keep_owner
               || (st->st_uid == inode->uid && st->st_gid == inode->gid);
  bool mode = S_ISLNK (inode->mode)
              || (st->st_mode & 07777) == vtree_checkout_permissions (state, inode);
  return owner && mode && has_same_time (state, &st->st_mtim, inode);
}

static bool
hash_contents (int fd, const VtreeObjectSpec *spec, bool *equal, GError **error)
{
  VtreeVerityParams params
    = { .alg = spec->digest.alg, .size = spec->size, .merkle_fd = -1 };
  VtreeDigest found;
  if (!vtree_verity_compute_fd (&params, fd, &found, error))
    return false;
  *equal = vtree_digest_equal (&found, &spec->digest);
  return true;
}

/* Where files are to be signed, one that is not is not equal. */
static bool
check_signature (const VtreeCheckoutState *state, int fd, bool *equal, GError **error)
{
  bool lacks = false;
  if (state->options->signer != NULL && !vtree_seal_lacks_signature (fd, &lacks, error))
    return false;
  *equal = !lacks;
  return true;
}

/* What is right but not sealed, and shall be, is not equal: it is written anew rather
 * than sealed where it is, as somebody may be writing to it, and as it would change for
 * who has it open. */
static bool
compare_contents (VtreeCheckoutState *state, int fd, const VtreeInode *inode,
                  bool *equal, GError **error)
{
  VtreeObjectSpec spec = { .size = 0 };
  VtreeDigest found;
  bool enforced;
  if (!vtree_checkout_object (state, inode, &spec, error)
      || !vtree_kernel_measure (fd, &enforced, &found, error))
    return false;
  *equal = enforced && vtree_digest_equal (&found, &spec.digest);
  if (*equal)
    return check_signature (state, fd, equal, error);
  /* A file may be enforced by another algorithm than the manifest's. */
  if (state->seal || (enforced && found.alg == spec.digest.alg))
    return true;
  return hash_contents (fd, &spec, equal, error);
}

static bool
compare_regular (VtreeCheckoutState *state, VtreePlace place, const VtreeInode *inode,
                 bool *equal, GError **error)
{
  int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  g_auto (VtreeFd) fd = openat (place.dirfd, place.name, flags);
  *equal = false;
  if (fd < 0) /* what can't be read is written anew */
    return true;
  if (!compare_xattrs (state, fd, inode, equal, error))
    return false;
  return !*equal || compare_contents (state, fd, inode, equal, error);
}

static bool
compare_symlink (const VtreeCheckoutState *state, VtreePlace place,
                 const VtreeInode *inode, bool *equal, GError **error)
{
  VtreeSpan target;
  if (!vtree_view_target (state->view, inode, &target, error))
    return false;
  uint8_t found[VTREE_VTM_TARGET_MAX + 1];
  ssize_t length = readlinkat (place.dirfd, place.name, (char *) found, sizeof found);
  *equal = inode->xattrs == 0 && length >= 0
           && vtree_span_compare (target, (VtreeSpan){ found, (size_t) length }) == 0;
  return true;
}

static bool
compare_special (VtreeCheckoutState *state, VtreePlace place, const struct stat *st,
                 const VtreeInode *inode, bool *equal, GError **error)
{
  bool device = S_ISCHR (inode->mode) || S_ISBLK (inode->mode);
  *equal = !device || st->st_rdev == vtree_device_decode (inode->rdev);
  g_auto (VtreeFd) fd
    = openat (place.dirfd, place.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return vtree_error_set_errno (error, errno, "look at it");
  return !*equal || compare_xattrs (state, fd, inode, equal, error);
}

bool
vtree_checkout_is_equal (VtreeCheckoutState *state, VtreePlace place,
                         const struct stat *st, const VtreeInode *inode, bool *equal,
                         GError **error)
{
  *equal = false;
  if ((st->st_mode & S_IFMT) != (inode->mode & S_IFMT)
      || !has_same_attributes (state, st, inode))
    return true;
  if (S_ISLNK (inode->mode))
    return compare_symlink (state, place, inode, equal, error);
  if (!S_ISREG (inode->mode))
    return compare_special (state, place, st, inode, equal, error);
  return (uint64_t) st->st_size != inode->size
         || compare_regular (state, place, inode, equal, error);
}

static bool
has_name (const GArray *xattrs, const char *name)
{
  for (guint i = 0; i < xattrs->len; i++) {
    if (is_named (&g_array_index (xattrs, VtreeXattr, i), name))
      return true;
  }
  return false;
}

/* Takes away what the directory had before the update and INODE has not. */
static bool
remove_other_xattrs (VtreeCheckoutState *state, int fd, const VtreeInode *inode,
                     GError **error)
{
  g_autoptr (GPtrArray) found = NULL;
  g_autoptr (GArray) wanted = vtree_checkout_xattrs (state, inode, error);
  if (wanted == NULL || !vtree_xattrs_read (fd, state->filter, &found, error))
    return false;
  for (guint i = 0; found != NULL && i < found->len; i++) {
    const VtreeXattrValue *value = found->pdata[i];
    if (!has_name (wanted, value->name) && !vtree_xattr_remove (fd, value->name, error))
      return false;
  }
  return true;
}

bool
vtree_checkout_finish_directory (VtreeCheckoutState *state, int fd,
                                 const VtreeInode *inode, GError **error)
{
  if (state->fresh)
    return vtree_checkout_set_attributes (state, fd, inode, error);
  struct stat st;
  if (fstat (fd, &st) != 0)
    return vtree_error_set_errno (error, errno, "look at it");
  bool equal;
  if (!compare_xattrs (state, fd, inode, &equal, error))
    return false;
  if (equal && has_same_attributes (state, &st, inode))
    return true;
  return remove_other_xattrs (state, fd, inode, error)
         && vtree_checkout_set_attributes (state, fd, inode, error);
}
