/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the way of an object's bytes into a file: copied, shared by a reflink, or the
 * object itself by a hard link. Gives no attributes and knows no tree.
 */
#include "manifest/checkout-file.h"

#include "core/seal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Read and written at a time. */
#define CHUNK_SIZE (UINT64_C (1) << 20)
#define PROC_PATH_MAX 32

bool
vtree_checkout_object (VtreeCheckoutState *state, const VtreeInode *inode,
                       VtreeObjectSpec *spec, GError **error)
{
  spec->digest = state->empty;
  spec->size = 0;
  return inode->size == 0
         || vtree_view_object (state->view, inode->object, &spec->digest, &spec->size,
                               error);
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
  g_autofree uint8_t *buffer = g_malloc ((size_t) MIN (size, CHUNK_SIZE));
  for (uint64_t offset = 0; offset < size;) {
    size_t want = (size_t) MIN (size - offset, CHUNK_SIZE);
    size_t got;
    if (!vtree_object_read (object, buffer, want, offset, &got, error))
      return false;
    if (got != want)
      return vtree_error_set (error, VTREE_ERROR_CORRUPT, "its object is too short");
    if (!write_sparse (fd, buffer, want, offset, error))
      return false;
    offset += want;
  }
  /* At the end, for the sake of filesystems that have no holes. */
  return ftruncate (fd, (off_t) size) == 0
         || vtree_error_set_errno (error, errno,
                                   "make it %" G_GUINT64_FORMAT " bytes long", size);
}

/* What was cloned is nobody else's any more, so its digest stays what it is here. */
static bool
verify_clone (int fd, const VtreeObjectSpec *spec, GError **error)
{
  VtreeVerityParams params
    = { .alg = spec->digest.alg, .size = spec->size, .merkle_fd = -1 };
  VtreeDigest found;
  char text[VTREE_DIGEST_TEXT_MAX];
  char found_text[VTREE_DIGEST_TEXT_MAX];
  if (!vtree_verity_compute_fd (&params, fd, &found, error))
    return false;
  return vtree_digest_equal (&found, &spec->digest)
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "object %s: its contents have digest %s",
                             vtree_digest_format (&spec->digest, text),
                             vtree_digest_format (&found, found_text));
}

static bool
clone_contents (VtreeCheckoutState *state, VtreeObject *object, int fd)
{
  int from = vtree_object_peek_fd (object);
  if (from < 0)
    return false; /* a slice of a pack */
  if (ioctl (fd, FICLONE, from) == 0) {
    atomic_fetch_add (&state->cloned, 1);
    return true;
  }
  if (errno == EOPNOTSUPP || errno == ENOTTY || errno == EXDEV)
    atomic_store (&state->no_clone, true);
  return false;
}

bool
vtree_checkout_write_contents (VtreeCheckoutState *state, int fd,
                               const VtreeInode *inode, GError **error)
{
  if (inode->size == 0)
    return true;
  VtreeObjectSpec spec = { .policy = VTREE_VERITY_OFF };
  if (!vtree_checkout_object (state, inode, &spec, error))
    return false;
  if (!atomic_load (&state->no_clone)) {
    g_autoptr (VtreeObject) plain
      = vtree_store_open_object (state->store, &spec, error);
    if (plain == NULL)
      return false;
    if (clone_contents (state, plain, fd))
      return state->seal || verify_clone (fd, &spec, error);
  }
  /* What is going to be sealed is measured then, by the kernel: once is enough. */
  spec.policy = state->seal ? VTREE_VERITY_OFF : VTREE_VERITY_AUTO;
  g_autoptr (VtreeObject) object = vtree_store_open_object (state->store, &spec, error);
  return object != NULL && copy_contents (object, fd, spec.size, error);
}

/* --- hard links ------------------------------------------------------------------- */

static bool
suits_link (const VtreeInode *inode)
{
  const mode_t readable = S_IRUSR | S_IRGRP | S_IROTH;
  const mode_t write = S_IWUSR | S_IWGRP | S_IWOTH;
  return S_ISREG (inode->mode) && inode->size > 0 && inode->nlink == 1
         && inode->xattrs == 0 && (inode->mode & 07777 & ~write) == readable;
}

/* Whether the object's file can stand for INODE: 0444, and of the right owner. */
static bool
suits_object (const VtreeCheckoutState *state, const struct stat *st,
              const VtreeInode *inode)
{
  bool owner = !state->options->keep_owner
               || (st->st_uid == inode->uid && st->st_gid == inode->gid);
  return owner && (st->st_mode & 07777) == 0444;
}

/* The object, a file of its own, enforced by the kernel, and signed where files are to
 * be; NULL in *OBJECT where it is not. */
static bool
open_enforced (VtreeCheckoutState *state, const VtreeInode *inode, VtreeObject **object,
               GError **error)
{
  g_autoptr (GError) failure = NULL;
  VtreeObjectSpec spec = { .policy = VTREE_VERITY_REQUIRE };
  if (!vtree_checkout_object (state, inode, &spec, error))
    return false;
  g_autoptr (VtreeObject) found
    = vtree_store_open_object (state->store, &spec, &failure);
  bool lacks = found != NULL && vtree_object_peek_fd (found) < 0;
  if (found != NULL && !lacks && state->options->signer != NULL
      && !vtree_seal_lacks_signature (vtree_object_peek_fd (found), &lacks, error))
    return false;
  *object = lacks ? NULL : g_steal_pointer (&found);
  if (failure == NULL
      || g_error_matches (failure, VTREE_ERROR, VTREE_ERROR_UNSUPPORTED))
    return true;
  g_propagate_error (error, g_steal_pointer (&failure));
  return false;
}

/* By its descriptor, so that what is linked is what was measured. */
static bool
link_descriptor (VtreeCheckoutState *state, int fd, VtreePlace place)
{
  char path[PROC_PATH_MAX];
  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  if (linkat (AT_FDCWD, path, place.dirfd, place.name, AT_SYMLINK_FOLLOW) == 0) {
    atomic_fetch_add (&state->linked, 1);
    return true;
  }
  if (errno == EXDEV)
    atomic_store (&state->no_link, true);
  return false;
}

bool
vtree_checkout_link (VtreeCheckoutState *state, VtreePlace place,
                     const VtreeInode *inode, bool *linked, GError **error)
{
  *linked = false;
  if (!state->options->hard_links || atomic_load (&state->no_link)
      || !suits_link (inode))
    return true;
  g_autoptr (VtreeObject) object = NULL;
  struct stat st;
  if (!open_enforced (state, inode, &object, error))
    return false;
  if (object == NULL)
    return true;
  int fd = vtree_object_peek_fd (object);
  *linked = fstat (fd, &st) == 0 && suits_object (state, &st, inode)
            && link_descriptor (state, fd, place);
  return true;
}

bool
vtree_checkout_is_linked (VtreeCheckoutState *state, const struct stat *st,
                          const VtreeInode *inode, bool *linked, GError **error)
{
  *linked = false;
  if (!state->options->hard_links || !suits_link (inode) || st->st_nlink < 2)
    return true;
  g_autoptr (VtreeObject) object = NULL;
  struct stat own;
  if (!open_enforced (state, inode, &object, error))
    return false;
  *linked = object != NULL && fstat (vtree_object_peek_fd (object), &own) == 0
            && own.st_ino == st->st_ino && own.st_dev == st->st_dev
            && suits_object (state, &own, inode);
  return true;
}
