/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the way from a staged, synced file to its name in the store: verity enabled and
 * measured, then renamed. Whatever stands in the way is moved into the staging
 * directory, which goes at the end, or stays as long as a mount holds it (held.h).
 * Names come from digests alone.
 */
#include "core/beneath.h"
#include "core/held.h"
#include "core/ingest-private.h"
#include "core/lock.h"
#include "core/pool.h"
#include "core/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Others hold a directory's lock for one rename. */
#define LOCK_WAIT 30

static bool
prefix_object (GError **error, const VtreeIngest *ingest, const VtreeDigest *digest)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  g_prefix_error (error, "put object %s into %s: ", vtree_digest_format (digest, text),
                  ingest->path);
  return false;
}

/* --- sealing by the kernel -------------------------------------------------------- */

/* VtreePoolWork */
static bool
enable_one (void *context, void *item, GError **error)
{
  const VtreeIngest *ingest = context;
  const VtreeTaken *taken = item;
  char name[VTREE_STAGED_NAME_MAX];
  g_auto (VtreeFd) fd
    = openat (ingest->staging.fd, vtree_staged_name (taken->number, name),
              O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    vtree_error_set_errno (error, errno, "open a file in tmp");
  else if (vtree_seal_file (fd, &taken->digest, ingest->signer, error)) {
    if (fchmod (fd, 0444) == 0)
      return true;
    vtree_error_set_errno (error, errno, "set the mode of a file in tmp");
  }
  return prefix_object (error, ingest, &taken->digest);
}

static bool
enable_all (VtreeIngest *ingest, GPtrArray *taken, GError **error)
{
  VtreePool *pool = vtree_pool_new (0, enable_one, NULL, ingest);
  for (guint i = 0; i < taken->len; i++) {
    VtreeTaken *one = taken->pdata[i];
    if (one->object && !vtree_pool_push (pool, one))
      break;
  }
  return vtree_pool_finish (&pool, error);
}

/* --- renaming --------------------------------------------------------------------- */

/* The directory "ab" that was used last: what comes is sorted, each is opened once. */
typedef struct {
  VtreeIngest *ingest;
  int top; /* objects/ or merkle/ */
  char name[3];
  VtreeFd fd;
} Fanout;

static void
fanout_clear (Fanout *fanout)
{
  vtree_fd_close (fanout->fd);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fanout, fanout_clear)

/* Moves NAME of DIRFD into the staging directory. */
static bool
set_aside (VtreeIngest *ingest, int dirfd, const char *name, GError **error)
{
  char aside[VTREE_STAGED_NAME_MAX];
  unsigned number = atomic_fetch_add (&ingest->next_number, 1);
  if (renameat (dirfd, name, ingest->staging.fd, vtree_staged_name (number, aside)) == 0
      || errno == ENOENT)
    return true;
  return vtree_error_set_errno (error, errno, "move aside what is in its place");
}

static bool
make_fanout (int top, const char *name, VtreeFd *fd, GError **error)
{
  if (mkdirat (top, name, 0755) < 0 && errno != EEXIST)
    return vtree_error_set_errno (error, errno, "make directory %s", name);
  g_auto (VtreeFd) made
    = vtree_beneath_open (top, name, O_RDONLY | O_DIRECTORY, 0, error);
  if (made < 0)
    return false;
  if (fchmod (made, 0755) < 0) /* whatever the umask is */
    return vtree_error_set_errno (error, errno, "set the mode of directory %s", name);
  *fd = vtree_fd_steal (&made);
  return true;
}

/* Opens the directory of PATH; a symlink or a file in its place makes way. */
static bool
open_fanout (Fanout *fanout, const char *path, GError **error)
{
  if (fanout->fd >= 0 && strncmp (fanout->name, path, 2) == 0)
    return true;
  g_autoptr (GError) failed = NULL;
  memcpy (fanout->name, path, 2);
  vtree_fd_replace_take (&fanout->fd, -1);
  if (vtree_beneath_open_directory (fanout->top, fanout->name, &fanout->fd, &failed)) {
    if (fanout->fd >= 0)
      return true;
  } else if (!g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_CORRUPT)) {
    g_propagate_error (error, g_steal_pointer (&failed));
    return false;
  } else if (!set_aside (fanout->ingest, fanout->top, fanout->name, error))
    return false;
  return make_fanout (fanout->top, fanout->name, &fanout->fd, error);
}

