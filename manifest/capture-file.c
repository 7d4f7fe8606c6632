/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the reading of regular files during a capture: opening, xattrs, contents, and
 * noticing that one changed meanwhile. Walks no directory and changes no file.
 */
#include "manifest/capture-file.h"

#include "core/pool.h"
#include "core/verity.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Files are handed over in batches, so that a small one costs no waking of a thread. */
#define BATCH_FILES 32
#define BATCH_BYTES (UINT64_C (1) << 20)
/* Directories that batches keep open, in all. */
#define PINNED_MAX 256

#define CHANGED "it changed while it was read"

typedef struct {
  VtreeHandle *dir;
  char *path;
  const char *name; /* in path */
  VtreeNode *node;
  struct stat before;
} File;

typedef struct {
  VtreeCaptureReader *reader;
  GArray *files; /* File */
  uint64_t bytes;
  unsigned dirs; /* different ones in a row */
} Batch;

struct VtreeCaptureReader {
  VtreeCaptureState *state;
  VtreePool *pool;
  Batch *batch; /* being filled; may be NULL */
  uid_t euid;

  GMutex lock;
  GCond unpinned;
  unsigned pinned; /* directories held by batches; with the lock */
};

void
vtree_capture_note (VtreeCaptureState *state, const char *path, const GError *error)
{
  vtree_problems_add (state->problems, path, error->message);
}

bool
vtree_capture_note_errno (VtreeCaptureState *state, const char *path, int errnum,
                          GError **error)
{
  switch (errnum) {
  case EMFILE:
  case ENFILE:
  case ENOMEM: {
    g_autofree char *shown = vtree_error_escape (path, -1);
    return vtree_error_set_errno (error, errnum, "open %s", shown);
  }
  case ENOENT:
    vtree_problems_add (state->problems, path, "it vanished while it was read");
    return true;
  case ELOOP:
  case ENOTDIR:
  case ENXIO:
    vtree_problems_add (state->problems, path, CHANGED);
    return true;
  default:
    vtree_problems_add (state->problems, path, g_strerror (errnum));
    return true;
  }
}

static bool
same_time (struct timespec a, struct timespec b)
{
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool
vtree_capture_same_state (const struct stat *before, const struct stat *after)
{
  return before->st_dev == after->st_dev && before->st_ino == after->st_ino
         && before->st_mode == after->st_mode && before->st_size == after->st_size
         && same_time (before->st_mtim, after->st_mtim)
         && same_time (before->st_ctim, after->st_ctim);
}

bool
vtree_capture_add_xattrs (VtreeCaptureState *state, VtreeNode *node,
                          const GPtrArray *xattrs, GError **error)
{
  bool ok = true;
  g_mutex_lock (&state->lock);
  for (guint i = 0; xattrs != NULL && ok && i < xattrs->len; i++) {
    const VtreeXattrValue *value = xattrs->pdata[i];
    ok = vtree_node_add_xattr (state->builder, node, value->name, value->data,
                               value->size, error);
  }
  g_mutex_unlock (&state->lock);
  return ok;
}

static void
clear_file (gpointer data)
{
  File *file = data;
  vtree_handle_unref (file->dir);
  g_free (file->path);
}

static void
free_batch (gpointer data)
{
  Batch *batch = data;
  VtreeCaptureReader *reader = batch->reader;
  g_array_unref (batch->files);
  g_mutex_lock (&reader->lock);
  reader->pinned -= batch->dirs;
  g_cond_signal (&reader->unpinned);
  g_mutex_unlock (&reader->lock);
  g_free (batch);
}

/* A descriptor or a negative errno. */
static int
open_file (const VtreeCaptureReader *reader, const File *file)
{
  int dirfd = vtree_handle_fd (file->dir);
  int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  int fd = -1;
  errno = EPERM;
  if (reader->euid == 0 || reader->euid == file->before.st_uid)
    fd = openat (dirfd, file->name, flags | O_NOATIME);
  if (fd < 0 && errno == EPERM)
    fd = openat (dirfd, file->name, flags);
  return fd >= 0 ? fd : -errno;
}

/* Reads FD's xattrs into the file's node; a failure is the file's problem. */
static void
read_xattrs (VtreeCaptureState *state, const File *file, int fd)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (GPtrArray) xattrs = NULL;
  VtreeNodeAttributes attributes = { 0 };
  bool ok
    = vtree_attributes_from_stat (state->options, &file->before, &attributes, &failure);
  uint32_t mode = attributes.mode;
  ok = ok
       && vtree_attributes_read_xattrs (state->options, state->filter, fd, &attributes,
                                        &xattrs, &failure);
  if (ok && attributes.mode != mode) {
    g_mutex_lock (&state->lock);
    ok = vtree_node_set_attributes (file->node, &attributes, &failure);
    g_mutex_unlock (&state->lock);
  }
  if (ok && xattrs != NULL)
    ok = vtree_capture_add_xattrs (state, file->node, xattrs, &failure);
  if (!ok)
    vtree_capture_note (state, file->path, failure);
}

static bool
digest_contents (VtreeCaptureState *state, int fd, uint64_t size, VtreeDigest *digest,
                 GError **error)
{
  if (state->ingest != NULL)
    return vtree_ingest_fd (state->ingest, fd, size, digest, error);
  VtreeVerityParams params
    = { .alg = state->options->alg, .size = size, .merkle_fd = -1 };
  return vtree_verity_compute_fd (&params, fd, digest, error);
}

