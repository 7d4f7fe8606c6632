/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns reading and writing a seal's bytes, and taking a file's digest. Believes nothing
 * that it reads.
 */
#include "manifest/file-seal-store.h"

#include "core/beneath.h"
#include "core/error.h"
#include "core/kernel.h"
#include "core/publish.h"
#include "core/verity.h"
#include "manifest/xattr.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The kernel's XATTR_SIZE_MAX. */
#define XATTR_VALUE_MAX 65536

static char *
file_name (const VtreeFileSealTarget *target)
{
  return g_strconcat (target->base, VTREE_FILE_SEAL_SUFFIX, NULL);
}

/* --- the xattr -------------------------------------------------------------------- */

/* *WHOLE is NULL where there is none. */
static bool
load_xattr (int fd, GBytes **whole, GError **error)
{
  g_autofree uint8_t *data = g_malloc (XATTR_VALUE_MAX);
  ssize_t size = fgetxattr (fd, VTREE_FILE_SEAL_XATTR, data, XATTR_VALUE_MAX);
  if (size < 0 && errno != ENODATA && errno != EOPNOTSUPP)
    return vtree_error_set_errno (error, errno,
                                  "read the attribute " VTREE_FILE_SEAL_XATTR);
  *whole = size >= 0 ? g_bytes_new (data, (size_t) size) : NULL;
  return true;
}

static bool
save_xattr (int fd, GBytes *whole, GError **error)
{
  VtreeSpan value;
  value.data = g_bytes_get_data (whole, &value.size);
  if (!vtree_xattr_set (fd, VTREE_FILE_SEAL_XATTR, value, error))
    return false;
  return fsync (fd) == 0 || vtree_error_set_errno (error, errno, "sync it");
}

/* Whether the filesystem has no xattrs, or no room for one of this size (ext4: a block
 * for all of a file's). */
static bool
has_no_room (const GError *error)
{
  return error->domain == VTREE_ERRNO_ERROR
         && (error->code == EOPNOTSUPP || error->code == E2BIG || error->code == ENOSPC
             || error->code == ERANGE);
}

/* --- the file beside it ----------------------------------------------------------- */

static bool
load_file (const VtreeFileSealTarget *target, GBytes **whole, GError **error)
{
  g_autofree char *name = file_name (target);
  *whole = NULL;
  return strlen (name) > NAME_MAX
         || vtree_beneath_load (target->dirfd, name, VTREE_FILE_SEAL_MAX, whole, error);
}

/* Who can read the file can read its seal. */
static bool
save_file (const VtreeFileSealTarget *target, GBytes *whole, GError **error)
{
  g_autofree char *name = file_name (target);
  size_t size;
  const void *data = g_bytes_get_data (whole, &size);
  mode_t mode = (target->stat.st_mode & 0444) | 0600;
  return vtree_publish (target->dirfd, name, data, size, mode, VTREE_PUBLISH_REPLACE,
                        error);
}

static bool
remove_file (const VtreeFileSealTarget *target, GError **error)
{
  g_autofree char *name = file_name (target);
  if (unlinkat (target->dirfd, name, 0) < 0) {
    g_autofree char *shown = vtree_error_escape (name, -1);
    return errno == ENOENT || errno == ENAMETOOLONG
           || vtree_error_set_errno (error, errno, "remove %s", shown);
  }
  g_auto (VtreeFd) dirfd
    = vtree_beneath_open (target->dirfd, ".", O_RDONLY | O_DIRECTORY, 0, error);
  if (dirfd < 0)
    return false;
  return fsync (dirfd) == 0
         || vtree_error_set_errno (error, errno, "sync its directory");
}

/* --- both ------------------------------------------------------------------------- */

bool
vtree_file_seal_store_load (const VtreeFileSealTarget *target,
                            VtreeFileSealWhere *where, GBytes **whole, GError **error)
{
  g_autoptr (GBytes) found = NULL;
  *where = VTREE_FILE_SEAL_XATTR_PLACE;
  if (!load_xattr (target->fd, &found, error))
    return false;
  if (found == NULL) {
    *where = VTREE_FILE_SEAL_FILE_PLACE;
    if (!load_file (target, &found, error))
      return false;
  }
  if (found == NULL)
    *where = VTREE_FILE_SEAL_NOWHERE;
  *whole = g_steal_pointer (&found);
  return true;
}

