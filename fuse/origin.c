/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening what is to be mounted. Owns the order of things: repository, its lock, trust,
 * manifest. Decides nothing about trust itself: that is resolve's.
 */
#include "fuse/origin.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Seconds that a gc may keep us waiting. */
#define LOCK_WAIT 30
#define STATEMENT_SUFFIX ".root"
#define SIGNATURE_SUFFIX ".sig"

static VtreeResolveOptions
resolve_options (const VtreeMountOptions *options, const VtreePaths *paths, bool fake)
{
  return (VtreeResolveOptions){
    .paths = paths,
    .key_file = options->key,
    .digest = options->has_digest ? &options->digest : NULL,
    .min_version = options->min_version,
    .force = options->force,
    .raise_mark = !fake,
  };
}

static bool
open_view (VtreeOrigin *origin, const VtreeMountOptions *options, GError **error)
{
  origin->manifest = origin->resolved->manifest;
  origin->view
    = vtree_resolved_open (origin->resolved, origin->store, options->verity, error);
  return origin->view != NULL;
}

static bool
open_ref (VtreeOrigin *origin, const VtreeSource *source,
          const VtreeMountOptions *options, const VtreeResolveOptions *resolve,
          GError **error)
{
  g_auto (VtreeFd) lock = -1;
  origin->repo = vtree_repo_open (source->path, error);
  if (origin->repo == NULL
      || !vtree_repo_lock (origin->repo, VTREE_REPO_LOCK_SHARED, LOCK_WAIT, &lock,
                           error))
    return false;
  origin->store = vtree_store_new (origin->repo, error);
  if (origin->store == NULL)
    return false;
  origin->resolved = vtree_resolve (origin->repo, &source->spec, resolve, error);
  return origin->resolved != NULL && open_view (origin, options, error);
}

/* Opens a regular file that the user named; *FD is -1 and the result true where there
 * is none. */
static bool
open_named (const char *path, VtreeFd *fd, struct stat *st, GError **error)
{
  g_auto (VtreeFd) opened = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (opened < 0 && errno == ENOENT)
    return true;
  if (opened < 0 || fstat (opened, st) != 0)
    return vtree_error_set_errno (error, errno, "open %s", path);
  if (!S_ISREG (st->st_mode))
    return vtree_error_set (error, VTREE_ERROR_INVALID, "open %s: no regular file",
                            path);
  *fd = vtree_fd_steal (&opened);
  return true;
}

/* *BYTES is NULL where there is no such file. */
static bool
load_named (const char *path, size_t limit, GBytes **bytes, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  struct stat st;
  *bytes = NULL;
  if (!open_named (path, &fd, &st, error))
    return false;
  if (fd < 0)
    return true;
  *bytes = vtree_fd_load (fd, limit, error);
  if (*bytes == NULL)
    g_prefix_error (error, "read %s: ", path);
  return *bytes != NULL;
}

static bool
missing (const char *path, GError **error)
{
  return vtree_error_set (error, VTREE_ERROR_MISSING, "open %s: no such file", path);
}

/* The store for a source that names none: objects=, or the user's own repository. */
static bool
open_store (VtreeOrigin *origin, const VtreeMountOptions *options,
            const VtreePaths *paths, VtreeDigestAlg alg, GError **error)
{
  const char *path = options->objects;
  if (path == NULL)
    path = vtree_paths_repo (paths);
  origin->store = vtree_store_open (path, alg, error);
  return origin->store != NULL;
}

static bool
open_statement (VtreeOrigin *origin, const VtreeSource *source,
                const VtreeMountOptions *options, const VtreeResolveOptions *resolve,
                GError **error)
{
  g_autoptr (GBytes) root = NULL;
  g_autoptr (GBytes) sig = NULL;
  size_t stem = strlen (source->path) - strlen (STATEMENT_SUFFIX);
  g_autofree char *sig_path
    = g_strdup_printf ("%.*s" SIGNATURE_SUFFIX, (int) stem, source->path);
  if (!load_named (source->path, VTREE_STATEMENT_MAX, &root, error))
    return false;
  if (root == NULL)
    return missing (source->path, error);
  if (!load_named (sig_path, VTREE_SIGNATURE_FILE_MAX, &sig, error))
    return false;
  if (sig == NULL)
    return missing (sig_path, error);
  origin->resolved = vtree_resolve_statement (options->ref, root, sig, resolve, error);
  return origin->resolved != NULL
         && open_store (origin, options, resolve->paths, origin->resolved->manifest.alg,
                        error)
         && open_view (origin, options, error);
}

static VtreeView *
view_of_object (VtreeObject *object, GError **error)
{
  /* As of any mounted manifest: gc keeps what it can't lock. */
  if (!vtree_object_hold (object, VTREE_OBJECT_HOLD_WAIT, error))
    return NULL;
  g_autoptr (VtreePages) pages = vtree_pages_new (object, error);
  return pages != NULL ? vtree_view_new (pages, error) : NULL;
}

static bool
open_manifest (VtreeOrigin *origin, const VtreeSource *source,
               const VtreeMountOptions *options, const VtreePaths *paths,
               GError **error)
{
  g_auto (VtreeFd) fd = -1;
  struct stat st;
  if (!open_named (source->path, &fd, &st, error))
    return false;
  if (fd < 0)
    return missing (source->path, error);
  origin->manifest = options->digest;
  VtreeObjectSpec spec = { .digest = options->digest,
                           .size = (uint64_t) st.st_size,
                           .policy = options->verity };
  g_autoptr (VtreeObject) object
    = vtree_object_new_take (vtree_fd_steal (&fd), -1, &spec, error);
  if (object != NULL)
    origin->view = view_of_object (object, error);
  if (origin->view == NULL) {
    g_prefix_error (error, "manifest %s: ", source->path);
    return false;
  }
  return open_store (origin, options, paths, vtree_view_totals (origin->view)->alg,
                     error);
}

bool
vtree_origin_open (VtreeOrigin *origin, const VtreeSource *source,
                   const VtreeMountOptions *options, const VtreePaths *paths, bool fake,
                   GError **error)
{
  VtreeResolveOptions resolve = resolve_options (options, paths, fake);
  bool ok = false;
  switch (source->kind) {
  case VTREE_SOURCE_REF:
    ok = open_ref (origin, source, options, &resolve, error);
    break;
  case VTREE_SOURCE_STATEMENT:
    ok = open_statement (origin, source, options, &resolve, error);
    break;
  case VTREE_SOURCE_MANIFEST:
    ok = open_manifest (origin, source, options, paths, error);
    break;
  }
  if (!ok)
    return false;
  const VtreeObject *object
    = vtree_pages_peek_object (vtree_view_peek_pages (origin->view));
  origin->enforcer
    = object != NULL ? vtree_object_enforcer (object) : VTREE_ENFORCER_NONE;
  return true;
}

bool
vtree_origin_needs_privilege (const VtreeOrigin *origin)
{
  struct stat st;
  /* Of a bare directory of objects we don't know whose the files in it are. */
  return origin->repo == NULL || fstat (vtree_repo_dirfd (origin->repo), &st) != 0
         || st.st_uid != 0;
}

void
vtree_origin_clear (VtreeOrigin *origin)
{
  g_clear_pointer (&origin->view, vtree_view_unref);
  g_clear_pointer (&origin->resolved, vtree_resolved_free);
  g_clear_pointer (&origin->store, vtree_store_free);
  g_clear_pointer (&origin->repo, vtree_repo_free);
}