/* Renames over what may be there; a directory makes way. */
static bool
rename_over (Fanout *fanout, const char *staged, const char *name, GError **error)
{
  int from = fanout->ingest->staging.fd;
  if (renameat (from, staged, fanout->fd, name) == 0)
    return true;
  if (errno != EISDIR && errno != ENOTEMPTY && errno != EEXIST)
    return vtree_error_set_errno (error, errno, "rename");
  if (!set_aside (fanout->ingest, fanout->fd, name, error))
    return false;
  return renameat (from, staged, fanout->fd, name) == 0
         || vtree_error_set_errno (error, errno, "rename");
}

static bool
keep_and_rename (Fanout *fanout, const VtreeTaken *taken, const char *staged,
                 const char *name, GError **error)
{
  g_auto (VtreeFd) lock = -1;
  return vtree_held_keep (fanout->fd, name, &taken->digest,
                          fanout->ingest->staging.tmp_fd, &lock, error)
         && rename_over (fanout, staged, name, error);
}

/* Puts an object in the place of another. The directory's lock makes us the only one
 * who does so in it: what a mount may hold is what stands there until the rename. */
static bool
replace_object (Fanout *fanout, const VtreeTaken *taken, const char *staged,
                const char *name, GError **error)
{
  if (!vtree_lock_take (fanout->fd, VTREE_LOCK_EXCLUSIVE, LOCK_WAIT, error))
    return false;
  bool ok = keep_and_rename (fanout, taken, staged, name, error);
  flock (fanout->fd, LOCK_UN);
  return ok;
}

/* Another commit has put the same object there meanwhile. If it is good it stays (a
 * mount may already hold a lock on that very inode). */
