/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns copying one file with all its attributes and putting the copy in its place.
 * Knows nothing of signatures.
 */
#include "manifest/file-seal-copy.h"

#include "core/beneath.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/publish.h"
#include "manifest/acl.h"
#include "manifest/file-seal.h"
#include "manifest/xattr.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CHUNK_SIZE ((size_t) 128 * 1024)

/* What is the file's own. The security.* ones left out are about an inode. */
static const char *const patterns[]
  = { "*", ("-" VTREE_FILE_SEAL_XATTR), "-security.ima", "-security.evm", NULL };

/* A copy in the making. */
typedef struct {
  int from;
  int to;
  uint64_t size;
  uint8_t *data;  /* CHUNK_SIZE bytes */
  uint8_t *other; /* the same */
} Copy;

/* --- contents --------------------------------------------------------------------- */

/* What is done with each SIZE bytes at OFFSET, which copy->data has. */
typedef bool (*Step) (const Copy *copy, size_t size, uint64_t offset, GError **error);

/* Reads FROM whole. */
static bool
for_each_chunk (const Copy *copy, Step step, GError **error)
{
  for (uint64_t offset = 0; offset < copy->size; offset += CHUNK_SIZE) {
    size_t size = (size_t) MIN (CHUNK_SIZE, copy->size - offset), got;
    if (!vtree_fd_pread (copy->from, copy->data, size, offset, &got, error))
      return false;
    if (got < size)
      return vtree_error_set (error, VTREE_ERROR_CORRUPT, "it is shorter than it was");
    if (!step (copy, size, offset, error))
      return false;
  }
  return true;
}

/* A chunk of zeros stays a hole. */
static bool
write_chunk (const Copy *copy, size_t size, uint64_t offset, GError **error)
{
  return vtree_span_is_zero ((VtreeSpan){ copy->data, size })
         || vtree_fd_pwrite (copy->to, copy->data, size, offset, error);
}

static bool
compare_chunk (const Copy *copy, size_t size, uint64_t offset, GError **error)
{
  size_t got;
  if (!vtree_fd_pread (copy->to, copy->other, size, offset, &got, error))
    return false;
  return (got == size && memcmp (copy->data, copy->other, size) == 0)
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "the copy is not what the file is at offset %ju: the disk "
                             "is failing, or somebody changes it",
                             (uintmax_t) offset);
}

/* A reflink shares blocks that the kernel has not verified: they are compared with what
 * the file gives. */
static bool
copy_contents (const Copy *copy, GError **error)
{
  if (ioctl (copy->to, FICLONE, copy->from) == 0)
    return for_each_chunk (copy, compare_chunk, error);
  if (ftruncate (copy->to, (off_t) copy->size) < 0)
    return vtree_error_set_errno (error, errno, "give the copy its size");
  return for_each_chunk (copy, write_chunk, error);
}

static bool
copy_with_buffers (int from, int to, uint64_t size, GError **error)
{
  g_autofree uint8_t *data = g_malloc (CHUNK_SIZE);
  g_autofree uint8_t *other = g_malloc (CHUNK_SIZE);
  const Copy copy = { from, to, size, data, other };
  return copy_contents (&copy, error);
}

/* --- attributes ------------------------------------------------------------------- */

static bool
has_value (const GPtrArray *xattrs, const VtreeXattrValue *wanted)
{
  for (guint i = 0; xattrs != NULL && i < xattrs->len; i++) {
    const VtreeXattrValue *value = xattrs->pdata[i];
    if (strcmp (value->name, wanted->name) == 0 && value->size == wanted->size
        && (value->size == 0 || memcmp (value->data, wanted->data, value->size) == 0))
      return true;
  }
  return false;
}

/* What the new file has already of itself (a security label) is not set: it could be
 * forbidden. */