/* Contents of a file whose capture is still worth something. */
static bool
read_contents (VtreeCaptureState *state, const File *file, int fd, GError **error)
{
  uint64_t size = (uint64_t) file->before.st_size;
  VtreeDigest digest = { .alg = state->options->alg };
  g_autoptr (GError) failure = NULL;
  if (size == 0 || digest_contents (state, fd, size, &digest, &failure)) {
    vtree_node_set_content (file->node, &digest, size);
    return true;
  }
  if (g_error_matches (failure, VTREE_ERROR, VTREE_ERROR_CORRUPT)) {
    vtree_problems_add (state->problems, file->path, CHANGED);
    return true;
  }
  g_autofree char *shown = vtree_error_escape (file->path, -1);
  g_propagate_prefixed_error (error, g_steal_pointer (&failure), "%s: ", shown);
  return false;
}

static bool
read_file (VtreeCaptureReader *reader, const File *file, GError **error)
{
  VtreeCaptureState *state = reader->state;
  int got = open_file (reader, file);
  if (got < 0)
    return vtree_capture_note_errno (state, file->path, -got, error);
  g_auto (VtreeFd) fd = got;
  read_xattrs (state, file, fd);
  /* Once there is a problem nothing will come of the capture but the list of them. */
  if (!vtree_problems_any (state->problems) && !read_contents (state, file, fd, error))
    return false;
  struct stat after;
  if (fstat (fd, &after) != 0)
    return vtree_capture_note_errno (state, file->path, errno, error);
  if (!vtree_capture_same_state (&file->before, &after))
    vtree_problems_add (state->problems, file->path, CHANGED);
  atomic_fetch_add (&state->files, 1);
  atomic_fetch_add (&state->bytes, (uint64_t) file->before.st_size);
  return true;
}

static bool
read_batch (void *context, void *item, GError **error)
{
  Batch *batch = item;
  bool ok = true;
  for (guint i = 0; ok && i < batch->files->len; i++)
    ok = read_file (context, &g_array_index (batch->files, File, i), error);
  free_batch (batch);
  return ok;
}

VtreeCaptureReader *
vtree_capture_reader_new (VtreeCaptureState *state)
{
  VtreeCaptureReader *reader = g_new0 (VtreeCaptureReader, 1);
  reader->state = state;
  reader->euid = geteuid ();
  g_mutex_init (&reader->lock);
  g_cond_init (&reader->unpinned);
  reader->pool
    = vtree_pool_new (state->options->threads, read_batch, free_batch, reader);
  return reader;
}

static Batch *
new_batch (VtreeCaptureReader *reader)
{
  Batch *batch = g_new0 (Batch, 1);
  batch->reader = reader;
  batch->files = g_array_new (FALSE, FALSE, sizeof (File));
  g_array_set_clear_func (batch->files, clear_file);
  return batch;
}

static bool
push_batch (VtreeCaptureReader *reader)
{
  return reader->batch == NULL
         || vtree_pool_push (reader->pool, g_steal_pointer (&reader->batch));
}

/* Counts a directory that BATCH keeps open, once there are few enough of them: those of
 * the batch being filled are fewer, so the others' end is awaited, not our own. */
static void
pin_directory (VtreeCaptureReader *reader, Batch *batch)
{
  g_mutex_lock (&reader->lock);
  while (reader->pinned >= PINNED_MAX)
    g_cond_wait (&reader->unpinned, &reader->lock);
  reader->pinned++;
  g_mutex_unlock (&reader->lock);
  batch->dirs++;
}

static void
append_file (Batch *batch, VtreeHandle *dir, const char *path, VtreeNode *node,
             const struct stat *stat)
{
  char *copy = g_strdup (path);
  const char *slash = strrchr (copy, '/');
  File file = { .dir = vtree_handle_ref (dir),
                .path = copy,
                .name = slash != NULL ? slash + 1 : copy,
                .node = node,
                .before = *stat };
  g_array_append_val (batch->files, file);
  batch->bytes += (uint64_t) stat->st_size;
}

/* Whether BATCH, not empty, has DIR open already. */
static bool
is_last_directory (const Batch *batch, const VtreeHandle *dir)
{
  guint count = batch->files->len;
  return count > 0 && g_array_index (batch->files, File, count - 1).dir == dir;
}

bool
vtree_capture_reader_add (VtreeCaptureReader *reader, VtreeHandle *dir,
                          const char *path, VtreeNode *node, const struct stat *stat)
{
  if ((uint64_t) stat->st_size >= BATCH_BYTES) {
    Batch *alone = new_batch (reader);
    pin_directory (reader, alone);
    append_file (alone, dir, path, node, stat);
    return vtree_pool_push (reader->pool, alone);
  }
  if (reader->batch == NULL)
    reader->batch = new_batch (reader);
  if (!is_last_directory (reader->batch, dir))
    pin_directory (reader, reader->batch);
  append_file (reader->batch, dir, path, node, stat);
  if (reader->batch->files->len < BATCH_FILES && reader->batch->bytes < BATCH_BYTES)
    return true;
  return push_batch (reader);
}

bool
vtree_capture_reader_finish (VtreeCaptureReader **reader_pointer, GError **error)
{
  VtreeCaptureReader *reader = g_steal_pointer (reader_pointer);
  bool pushed = push_batch (reader);
  bool ok = vtree_pool_finish (&reader->pool, error) && pushed;
  g_mutex_clear (&reader->lock);
  g_cond_clear (&reader->unpinned);
  g_free (reader);
  return ok;
}
