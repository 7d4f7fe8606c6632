/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns finding an object's bytes by its digest, listing and removing objects. Makes
 * none: see ingest.c. Paths come from digests alone.
 *
 * vtree_store_locate() is the seam: an object is loose today; in a pack, or with a
 * source elsewhere, later. Whatever it finds is only a claim, which object.c verifies.
 */
#include "core/store.h"

#include "core/beneath.h"
#include "core/object-fault.h"
#include "core/staging.h"
#include "core/store-locate.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct VtreeStore {
  char *path; /* for messages */
  VtreeDigestAlg alg;
  VtreeFd objects_fd;
  VtreeFd merkle_fd; /* -1: none */
};

/* --- opening ---------------------------------------------------------------------- */

static VtreeStore *
store_new_take (const char *path, VtreeDigestAlg alg, VtreeFd *objects_fd,
                VtreeFd *merkle_fd)
{
  VtreeStore *store = g_new0 (VtreeStore, 1);
  store->path = vtree_error_escape (path, -1);
  store->alg = alg;
  store->objects_fd = vtree_fd_steal (objects_fd);
  store->merkle_fd = vtree_fd_steal (merkle_fd);
  return store;
}

/* *STORE stays NULL where TOP has no objects/. */
static bool
open_repository (int top, const char *path, VtreeDigestAlg alg, VtreeStore **store,
                 GError **error)
{
  g_auto (VtreeFd) objects_fd = -1;
  g_auto (VtreeFd) merkle_fd = -1;
  if (!vtree_beneath_open_directory (top, "objects", &objects_fd, error))
    return false;
  if (objects_fd < 0)
    return true;
  if (!vtree_beneath_open_directory (top, "merkle", &merkle_fd, error))
    return false;
  *store = store_new_take (path, alg, &objects_fd, &merkle_fd);
  return true;
}

VtreeStore *
vtree_store_new (const VtreeRepo *repo, GError **error)
{
  VtreeStore *store = NULL;
  const char *path = vtree_repo_path (repo);
  if (!open_repository (vtree_repo_dirfd (repo), path,
                        vtree_repo_options (repo)->digest, &store, error))
    g_prefix_error (error, "open store of %s: ", path);
  else if (store == NULL)
    vtree_error_set (error, VTREE_ERROR_CORRUPT, "open store of %s: it has no objects/",
                     path);
  return store;
}

static VtreeStore *
open_path (const char *path, VtreeDigestAlg alg, GError **error)
{
  VtreeStore *store = NULL;
  g_auto (VtreeFd) none = -1;
  g_auto (VtreeFd) top = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (top < 0 && errno == ENOENT) {
    vtree_error_set (error, VTREE_ERROR_MISSING, "no such directory");
    return NULL;
  }
  if (top < 0) {
    vtree_error_set_errno (error, errno, "open the directory");
    return NULL;
  }
  if (!open_repository (top, path, alg, &store, error))
    return NULL;
  return store != NULL ? store : store_new_take (path, alg, &top, &none);
}

VtreeStore *
vtree_store_open (const char *path, VtreeDigestAlg alg, GError **error)
{
  VtreeStore *store = open_path (path, alg, error);
  if (store == NULL) {
    g_autofree char *escaped = vtree_error_escape (path, -1);
    g_prefix_error (error, "open store %s: ", escaped);
  }
  return store;
}

void
vtree_store_free (VtreeStore *store)
{
  if (store == NULL)
    return;
  vtree_fd_close (store->objects_fd);
  vtree_fd_close (store->merkle_fd);
  g_free (store->path);
  g_free (store);
}

/* --- finding ---------------------------------------------------------------------- */

void
vtree_located_clear (VtreeLocated *located)
{
  vtree_fd_close (located->fd);
  vtree_fd_close (located->merkle_fd);
  located->fd = located->merkle_fd = -1;
}

/* A Merkle file that can't be opened for what it is counts as a missing one. */
static bool
locate_merkle (const VtreeStore *store, const char *path, VtreeFd *fd, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (store->merkle_fd < 0
      || vtree_beneath_open_file (store->merkle_fd, path, fd, NULL, &local))
    return true;
  if (g_error_matches (local, VTREE_ERROR, VTREE_ERROR_CORRUPT))
    return true;
  g_propagate_error (error, g_steal_pointer (&local));
  return false;
}

bool
vtree_store_locate (const VtreeStore *store, const VtreeDigest *digest,
                    bool with_merkle, VtreeLocated *located, GError **error)
{
  char path[VTREE_DIGEST_PATH_MAX];
  vtree_digest_path (digest, path);
  *located = (VtreeLocated) VTREE_LOCATED_INIT;
  struct stat st = { 0 };
  g_auto (VtreeFd) fd = -1;
  if (!vtree_beneath_open_file (store->objects_fd, path, &fd, &st, error))
    return false;
  if (fd < 0)
    return true;
  located->size = (uint64_t) st.st_size;
  if (with_merkle && st.st_size > (off_t) VTREE_MERKLE_MIN_BLOCKS * VTREE_BLOCK_SIZE
      && !locate_merkle (store, path, &located->merkle_fd, error))
    return false;
  located->fd = vtree_fd_steal (&fd);
  return true;
}

static bool
locate_or_fail (const VtreeStore *store, const VtreeObjectSpec *spec,
                VtreeLocated *located, GError **error)
{
  /* Only the daemon's own verification needs a Merkle file. */
  bool with_merkle = spec->policy == VTREE_VERITY_AUTO;
  char text[VTREE_DIGEST_TEXT_MAX];
  bool ok = vtree_store_locate (store, &spec->digest, with_merkle, located, error);
  if (ok && located->fd < 0)
    ok = vtree_error_set (error, VTREE_ERROR_MISSING, "not in the store %s",
                          store->path);
  if (!ok)
    g_prefix_error (error, "object %s: ", vtree_digest_format (&spec->digest, text));
  return ok;
}

