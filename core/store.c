/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns finding an object's bytes by its digest, listing and removing objects. Makes
 * none: see ingest.c. Paths come from digests alone.
 *
 * An object is a file of its own, which vtree_store_locate() finds and object.c
 * verifies, or a slice of a pack, which is verified before it becomes an object. A
 * repack may move it from the one to the other between two looks.
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

/* No size of an object. */
#define NOWHERE UINT64_MAX

struct VtreeStore {
  char *path; /* for messages */
  VtreeDigestAlg alg;
  VtreeFd objects_fd;
  VtreeFd merkle_fd; /* -1: none */
  VtreePacks *packs;
};

/* --- opening ---------------------------------------------------------------------- */

static VtreeStore *
store_new_take (const char *path, VtreeDigestAlg alg, VtreeFd *objects_fd,
                VtreeFd *merkle_fd, VtreeFd *packs_fd)
{
  VtreeStore *store = g_new0 (VtreeStore, 1);
  store->path = vtree_error_escape (path, -1);
  store->alg = alg;
  store->objects_fd = vtree_fd_steal (objects_fd);
  store->merkle_fd = vtree_fd_steal (merkle_fd);
  store->packs = vtree_packs_new_take (vtree_fd_steal (packs_fd), alg);
  return store;
}

/* *STORE stays NULL where TOP has no objects/. */
static bool
open_repository (int top, const char *path, VtreeDigestAlg alg, VtreeStore **store,
                 GError **error)
{
  g_auto (VtreeFd) objects_fd = -1;
  g_auto (VtreeFd) merkle_fd = -1;
  g_auto (VtreeFd) packs_fd = -1;
  if (!vtree_beneath_open_directory (top, "objects", &objects_fd, error))
    return false;
  if (objects_fd < 0)
    return true;
  if (!vtree_beneath_open_directory (top, "merkle", &merkle_fd, error)
      || !vtree_beneath_open_directory (top, "packs", &packs_fd, error))
    return false;
  *store = store_new_take (path, alg, &objects_fd, &merkle_fd, &packs_fd);
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
  return store != NULL ? store : store_new_take (path, alg, &top, &none, &none);
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

/* FD or -1; *COPY likewise. */
static bool
duplicate (int fd, VtreeFd *copy, GError **error)
{
  *copy = fd < 0 ? -1 : fcntl (fd, F_DUPFD_CLOEXEC, 3);
  return fd < 0 || *copy >= 0 || vtree_error_set_errno (error, errno, "open it again");
}

VtreeStore *
vtree_store_dup (const VtreeStore *store, GError **error)
{
  g_auto (VtreeFd) objects_fd = -1;
  g_auto (VtreeFd) merkle_fd = -1;
  g_auto (VtreeFd) packs_fd = -1;
  if (duplicate (store->objects_fd, &objects_fd, error)
      && duplicate (store->merkle_fd, &merkle_fd, error)
      && duplicate (vtree_packs_peek_fd (store->packs), &packs_fd, error))
    return store_new_take (store->path, store->alg, &objects_fd, &merkle_fd, &packs_fd);
  g_prefix_error (error, "store %s: ", store->path);
  return NULL;
}

void
vtree_store_peek_fds (const VtreeStore *store, int fds[VTREE_STORE_DESCRIPTORS])
{
  fds[0] = store->objects_fd;
  fds[1] = store->merkle_fd;
  fds[2] = vtree_packs_peek_fd (store->packs);
}

void
vtree_store_free (VtreeStore *store)
{
  if (store == NULL)
    return;
  vtree_fd_close (store->objects_fd);
  vtree_fd_close (store->merkle_fd);
  vtree_packs_free (store->packs);
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

/* --- slices ----------------------------------------------------------------------- */

typedef struct {
  const VtreeObjectSpec *spec;
  VtreeObject *object; /* the answer */
  GError *failed;      /* what is wrong with the first copy that is damaged */
} Slice;

/* Who has checked what came out of PACK. */
static VtreeEnforcer
enforcer_of (const VtreePack *pack, VtreeVerityPolicy policy)
{
  if (policy == VTREE_VERITY_OFF)
    return VTREE_ENFORCER_NONE;
  return vtree_pack_is_enforced (pack) ? VTREE_ENFORCER_KERNEL : VTREE_ENFORCER_DAEMON;
}

/* VtreePacksEach: takes the first good copy. */
static bool
take_slice (void *context, VtreePack *pack, uint64_t index, const VtreePackEntry *entry)
{
  Slice *slice = context;
  const VtreeObjectSpec *spec = slice->spec;
  g_autofree uint8_t *data = g_malloc (entry->size);
  g_autoptr (GError) failed = NULL;
  if (vtree_pack_read (pack, index, entry, spec->policy, data, &failed)) {
    slice->object = vtree_object_new_from_data_take (g_steal_pointer (&data), spec,
                                                     enforcer_of (pack, spec->policy));
    return false;
  }
  if (slice->failed == NULL)
    slice->failed = g_steal_pointer (&failed);
  return true;
}

/* *OBJECT is NULL, and the result true, where no pack has it; false where only damaged
 * ones have. */
static bool
open_slice (const VtreeStore *store, const VtreeObjectSpec *spec, VtreeObject **object,
            GError **error)
{
  Slice slice = { .spec = spec };
  *object = NULL;
  if (spec->own_file || spec->size == 0 || spec->size > VTREE_PACK_OBJECT_MAX)
    return true;
  bool ok = vtree_packs_find (store->packs, &spec->digest, spec->size, take_slice,
                              &slice, error);
  *object = slice.object;
  if (ok && slice.object == NULL && slice.failed != NULL) {
    g_propagate_error (error, g_steal_pointer (&slice.failed));
    ok = false;
  }
  g_clear_error (&slice.failed);
  return ok;
}

/* --- opening an object ------------------------------------------------------------ */

/* *OBJECT is NULL, and the result true, where there is no file of its own. */
static bool
open_loose (const VtreeStore *store, const VtreeObjectSpec *spec, VtreeObject **object,
            GError **error)
{
  g_auto (VtreeLocated) located = VTREE_LOCATED_INIT;
  /* Only the daemon's own verification needs a Merkle file. */
  bool with_merkle = spec->policy == VTREE_VERITY_AUTO;
  char text[VTREE_DIGEST_TEXT_MAX];
  *object = NULL;
  if (!vtree_store_locate (store, &spec->digest, with_merkle, &located, error)) {
    g_prefix_error (error, "object %s: ", vtree_digest_format (&spec->digest, text));
    return false;
  }
  if (located.fd < 0)
    return true;
  *object = vtree_object_new_take (vtree_fd_steal (&located.fd),
                                   vtree_fd_steal (&located.merkle_fd), spec, error);
  return *object != NULL;
}

/* Packs first, which have most of what is small enough; what is damaged there may be
 * good as a file. */
static bool
open_anywhere (const VtreeStore *store, const VtreeObjectSpec *spec,
               VtreeObject **object, GError **error)
{
  g_autoptr (GError) damaged = NULL;
  if (!open_slice (store, spec, object, &damaged) && damaged->domain != VTREE_ERROR
      && !vtree_object_fault (damaged)) {
    g_propagate_error (error, g_steal_pointer (&damaged));
    return false;
  }
  if (*object != NULL)
    return true;
  if (!open_loose (store, spec, object, error))
    return false;
  if (*object != NULL || damaged == NULL)
    return true;
  g_propagate_error (error, g_steal_pointer (&damaged));
  return false;
}

bool
vtree_store_has_changed (const VtreeStore *store, guint generation, bool *changed,
                         GError **error)
{
  if (!vtree_packs_refresh (store->packs, error))
    return false;
  *changed = vtree_packs_generation (store->packs) != generation;
  return true;
}

/* False for what another look can't change; an error or a missing object can be that of
 * a pack which has come, or of one which is gone, since the packs were listed. */
static bool
may_have_moved (const VtreeStore *store, const VtreeObjectSpec *spec,
                const GError *failed, guint generation, GError **error)
{
  bool changed;
  if (spec->own_file || (failed != NULL && !vtree_object_fault (failed)))
    return false;
  return vtree_store_has_changed (store, generation, &changed, error) && changed;
}

VtreeObject *
vtree_store_open_object (const VtreeStore *store, const VtreeObjectSpec *spec,
                         GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (GError) refresh_failed = NULL;
  bool again = true;
  for (unsigned attempt = 0; again && attempt < VTREE_STORE_ATTEMPTS; attempt++) {
    VtreeObject *object;
    guint generation = vtree_packs_generation (store->packs);
    g_clear_error (&failed);
    if (open_anywhere (store, spec, &object, &failed) && object != NULL)
      return object;
    again = may_have_moved (store, spec, failed, generation, &refresh_failed);
  }
  char text[VTREE_DIGEST_TEXT_MAX];
  if (failed != NULL)
    g_propagate_error (error, g_steal_pointer (&failed));
  else if (refresh_failed != NULL)
    g_propagate_error (error, g_steal_pointer (&refresh_failed));
  else
    vtree_error_set (error, VTREE_ERROR_MISSING, "object %s: not in the store %s",
                     vtree_digest_format (&spec->digest, text), store->path);
  return NULL;
}

/* VtreePacksEach */
static bool
note_size (void *context, VtreePack *pack, uint64_t index, const VtreePackEntry *entry)
{
  uint64_t *size = context;
  (void) pack;
  (void) index;
  *size = entry->size;
  return false;
}

static bool
find_once (const VtreeStore *store, const VtreeDigest *digest, uint64_t *size,
           GError **error)
{
  g_auto (VtreeLocated) located = VTREE_LOCATED_INIT;
  if (!vtree_store_locate (store, digest, false, &located, error))
    return false;
  if (located.fd >= 0)
    *size = located.size;
  return located.fd >= 0
         || vtree_packs_find (store->packs, digest, VTREE_PACKS_ANY_SIZE, note_size,
                              size, error);
}

/* *SIZE is NOWHERE, and stays so for what is not there. */
static bool
find (const VtreeStore *store, const VtreeDigest *digest, uint64_t *size,
      GError **error)
{
  bool again = true;
  for (unsigned attempt = 0; again && attempt < VTREE_STORE_ATTEMPTS; attempt++) {
    guint generation = vtree_packs_generation (store->packs);
    if (!find_once (store, digest, size, error))
      return false;
    if (*size != NOWHERE)
      return true;
    if (!vtree_store_has_changed (store, generation, &again, error))
      return false;
  }
  return true;
}

bool
vtree_store_find (const VtreeStore *store, const VtreeDigest *digest, bool *found,
                  uint64_t *size, GError **error)
{
  uint64_t there = NOWHERE;
  if (!find (store, digest, &there, error)) {
    char text[VTREE_DIGEST_TEXT_MAX];
    g_prefix_error (error, "find object %s: ", vtree_digest_format (digest, text));
    return false;
  }
  *found = there != NOWHERE;
  if (*found)
    *size = there;
  return true;
}

VtreePacks *
vtree_store_packs (const VtreeStore *store)
{
  return store->packs;
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