static bool
settle_race (Fanout *fanout, const VtreeTaken *taken, const char *staged,
             const char *name, GError **error)
{
  VtreeIngest *ingest = fanout->ingest;
  g_auto (VtreeStaged) ours = VTREE_STAGED_INIT;
  VtreeReuse reuse;
  ours.digest = taken->digest;
  ours.size = taken->size;
  ours.number = taken->number;
  ours.fd = openat (ingest->staging.fd, staged, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (ours.fd < 0)
    return vtree_error_set_errno (error, errno, "open a file in tmp");
  if (!vtree_reuse_object (ingest, &ours, &reuse, error))
    return false;
  if (reuse == VTREE_REUSE_BAD || reuse == VTREE_REUSE_WEAK)
    return replace_object (fanout, taken, staged, name, error);
  vtree_staged_drop (ingest, &ours);
  return true;
}

static bool
rename_object (Fanout *fanout, const VtreeTaken *taken, const char *staged,
               const char *name, GError **error)
{
  if (taken->over)
    return replace_object (fanout, taken, staged, name, error);
  if (renameat2 (fanout->ingest->staging.fd, staged, fanout->fd, name, RENAME_NOREPLACE)
      == 0)
    return true;
  if (errno == EEXIST)
    return settle_race (fanout, taken, staged, name, error);
  if (errno == EINVAL) /* a filesystem that does not know the flag */
    return replace_object (fanout, taken, staged, name, error);
  return vtree_error_set_errno (error, errno, "rename");
}

static bool
place_objects (VtreeIngest *ingest, GPtrArray *sorted, GError **error)
{
  g_auto (Fanout) fanout = { ingest, ingest->objects_fd, "", -1 };
  for (guint i = 0; i < sorted->len; i++) {
    VtreeTaken *taken = sorted->pdata[i];
    char path[VTREE_DIGEST_PATH_MAX], staged[VTREE_STAGED_NAME_MAX];
    if (!taken->object || taken->pack)
      continue;
    vtree_digest_path (&taken->digest, path);
    vtree_staged_name (taken->number, staged);
    if (!open_fanout (&fanout, path, error)
        || !rename_object (&fanout, taken, staged, path + 3, error))
      return prefix_object (error, ingest, &taken->digest);
    taken->object = false;
  }
  return true;
}

/* One that is there already has the same name, and so the same bytes, or it is bad:
 * ours takes its place; whoever has it open keeps it. */
static bool
place_pack (VtreeIngest *ingest, VtreeTaken *pack, GError **error)
{
  g_auto (Fanout) fanout = { ingest, ingest->packs_fd, "", -1 };
  char path[VTREE_DIGEST_PATH_MAX], staged[VTREE_STAGED_NAME_MAX];
  vtree_digest_path (&pack->digest, path);
  vtree_staged_name (pack->number, staged);
  if (!open_fanout (&fanout, path, error)
      || !rename_over (&fanout, staged, path + 3, error)) {
    g_prefix_error (error, "pack: ");
    return prefix_object (error, ingest, &pack->digest);
  }
  pack->object = false;
  /* Whoever looks at the directory's time shall see it; see packs.c. */
  return futimens (ingest->packs_fd, NULL) == 0 || errno == EPERM
         || vtree_error_set_errno (error, errno, "set the time of packs/");
}

static bool
place_packs (VtreeIngest *ingest, GPtrArray *sorted, GError **error)
{
  for (guint i = 0; i < sorted->len; i++) {
    VtreeTaken *taken = sorted->pdata[i];
    if (taken->pack && taken->object && !place_pack (ingest, taken, error))
      return false;
  }
  return true;
}

static bool
place_merkle_files (VtreeIngest *ingest, GPtrArray *sorted, GError **error)
{
  g_auto (Fanout) fanout = { ingest, ingest->merkle_fd, "", -1 };
  for (guint i = 0; i < sorted->len; i++) {
    VtreeTaken *taken = sorted->pdata[i];
    char path[VTREE_DIGEST_PATH_MAX], staged[VTREE_STAGED_NAME_MAX];
    if (!taken->merkle)
      continue;
    vtree_digest_path (&taken->digest, path);
    vtree_staged_merkle_name (taken->number, staged);
    if (!open_fanout (&fanout, path, error)
        || !rename_over (&fanout, staged, path + 3, error)) {
      g_prefix_error (error, "Merkle file: ");
      return prefix_object (error, ingest, &taken->digest);
    }
    taken->merkle = false;
  }
  return true;
}

/* An object that the kernel enforces now has no use for the Merkle file that it had. */
static bool
drop_merkle_files (VtreeIngest *ingest, GPtrArray *sorted, GError **error)
{
  for (guint i = 0; i < sorted->len; i++) {
    const VtreeTaken *taken = sorted->pdata[i];
    char path[VTREE_DIGEST_PATH_MAX], name[3] = { 0 };
    g_auto (VtreeFd) fd = -1;
    if ((!taken->over && !taken->sealed) || taken->size <= VTREE_INGEST_SMALL)
      continue;
    memcpy (name, vtree_digest_path (&taken->digest, path), 2);
    /* Where there is no good directory there is no Merkle file either. */
    if (!vtree_beneath_open_directory (ingest->merkle_fd, name, &fd, NULL) || fd < 0)
      continue;
    if (!vtree_staging_remove_tree (fd, path + 3, error))
      return prefix_object (error, ingest, &taken->digest);
  }
  return true;
}

static gint
compare_taken (gconstpointer a, gconstpointer b)
{
  const VtreeTaken *const *x = a;
  const VtreeTaken *const *y = b;
  return vtree_digest_compare (&(*x)->digest, &(*y)->digest);
}

bool
vtree_place (VtreeIngest *ingest, GPtrArray *taken, GError **error)
{
  g_ptr_array_sort (taken, compare_taken);
  if (ingest->kernel && !enable_all (ingest, taken, error))
    return false;
  return place_merkle_files (ingest, taken, error)
         && place_objects (ingest, taken, error) && place_packs (ingest, taken, error)
         && (!ingest->kernel || drop_merkle_files (ingest, taken, error));
}
