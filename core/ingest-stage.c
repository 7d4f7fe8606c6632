/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the files in an ingest's staging directory: contents are read once, hashed on
 * the way, cloned or copied with their holes. Touches nothing that is visible in the
 * store.
 */
#include "core/ingest-private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

void
vtree_staged_clear (VtreeStaged *staged)
{
  vtree_fd_replace_take (&staged->fd, -1);
  vtree_fd_replace_take (&staged->merkle_fd, -1);
}

char *
vtree_staged_name (unsigned number, char name[VTREE_STAGED_NAME_MAX])
{
  g_snprintf (name, VTREE_STAGED_NAME_MAX, "%u", number);
  return name;
}

char *
vtree_staged_merkle_name (unsigned number, char name[VTREE_STAGED_NAME_MAX])
{
  g_snprintf (name, VTREE_STAGED_NAME_MAX, "%u.m", number);
  return name;
}

static bool
make_file (const VtreeIngest *ingest, const char *name, VtreeFd *fd, GError **error)
{
  *fd = openat (ingest->staging.fd, name,
                O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  return *fd >= 0 || vtree_error_set_errno (error, errno, "make a file in tmp");
}

/* Contents of SIZE need a Merkle file where the daemon will have to check them. */
static bool
make_merkle_file (const VtreeIngest *ingest, VtreeStaged *staged, GError **error)
{
  char name[VTREE_STAGED_NAME_MAX];
  if (ingest->kernel || staged->size <= VTREE_INGEST_SMALL)
    return true;
  return make_file (ingest, vtree_staged_merkle_name (staged->number, name),
                    &staged->merkle_fd, error);
}

static VtreeVerityParams
params_for (VtreeIngest *ingest, const VtreeStaged *staged)
{
  return (VtreeVerityParams){
    .alg = ingest->alg,
    .size = staged->size,
    .merkle_fd = staged->merkle_fd,
    .helpers = &ingest->helpers,
  };
}

static bool
set_changed (GError **error)
{
  return vtree_error_set (error, VTREE_ERROR_CORRUPT, "it changed while it was read");
}

/* --- copying ---------------------------------------------------------------------- */

typedef struct {
  int in;
  int out;
} Copy;

static bool
is_zero (const uint8_t *block, size_t size)
{
  return block[0] == 0 && memcmp (block, block + 1, size - 1) == 0;
}

/* Writes DATA but for its blocks of zeros, which stay holes. OFFSET is a multiple of
 * the block size. */
static bool
write_data (int fd, const uint8_t *data, size_t size, uint64_t offset, GError **error)
{
  size_t start = 0; /* of what is to be written */
  for (size_t at = 0; at < size; at += VTREE_BLOCK_SIZE) {
    size_t length = MIN (size - at, (size_t) VTREE_BLOCK_SIZE);
    if (!is_zero (data + at, length))
      continue;
    if (at > start
        && !vtree_fd_pwrite (fd, data + start, at - start, offset + start, error))
      return false;
    start = at + length;
  }
  return start >= size
         || vtree_fd_pwrite (fd, data + start, size - start, offset + start, error);
}

/* VtreeVerityRead: what is hashed is what has been written. */
static bool
read_and_write (void *context, void *data, size_t size, uint64_t offset, GError **error)
{
  const Copy *copy = context;
  size_t got;
  if (!vtree_fd_pread (copy->in, data, size, offset, &got, error))
    return false;
  if (got < size)
    return set_changed (error);
  if (!write_data (copy->out, data, size, offset, error)) {
    g_prefix_error (error, "copy into tmp: ");
    return false;
  }
  return true;
}

static bool
check_end (int fd, uint64_t size, GError **error)
{
  uint8_t byte;
  size_t got;
  if (!vtree_fd_pread (fd, &byte, 1, size, &got, error))
    return false;
  return got == 0 || set_changed (error);
}

static bool
copy_and_hash (VtreeIngest *ingest, int fd, VtreeStaged *staged, GError **error)
{
  VtreeVerityParams params = params_for (ingest, staged);
  Copy copy = { fd, staged->fd };
  if (ftruncate (staged->fd, (off_t) staged->size) < 0)
    return vtree_error_set_errno (error, errno, "copy into tmp");
  return vtree_verity_compute (&params, read_and_write, &copy, &staged->digest, error)
         && check_end (fd, staged->size, error);
}

/* Shares the blocks of FD where the filesystem can; then the staged file is a snapshot
 * that nobody else writes. *CLONED false: copy. */
static bool
clone_and_hash (VtreeIngest *ingest, int fd, VtreeStaged *staged, bool *cloned,
                GError **error)
{
  *cloned = false;
  if (atomic_load (&ingest->no_reflink))
    return true;
  if (ioctl (staged->fd, FICLONE, fd) < 0) {
    /* Any reason will do: copying meets a real one again, and says so. */
    if (errno == EOPNOTSUPP || errno == ENOTTY)
      atomic_store (&ingest->no_reflink, true);
    return true;
  }
  struct stat st;
  if (fstat (staged->fd, &st) < 0)
    return vtree_error_set_errno (error, errno, "stat a file in tmp");
  if ((uint64_t) st.st_size != staged->size)
    return set_changed (error);
  *cloned = true;
  VtreeVerityParams params = params_for (ingest, staged);
  return vtree_verity_compute_fd (&params, staged->fd, &staged->digest, error);
}

static bool
fill (VtreeIngest *ingest, int fd, VtreeStaged *staged, GError **error)
{
  char name[VTREE_STAGED_NAME_MAX];
  bool cloned;
  if (!make_file (ingest, vtree_staged_name (staged->number, name), &staged->fd, error)
      || !make_merkle_file (ingest, staged, error)
      || !clone_and_hash (ingest, fd, staged, &cloned, error))
    return false;
  return cloned || copy_and_hash (ingest, fd, staged, error);
}

bool
vtree_staged_from_fd (VtreeIngest *ingest, int fd, uint64_t size, VtreeStaged *staged,
                      GError **error)
{
  *staged = (VtreeStaged) VTREE_STAGED_INIT;
  staged->size = size;
  staged->number = atomic_fetch_add (&ingest->next_number, 1);
  if (fill (ingest, fd, staged, error))
    return true;
  vtree_staged_drop (ingest, staged);
  vtree_staged_drop_merkle (ingest, staged);
  return false;
}

bool
vtree_staged_from_data (VtreeIngest *ingest, const void *data, size_t size,
                        VtreeStaged *staged, GError **error)
{
  *staged = (VtreeStaged) VTREE_STAGED_INIT;
  staged->size = size;
  staged->data = data;
  staged->number = atomic_fetch_add (&ingest->next_number, 1);
  if (!make_merkle_file (ingest, staged, error))
    return false;
  VtreeVerityParams params = params_for (ingest, staged);
  if (vtree_verity_compute_data (&params, data, &staged->digest, error))
    return true;
  vtree_staged_drop_merkle (ingest, staged);
  return false;
}

/* --- keeping and dropping --------------------------------------------------------- */

bool
vtree_staged_make (const VtreeIngest *ingest, VtreeStaged *staged, GError **error)
{
  char name[VTREE_STAGED_NAME_MAX];
  return make_file (ingest, vtree_staged_name (staged->number, name), &staged->fd,
                    error);
}

static bool
write_staged (VtreeIngest *ingest, VtreeStaged *staged, GError **error)
{
  if (!vtree_staged_make (ingest, staged, error))
    return false;
  if (vtree_fd_pwrite (staged->fd, staged->data, (size_t) staged->size, 0, error))
    return true;
  g_prefix_error (error, "copy into tmp: ");
  vtree_staged_drop (ingest, staged);
  return false;
}

bool
vtree_staged_keep (VtreeIngest *ingest, VtreeStaged *staged, GError **error)
{
  if (staged->fd < 0 && !write_staged (ingest, staged, error))
    return false;
  /* Enabling verity needs write permission on the inode: then the mode comes last. */
  if (!ingest->kernel && fchmod (staged->fd, 0444) < 0)
    return vtree_error_set_errno (error, errno, "set the mode of a file in tmp");
  return true;
}

bool
vtree_staged_keep_merkle (VtreeStaged *staged, GError **error)
{
  return fchmod (staged->merkle_fd, 0444) == 0
         || vtree_error_set_errno (error, errno, "set the mode of a file in tmp");
}

void
vtree_staged_drop (VtreeIngest *ingest, VtreeStaged *staged)
{
  char name[VTREE_STAGED_NAME_MAX];
  if (staged->fd < 0)
    return;
  unlinkat (ingest->staging.fd, vtree_staged_name (staged->number, name), 0);
  vtree_fd_replace_take (&staged->fd, -1);
}

void
vtree_staged_drop_merkle (VtreeIngest *ingest, VtreeStaged *staged)
{
  char name[VTREE_STAGED_NAME_MAX];
  if (staged->merkle_fd < 0)
    return;
  unlinkat (ingest->staging.fd, vtree_staged_merkle_name (staged->number, name), 0);
  vtree_fd_replace_take (&staged->merkle_fd, -1);
}