VtreeFileSeal *
vtree_file_seal_store_load_good (const VtreeFileSealTarget *target,
                                 const VtreeTrust *trust, const char *name)
{
  g_autoptr (GBytes) whole = NULL;
  g_autoptr (GBytes) statement = NULL;
  const VtreeTrustKey *key;
  VtreeFileSealWhere where;
  if (!vtree_file_seal_store_load (target, &where, &whole, NULL) || whole == NULL)
    return NULL;
  g_autoptr (VtreeFileSeal) seal
    = vtree_file_seal_verify (whole, trust, &statement, &key, NULL);
  return seal != NULL && strcmp (seal->name, name) == 0 ? g_steal_pointer (&seal)
                                                        : NULL;
}

bool
vtree_file_seal_store_save (const VtreeFileSealTarget *target, GBytes *whole,
                            bool detached, VtreeFileSealWhere *where, GError **error)
{
  g_autoptr (GError) failed = NULL;
  if (!detached && save_xattr (target->fd, whole, &failed)) {
    *where = VTREE_FILE_SEAL_XATTR_PLACE;
    return remove_file (target, error);
  }
  if (failed != NULL && !has_no_room (failed)) {
    g_propagate_error (error, g_steal_pointer (&failed));
    return false;
  }
  *where = VTREE_FILE_SEAL_FILE_PLACE;
  return save_file (target, whole, error)
         && vtree_xattr_remove (target->fd, VTREE_FILE_SEAL_XATTR, error);
}

bool
vtree_file_seal_store_remove (const VtreeFileSealTarget *target, bool keep_xattr,
                              GError **error)
{
  return (keep_xattr || vtree_xattr_remove (target->fd, VTREE_FILE_SEAL_XATTR, error))
         && remove_file (target, error);
}

/* --- contents --------------------------------------------------------------------- */

static bool
is_same (const struct stat *a, const struct stat *b)
{
  return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec
         && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec
         && a->st_ctim.tv_sec == b->st_ctim.tv_sec
         && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Contents that are read by several threads, and who is told. */
typedef struct {
  int fd;
  const VtreeFileSealProgress *progress;
  GMutex lock; /* for the rest */
  uint64_t done;
} Reading;

static void
report (Reading *reading, size_t got)
{
  if (reading->progress->report == NULL)
    return;
  g_mutex_lock (&reading->lock);
  reading->done += got;
  reading->progress->report (reading->progress->context, reading->done);
  g_mutex_unlock (&reading->lock);
}

/* VtreeVerityRead */
static bool
read_run (void *context, void *data, size_t size, uint64_t offset, GError **error)
{
  Reading *reading = context;
  size_t got;
  if (!vtree_fd_pread (reading->fd, data, size, offset, &got, error))
    return false;
  report (reading, got);
  return got == size
         || vtree_error_set (error, VTREE_ERROR_BUSY, "it shrank while it was read");
}

bool
vtree_file_seal_store_compute (const VtreeFileSealTarget *target, VtreeDigestAlg alg,
                               const VtreeFileSealProgress *progress,
                               VtreeDigest *digest, GError **error)
{
  struct stat before, after;
  Reading reading = { .fd = target->fd, .progress = progress };
  if (fstat (target->fd, &before) < 0)
    return vtree_error_set_errno (error, errno, "look at it");
  VtreeVerityHelpers helpers = { 0 };
  const VtreeVerityParams params = {
    .alg = alg, .size = (uint64_t) before.st_size, .merkle_fd = -1, .helpers = &helpers
  };
  g_mutex_init (&reading.lock);
  bool ok = vtree_verity_compute (&params, read_run, &reading, digest, error);
  g_mutex_clear (&reading.lock);
  if (!ok)
    return false;
  if (fstat (target->fd, &after) < 0)
    return vtree_error_set_errno (error, errno, "look at it");
  return is_same (&before, &after)
         || vtree_error_set (error, VTREE_ERROR_BUSY, "it changed while it was read");
}

bool
vtree_file_seal_store_measure (const VtreeFileSealTarget *target, VtreeDigestAlg alg,
                               const VtreeFileSealProgress *progress, bool *enforced,
                               VtreeDigest *digest, GError **error)
{
  if (!vtree_kernel_measure (target->fd, enforced, digest, error))
    return false;
  return *enforced
         || vtree_file_seal_store_compute (target, alg, progress, digest, error);
}
