/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the making of single files from verified contents, the order in which they get
 * their attributes, and the comparison of an update. Knows one directory descriptor and
 * one name, and never a path.
 */
#include "manifest/checkout-file.h"

#include "core/verity.h"
#include "manifest/device.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Read and written at a time. */
#define CHUNK_SIZE (UINT64_C (1) << 20)

#define SHORT_OBJECT "its object is too short"

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
  if (xattrs == NULL || state->options->keep_owner)
    return xattrs;
  for (guint i = 0; i < xattrs->len;) {
    if (is_privileged_name (g_array_index (xattrs, VtreeXattr, i).name))
      g_array_remove_index (xattrs, i);
    else
      i++;
  }
  return xattrs;
}

/* Counts an inode that was made, and what of it could not be. */
static bool
count (VtreeCheckoutState *state, const VtreeInode *inode, GError **error)
{
  atomic_fetch_add (&state->files, 1);
  atomic_fetch_add (&state->bytes, S_ISREG (inode->mode) ? inode->size : 0);
  if (state->options->keep_owner)
    return true;
  if (inode->uid != state->euid || inode->gid != getegid ())
    atomic_fetch_add (&state->owners, 1);
  if (vtree_checkout_permissions (state, inode) != (inode->mode & 07777))
    atomic_fetch_add (&state->set_ids, 1);
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
 * read-only; the times last. */
bool
vtree_checkout_set_attributes (VtreeCheckoutState *state, int fd,
                               const VtreeInode *inode, GError **error)
{
  if (state->options->keep_owner && fchown (fd, inode->uid, inode->gid) != 0)
    return vtree_error_set_errno (error, errno, "set its owner %u:%u", inode->uid,
                                  inode->gid);
  if (!set_xattrs (state, fd, inode, error))
    return false;
  if (fchmod (fd, vtree_checkout_permissions (state, inode)) != 0)
    return vtree_error_set_errno (error, errno, "set its mode");
  struct timespec times[2];
  get_times (inode, times);
  if (futimens (fd, times) != 0)
    return vtree_error_set_errno (error, errno, "set its time");
  return true;
}

/* The same for what can't be opened. */
static bool
set_unopened_attributes (VtreeCheckoutState *state, VtreePlace place,
                         const VtreeInode *inode, GError **error)
{
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
  if (!S_ISLNK (inode->mode)
      && fchmodat (place.dirfd, place.name, vtree_checkout_permissions (state, inode),
                   AT_SYMLINK_NOFOLLOW)
           != 0)
    return vtree_error_set_errno (error, errno, "set its mode");
  struct timespec times[2];
  get_times (inode, times);
  if (utimensat (place.dirfd, place.name, times, AT_SYMLINK_NOFOLLOW) != 0)
    return vtree_error_set_errno (error, errno, "set its time");
  return true;
}

/* Writes SIZE bytes of DATA to OFFSET of FD but for whole blocks of zeros. */
static bool
write_sparse (int fd, const uint8_t *data, size_t size, uint64_t offset, GError **error)
{
  size_t start = 0;
  size_t at = 0;
  while (at < size) {
    size_t block = MIN (VTREE_BLOCK_SIZE, size - at);
    bool zero = vtree_span_is_zero ((VtreeSpan){ data + at, block });
    if (zero && at > start
        && !vtree_fd_pwrite (fd, data + start, at - start, offset + start, error))
      return false;
    at += block;
    if (zero)
      start = at;
  }
  return start == size
         || vtree_fd_pwrite (fd, data + start, size - start, offset + start, error);
}

static bool
copy_contents (VtreeObject *object, int fd, uint64_t size, GError **error)
{
  if (ftruncate (fd, (off_t) size) != 0)
    return vtree_error_set_errno (error, errno,
                                  "make it %" G_GUINT64_FORMAT " bytes long", size);
  g_autofree uint8_t *buffer = g_malloc ((size_t) MIN (size, CHUNK_SIZE));
  for (uint64_t offset = 0; offset < size;) {
    size_t want = (size_t) MIN (size - offset, CHUNK_SIZE);
    size_t got;
    if (!vtree_object_read (object, buffer, want, offset, &got, error))
      return false;
    if (got != want)
      return vtree_error_set (error, VTREE_ERROR_CORRUPT, SHORT_OBJECT);
    if (!write_sparse (fd, buffer, want, offset, error))
      return false;
    offset += want;
  }
  return true;
}

/* Reads all of it, for the sake of the verification. */
static bool
verify_contents (VtreeObject *object, uint64_t size, GError **error)
{
  g_autofree uint8_t *buffer = g_malloc ((size_t) MIN (size, CHUNK_SIZE));
  size_t got = 1;
  for (uint64_t offset = 0; offset < size && got > 0; offset += got) {
    if (!vtree_object_read (object, buffer, (size_t) MIN (size - offset, CHUNK_SIZE),
                            offset, &got, error))
      return false;
  }
  return got > 0 || vtree_error_set (error, VTREE_ERROR_CORRUPT, SHORT_OBJECT);
}

/* Shares the object's blocks, where the kernel answers for them. */
static bool
clone_contents (VtreeCheckoutState *state, VtreeObject *object, int fd)
{
  if (vtree_object_enforcer (object) != VTREE_ENFORCER_KERNEL
      || atomic_load (&state->no_clone))
    return false;
  if (ioctl (fd, FICLONE, vtree_object_peek_fd (object)) == 0)
    return true;
  atomic_store (&state->no_clone, true);
  return false;
}

static bool
write_contents (VtreeCheckoutState *state, int fd, const VtreeInode *inode,
                GError **error)
{
  if (inode->size == 0)
    return true;
  VtreeObjectSpec spec = { .policy = VTREE_VERITY_AUTO };
  if (!vtree_view_object (state->view, inode->object, &spec.digest, &spec.size, error))
    return false;
  g_autoptr (VtreeObject) object = vtree_store_open_object (state->store, &spec, error);
  if (object == NULL)
    return false;
  /* The kernel checks what is read through the object, not what is cloned from it. */
  return clone_contents (state, object, fd)
           ? verify_contents (object, spec.size, error)
           : copy_contents (object, fd, spec.size, error);
}

static bool
fill_descriptor (VtreeCheckoutState *state, int fd, const VtreeInode *inode,
                 GError **error)
{
  return write_contents (state, fd, inode, error)
         && vtree_checkout_set_attributes (state, fd, inode, error)
         && count (state, inode, error);
}

bool
vtree_checkout_fill (VtreeCheckoutState *state, VtreePlace place,
                     const VtreeInode *inode, GError **error)
{
  g_auto (VtreeFd) fd
    = openat (place.dirfd, place.name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return vtree_error_set_errno (error, errno, "open it");
  return fill_descriptor (state, fd, inode, error);
}

/* A new file's descriptor, or a negative errno. */
static int
create (VtreePlace place)
{
  int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
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

bool
vtree_checkout_make (VtreeCheckoutState *state, VtreePlace place,
                     const VtreeInode *inode, GError **error)
{
  if (S_ISREG (inode->mode)) {
    g_auto (VtreeFd) fd = create (place);
    if (fd < 0)
      return vtree_error_set_errno (error, -fd, "create it");
    return fill_descriptor (state, fd, inode, error);
  }
  bool made = S_ISLNK (inode->mode) ? make_symlink (state, place, inode, error)
                                    : make_special (place, inode, error);
  return made && set_unopened_attributes (state, place, inode, error)
         && count (state, inode, error);
}
