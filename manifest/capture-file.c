/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the reading of regular files during a capture: opening, xattrs, contents, and
 * noticing that one changed meanwhile. Walks no directory and changes no file.
 */
#include "manifest/capture-file.h"

#include "manifest/jobs.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CHANGED "it changed while it was read"

typedef struct {
  VtreeNode *node;
  struct stat before;
  uint64_t filesystem;
  bool known; /* see VtreeCaptureFile */
  VtreeStatKnown what;
} File;

struct VtreeCaptureReader {
  VtreeCaptureState *state;
  VtreeJobs *jobs;
  uid_t euid;
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

/* A descriptor or a negative errno. */
static int
open_file (const VtreeCaptureReader *reader, const VtreeJob *job)
{
  const File *file = job->data;
  int dirfd = vtree_handle_fd (job->dir);
  int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  int fd = -1;
  errno = EPERM;
  if (reader->euid == 0 || reader->euid == file->before.st_uid)
    fd = openat (dirfd, job->name, flags | O_NOATIME);
  if (fd < 0 && errno == EPERM)
    fd = openat (dirfd, job->name, flags);
  return fd >= 0 ? fd : -errno;
}

/* Reads FD's xattrs into the file's node; a failure is the file's problem. */
static void
read_xattrs (VtreeCaptureState *state, const VtreeJob *job, int fd)
{
  File *file = job->data;
  g_autoptr (GError) failure = NULL;
  g_autoptr (GPtrArray) xattrs = NULL;
  VtreeNodeAttributes attributes = { 0 };
  bool ok
    = vtree_attributes_from_stat (state->options, &file->before, &attributes, &failure);
  file->what.plain = false;
  uint32_t mode = attributes.mode;
  ok = ok
       && vtree_attributes_read_xattrs (state->options, state->filter, fd, &attributes,
                                        &xattrs, &failure);
  if (ok && attributes.mode != mode) {
    g_mutex_lock (&state->lock);
    ok = vtree_node_set_attributes (file->node, &attributes, &failure);
    g_mutex_unlock (&state->lock);
  }
  file->what.plain = ok && xattrs == NULL;
  if (ok && xattrs != NULL)
    ok = vtree_capture_add_xattrs (state, file->node, xattrs, &failure);
  if (!ok)
    vtree_capture_note (state, job->path, failure);
}

static bool
digest_contents (VtreeCaptureState *state, int fd, uint64_t size, VtreeDigest *digest,
                 GError **error)
{
  if (state->ingest != NULL)
    return vtree_ingest_fd (state->ingest, fd, size, digest, error);
  VtreeVerityParams params = { .alg = state->options->alg,
                               .size = size,
                               .merkle_fd = -1,
                               .helpers = &state->helpers };
  return vtree_verity_compute_fd (&params, fd, digest, error);
}

/* Whether FAILURE comes of FD's not being what the walk has seen by that name. */
static bool
comes_of_change (int fd, const GError *failure)
{
  struct stat st;
  return g_error_matches (failure, VTREE_ERROR, VTREE_ERROR_CORRUPT)
         || (fstat (fd, &st) == 0 && !S_ISREG (st.st_mode));
}

/* Contents of a file whose capture is still worth something. */
static bool
read_contents (VtreeCaptureState *state, const VtreeJob *job, int fd, GError **error)
{
  File *file = job->data;
  uint64_t size = (uint64_t) file->before.st_size;
  VtreeDigest digest = { .alg = state->options->alg };
  g_autoptr (GError) failure = NULL;
  if (size == 0 || digest_contents (state, fd, size, &digest, &failure)) {
    vtree_node_set_content (file->node, &digest, size);
    file->what.digest = digest;
    file->known = true;
    return true;
  }
  if (comes_of_change (fd, failure)) {
    vtree_problems_add (state->problems, job->path, CHANGED);
    return true;
  }
  g_autofree char *shown = vtree_error_escape (job->path, -1);
  g_propagate_prefixed_error (error, g_steal_pointer (&failure), "%s: ", shown);
  return false;
}

static bool
read_file (void *context, const VtreeJob *job, GError **error)
{
  VtreeCaptureReader *reader = context;
  VtreeCaptureState *state = reader->state;
  const File *file = job->data;
  int got = open_file (reader, job);
  if (got < 0)
    return vtree_capture_note_errno (state, job->path, -got, error);
  g_auto (VtreeFd) fd = got;
  read_xattrs (state, job, fd);
  /* Once there is a problem nothing will come of the capture but the list of them. */
  if (!file->known && !vtree_problems_any (state->problems)
      && !read_contents (state, job, fd, error))
    return false;
  struct stat after;
  if (fstat (fd, &after) != 0)
    return vtree_capture_note_errno (state, job->path, errno, error);
  if (!vtree_capture_same_state (&file->before, &after))
    vtree_problems_add (state->problems, job->path, CHANGED);
  else if (state->options->cache != NULL && file->known)
    vtree_stat_cache_note (state->options->cache, &after, file->filesystem,
                           &file->what);
  atomic_fetch_add (&state->files, 1);
  atomic_fetch_add (&state->bytes, (uint64_t) file->before.st_size);
  return true;
}

VtreeCaptureReader *
vtree_capture_reader_new (VtreeCaptureState *state)
{
  VtreeCaptureReader *reader = g_new0 (VtreeCaptureReader, 1);
  reader->state = state;
  reader->euid = geteuid ();
  reader->jobs = vtree_jobs_new (state->options->threads, read_file, g_free, reader);
  return reader;
}

bool
vtree_capture_reader_add (VtreeCaptureReader *reader, const VtreeCaptureFile *given)
{
  File *file = g_new0 (File, 1);
  file->node = given->node;
  file->before = *given->stat;
  file->filesystem = given->filesystem;
  file->known = given->known;
  if (given->known)
    file->what.digest = given->digest;
  return vtree_jobs_add (reader->jobs, given->dir, given->path, file,
                         given->known ? 0 : (uint64_t) given->stat->st_size);
}

bool
vtree_capture_reader_finish (VtreeCaptureReader **reader_pointer, GError **error)
{
  g_autofree VtreeCaptureReader *reader = g_steal_pointer (reader_pointer);
  return vtree_jobs_finish (&reader->jobs, error);
}