VtreeObject *
vtree_store_open_object (const VtreeStore *store, const VtreeObjectSpec *spec,
                         GError **error)
{
  g_auto (VtreeLocated) located = VTREE_LOCATED_INIT;
  if (!locate_or_fail (store, spec, &located, error))
    return NULL;
  return vtree_object_new_take (vtree_fd_steal (&located.fd),
                                vtree_fd_steal (&located.merkle_fd), spec, error);
}

bool
vtree_store_find (const VtreeStore *store, const VtreeDigest *digest, bool *found,
                  uint64_t *size, GError **error)
{
  g_auto (VtreeLocated) located = VTREE_LOCATED_INIT;
  if (!vtree_store_locate (store, digest, false, &located, error)) {
    char text[VTREE_DIGEST_TEXT_MAX];
    g_prefix_error (error, "find object %s: ", vtree_digest_format (digest, text));
    return false;
  }
  *found = located.fd >= 0;
  if (*found)
    *size = located.size;
  return true;
}

bool
vtree_store_open_raw (const VtreeStore *store, const VtreeDigest *digest, VtreeFd *fd,
                      GError **error)
{
  g_auto (VtreeLocated) located = VTREE_LOCATED_INIT;
  if (!vtree_store_locate (store, digest, false, &located, error))
    return false;
  *fd = vtree_fd_steal (&located.fd);
  return true;
}

/* --- listing ---------------------------------------------------------------------- */

typedef struct {
  const VtreeStore *store;
  VtreeStoreEach each;
  void *context;
} Walk;

/* A file that goes away while we look is passed over; one that the filesystem has lost
 * is still a name. */
static bool
visit (const Walk *walk, int fd, const char *name, const VtreeDigest *digest,
       GError **error)
{
  struct stat st = { 0 };
  g_autoptr (GError) failed = NULL;
  if (fstatat (fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno == ENOENT)
      return true;
    vtree_error_set_errno (&failed, errno, "stat %s", name);
    if (!vtree_object_fault (failed)) {
      g_propagate_error (error, g_steal_pointer (&failed));
      return false;
    }
  }
  return walk->each (walk->context, digest, (uint64_t) st.st_size, error);
}

/* Takes FD. */
static bool
walk_fanout (const Walk *walk, int fd, const char *fanout, GError **error)
{
  DIR *dir = fdopendir (fd);
  if (dir == NULL) {
    vtree_fd_close (fd);
    return vtree_error_set_errno (error, errno, "read directory %s", fanout);
  }
  bool ok = true;
  VtreeDigest digest;
  errno = 0;
  for (struct dirent *entry; ok && (entry = readdir (dir)) != NULL; errno = 0)
    if (vtree_digest_from_path (walk->store->alg, fanout, entry->d_name, &digest))
      ok = visit (walk, fd, entry->d_name, &digest, error);
  if (ok && errno != 0)
    ok = vtree_error_set_errno (error, errno, "read directory %s", fanout);
  closedir (dir);
  return ok;
}

/* The 256 names are known: no other directory is an object's. */
static bool
walk_all (const Walk *walk, int top, GError **error)
{
  for (unsigned i = 0; i < 256; i++) {
    char fanout[3];
    VtreeFd fd = -1;
    g_snprintf (fanout, sizeof fanout, "%02x", i);
    g_autoptr (GError) local = NULL;
    if (!vtree_beneath_open_directory (top, fanout, &fd, &local)) {
      if (g_error_matches (local, VTREE_ERROR, VTREE_ERROR_CORRUPT))
        continue; /* holds no object, whatever it is */
      g_propagate_error (error, g_steal_pointer (&local));
      return false;
    }
    if (fd >= 0 && !walk_fanout (walk, fd, fanout, error))
      return false;
  }
  return true;
}

bool
vtree_store_foreach (const VtreeStore *store, VtreeStoreEach each, void *context,
                     GError **error)
{
  Walk walk = { store, each, context };
  return walk_all (&walk, store->objects_fd, error);
}

bool
vtree_store_foreach_merkle (const VtreeStore *store, VtreeStoreEach each, void *context,
                            GError **error)
{
  Walk walk = { store, each, context };
  return store->merkle_fd < 0 || walk_all (&walk, store->merkle_fd, error);
}

/* --- removing --------------------------------------------------------------------- */

static bool
remove_from (int top, const char *path, GError **error)
{
  g_auto (VtreeFd) fanout = -1;
  char name[3] = { path[0], path[1], '\0' };
  if (!vtree_beneath_open_directory (top, name, &fanout, error))
    return false;
  return fanout < 0 || vtree_staging_remove_tree (fanout, path + 3, error);
}

bool
vtree_store_remove_merkle (const VtreeStore *store, const VtreeDigest *digest,
                           bool *removed, GError **error)
{
  char path[VTREE_DIGEST_PATH_MAX];
  vtree_digest_path (digest, path);
  *removed = store->merkle_fd >= 0
             && faccessat (store->merkle_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  if (!*removed || remove_from (store->merkle_fd, path, error))
    return true;
  g_prefix_error (error, "remove Merkle file %s from %s: ", path, store->path);
  return false;
}

bool
vtree_store_remove (const VtreeStore *store, const VtreeDigest *digest, GError **error)
{
  char path[VTREE_DIGEST_PATH_MAX];
  vtree_digest_path (digest, path);
  if (remove_from (store->objects_fd, path, error)
      && (store->merkle_fd < 0 || remove_from (store->merkle_fd, path, error)))
    return true;
  g_prefix_error (error, "remove object %s from %s: ", path, store->path);
  return false;
}