static bool
copy_xattrs (int from, int to, GError **error)
{
  g_autoptr (VtreeXattrFilter) filter = vtree_xattr_filter_new (patterns);
  g_autoptr (GPtrArray) wanted = NULL;
  g_autoptr (GPtrArray) there = NULL;
  if (!vtree_xattr_remove (to, VTREE_ACL_ACCESS, error) /* the directory's default */
      || !vtree_xattrs_read (from, filter, &wanted, error)
      || !vtree_xattrs_read (to, filter, &there, error))
    return false;
  for (guint i = 0; wanted != NULL && i < wanted->len; i++) {
    const VtreeXattrValue *value = wanted->pdata[i];
    VtreeSpan span = { value->data, value->size };
    if (!has_value (there, value) && !vtree_xattr_set (to, value->name, span, error))
      return false;
  }
  return true;
}

static bool
copy_owner (int to, const struct stat *st, GError **error)
{
  struct stat now;
  if (fstat (to, &now) < 0)
    return vtree_error_set_errno (error, errno, "look at the copy");
  return (now.st_uid == st->st_uid && now.st_gid == st->st_gid)
         || fchown (to, st->st_uid, st->st_gid) == 0
         || vtree_error_set_errno (error, errno, "give the copy its owner %ju:%ju",
                                   (uintmax_t) st->st_uid, (uintmax_t) st->st_gid);
}

static bool
copy_attributes (int from, int to, const struct stat *st, GError **error)
{
  const struct timespec times[2] = { st->st_atim, st->st_mtim };
  if (!copy_owner (to, st, error) || !copy_xattrs (from, to, error))
    return false;
  return (fchmod (to, st->st_mode & 07777) == 0 && futimens (to, times) == 0)
         || vtree_error_set_errno (error, errno, "give the copy its mode and times");
}

/* --- in its place ----------------------------------------------------------------- */

/* Renames the copy over the file, unless that is another one by now. */
static bool
put_in_place (const VtreeFileSealTarget *target, const char *temp, GError **error)
{
  struct stat now;
  if (fstatat (target->dirfd, target->base, &now, AT_SYMLINK_NOFOLLOW) < 0
      || now.st_dev != target->stat.st_dev || now.st_ino != target->stat.st_ino)
    return vtree_error_set (error, VTREE_ERROR_BUSY,
                            "another file has taken its place meanwhile");
  return renameat (target->dirfd, temp, target->dirfd, target->base) == 0
         || vtree_error_set_errno (error, errno, "put the copy in its place");
}

static bool
fill (const VtreeFileSealTarget *target, int to, GError **error)
{
  const struct stat *st = &target->stat;
  if (!copy_with_buffers (target->fd, to, (uint64_t) st->st_size, error)
      || !copy_attributes (target->fd, to, st, error))
    return false;
  return fsync (to) == 0 || vtree_error_set_errno (error, errno, "sync the copy");
}

static bool
sync_directory (const VtreeFileSealTarget *target, GError **error)
{
  g_auto (VtreeFd) fd
    = vtree_beneath_open (target->dirfd, ".", O_RDONLY | O_DIRECTORY, 0, error);
  if (fd < 0)
    return false;
  return fsync (fd) == 0 || vtree_error_set_errno (error, errno, "sync its directory");
}

bool
vtree_file_seal_copy_replace (const VtreeFileSealTarget *target, GError **error)
{
  if (geteuid () != 0 && target->stat.st_uid != geteuid ())
    return vtree_error_set (error, VTREE_ERROR_FAILED,
                            "it belongs to uid %ju: that user, or root, has to do it",
                            (uintmax_t) target->stat.st_uid);
  g_autofree char *temp = g_strdup_printf (VTREE_PUBLISH_TEMP_PREFIX "%08x%08x",
                                           g_random_int (), g_random_int ());
  g_auto (VtreeFd) to
    = vtree_beneath_open (target->dirfd, temp, O_RDWR | O_CREAT | O_EXCL, 0600, error);
  if (to < 0)
    return false;
  if (!fill (target, to, error) || !put_in_place (target, temp, error)) {
    unlinkat (target->dirfd, temp, 0);
    return false;
  }
  return sync_directory (target, error);
}
