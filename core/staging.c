/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns tmp/ of a repository: making, locking and removing the directories in it.
 * Touches nothing outside, vtree_staging_remove_tree() aside.
 */
#include "core/staging.h"

#include "core/beneath.h"
#include "core/directory.h"
#include "core/error.h"
#include "core/held.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define ATTEMPTS 100
/* Deeper than anybody makes a tree but to keep us busy. */
#define LEVELS_MAX (1u << 20)

static bool
set_error (GError **error, int errnum, const char *what, const char *name)
{
  g_autofree char *escaped = vtree_error_escape (name, -1);
  return vtree_error_set_errno (error, errnum, "%s %s", what, escaped);
}

static bool
open_tmp (const VtreeRepo *repo, VtreeFd *fd, GError **error)
{
  if (!vtree_beneath_open_directory (vtree_repo_dirfd (repo), "tmp", fd, error))
    return false;
  if (*fd < 0)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "open tmp: the repository has no such directory");
  return true;
}

/* Takes the lock of an open directory, and makes sure that it still has its name (a
 * cleaner may have removed it just before). *TAKEN false: try another. */
static bool
lock_fresh (int fd, const char *name, bool *taken, GError **error)
{
  *taken = false;
  if (flock (fd, LOCK_EX | LOCK_NB) < 0)
    return errno == EWOULDBLOCK || errno == EINTR
             ? true
             : set_error (error, errno, "lock tmp directory", name);
  struct stat st;
  if (fstat (fd, &st) < 0)
    return set_error (error, errno, "stat tmp directory", name);
  *taken = st.st_nlink > 0;
  return true;
}

/* One attempt; *FD stays -1 where somebody was in the way. */
static bool
try_make (int tmp_fd, const char *name, VtreeFd *fd, GError **error)
{
  if (mkdirat (tmp_fd, name, 0700) < 0)
    return errno == EEXIST ? true
                           : set_error (error, errno, "make tmp directory", name);
  g_auto (VtreeFd) opened = -1;
  bool taken;
  if (!vtree_beneath_open_directory (tmp_fd, name, &opened, error))
    return false;
  if (opened < 0)
    return true;
  if (!lock_fresh (opened, name, &taken, error))
    return false;
  if (taken)
    *fd = vtree_fd_steal (&opened);
  return true;
}

bool
vtree_staging_init (VtreeStaging *staging, const VtreeRepo *repo, GError **error)
{
  g_auto (VtreeFd) tmp_fd = -1;
  if (!open_tmp (repo, &tmp_fd, error))
    return false;
  for (int i = 0; i < ATTEMPTS; i++) {
    g_auto (VtreeFd) fd = -1;
    g_autofree char *name
      = g_strdup_printf ("%08x%08x", g_random_int (), g_random_int ());
    if (!try_make (tmp_fd, name, &fd, error))
      return false;
    if (fd < 0)
      continue;
    staging->tmp_fd = vtree_fd_steal (&tmp_fd);
    staging->fd = vtree_fd_steal (&fd);
    staging->name = g_steal_pointer (&name);
    return true;
  }
  return vtree_error_set (error, VTREE_ERROR_FAILED,
                          "make a directory in tmp: no name is free");
}

void
vtree_staging_clear (VtreeStaging *staging)
{
  if (staging->name == NULL)
    return;
  vtree_staging_remove_tree (staging->tmp_fd, staging->name, NULL);
  vtree_fd_close (staging->fd);
  vtree_fd_close (staging->tmp_fd);
  g_clear_pointer (&staging->name, g_free);
}

/* 0 or an errno. True in *FULL where NAME is a directory that has something in it. */
static int
remove_one (int dirfd, const char *name, bool *full)
{
  *full = false;
  if (unlinkat (dirfd, name, 0) == 0 || errno == ENOENT)
    return 0;
  if (errno != EISDIR && errno != EPERM)
    return errno;
  if (unlinkat (dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
    return 0;
  *full = errno == ENOTEMPTY || errno == EEXIST;
  return *full ? 0 : errno;
}

static GPtrArray *
list_names (int fd, int *errnum)
{
  g_autoptr (GError) failed = NULL;
  GPtrArray *names = vtree_directory_list (fd, &failed);
  *errnum = names != NULL ? 0 : failed->code;
  return names;
}

/* Moves NAME of DIRFD up to TOP. 0 or an errno. */
static int
lift (int top, int dirfd, const char *name)
{
  char fresh[32];
  g_snprintf (fresh, sizeof fresh, "%08x%08x", g_random_int (), g_random_int ());
  return renameat (dirfd, name, top, fresh) == 0 || errno == ENOENT ? 0 : errno;
}

/* Removes the directory NAME of TOP; what directories are in it, and not empty, come to
 * lie in TOP. 0 or an errno. */
static int
remove_level (int top, const char *name)
{
  g_auto (VtreeFd) fd
    = openat (top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return errno == ENOENT ? 0 : errno;
  int errnum;
  g_autoptr (GPtrArray) names = list_names (fd, &errnum);
  for (guint i = 0; errnum == 0 && i < names->len; i++) {
    bool full;
    errnum = remove_one (fd, names->pdata[i], &full);
    if (errnum == 0 && full)
      errnum = lift (top, fd, names->pdata[i]);
  }
  if (errnum != 0)
    return errnum;
  return unlinkat (top, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : errno;
}

/* Level by level, so that no depth is too great. 0 or an errno. */
static int
empty (int top)
{
  for (unsigned level = 0; level < LEVELS_MAX; level++) {
    int errnum;
    g_autoptr (GPtrArray) names = list_names (top, &errnum);
    if (errnum != 0 || names->len == 0)
      return errnum;
    for (guint i = 0; errnum == 0 && i < names->len; i++) {
      bool full;
      errnum = remove_one (top, names->pdata[i], &full);
      if (errnum == 0 && full)
        errnum = remove_level (top, names->pdata[i]);
    }
    if (errnum != 0)
      return errnum;
  }
  return ELOOP;
}

/* 0 or an errno. */
static int
remove_at (int dirfd, const char *name)
{
  bool full;
  int errnum = remove_one (dirfd, name, &full);
  if (errnum != 0 || !full)
    return errnum;
  g_auto (VtreeFd) fd
    = openat (dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return errno;
  errnum = empty (fd);
  if (errnum != 0)
    return errnum;
  return unlinkat (dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : errno;
}

bool
vtree_staging_remove_tree (int dirfd, const char *name, GError **error)
{
  int errnum = remove_at (dirfd, name);
  return errnum == 0 || set_error (error, errnum, "remove", name);
}

/* Another user's, or gone since: not for us to remove. */
static bool
is_none_of_ours (int errnum)
{
  return errnum == EACCES || errnum == EPERM || errnum == ENOENT;
}

typedef struct {
  int tmp_fd;
  VtreeDigestAlg alg;
  bool dry_run;
  uint64_t removed;
  GArray *held; /* VtreeDigest, or NULL */
} Cleaning;

/* Opens the directory NAME of tmp/; *FD is -1 where what it is, is nobody's. */
static bool
open_directory (int tmp_fd, const char *name, VtreeFd *fd, GError **error)
{
  *fd = openat (tmp_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return *fd >= 0 || errno == ENOTDIR || errno == ELOOP
         || set_error (error, errno, "open tmp directory", name);
}

/* Likewise the file of an object that was replaced. */
static bool
open_replaced (int tmp_fd, const char *name, VtreeFd *fd, GError **error)
{
  g_autoptr (GError) failed = NULL;
  *fd = -1;
  if (vtree_beneath_open_file (tmp_fd, name, fd, NULL, &failed)
      || failed->domain == VTREE_ERROR)
    return true;
  g_propagate_error (error, g_steal_pointer (&failed));
  return false;
}

/* Whether NAME, open as FD, was abandoned; then FD has its lock, so that nobody else
 * takes it for theirs meanwhile. */
static bool
try_lock (const char *name, int fd, bool *abandoned, GError **error)
{
  *abandoned = fd < 0 || flock (fd, LOCK_EX | LOCK_NB) == 0;
  return *abandoned || errno == EWOULDBLOCK
         || set_error (error, errno, "lock tmp directory", name);
}

static bool
remove_abandoned (Cleaning *cleaning, const char *name, GError **error)
{
  int errnum = cleaning->dry_run ? 0 : remove_at (cleaning->tmp_fd, name);
  if (errnum != 0)
    return is_none_of_ours (errnum)
           || set_error (error, errnum, "remove from tmp", name);
  cleaning->removed++;
  return true;
}

static bool
clean_one (Cleaning *cleaning, const char *name, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  g_autoptr (GError) failed = NULL;
  VtreeDigest digest;
  bool abandoned;
  bool replaced = vtree_held_parse (name, cleaning->alg, &digest);
  if (!(replaced ? open_replaced : open_directory) (cleaning->tmp_fd, name, &fd,
                                                    &failed)) {
    if (is_none_of_ours (failed->code))
      return true;
    g_propagate_error (error, g_steal_pointer (&failed));
    return false;
  }
  if (!try_lock (name, fd, &abandoned, error))
    return false;
  if (abandoned)
    return remove_abandoned (cleaning, name, error);
  if (replaced && cleaning->held != NULL)
    g_array_append_val (cleaning->held, digest);
  return true;
}

bool
vtree_staging_clean (const VtreeRepo *repo, bool dry_run, uint64_t *removed,
                     GArray *held, GError **error)
{
  g_auto (VtreeFd) tmp_fd = -1;
  if (!open_tmp (repo, &tmp_fd, error))
    return false;
  g_autoptr (GPtrArray) names = vtree_directory_list (tmp_fd, error);
  if (names == NULL)
    return false;
  Cleaning cleaning = { tmp_fd, vtree_repo_options (repo)->digest, dry_run, 0, held };
  for (guint i = 0; i < names->len; i++)
    if (!clean_one (&cleaning, names->pdata[i], error))
      return false;
  if (removed != NULL)
    *removed = cleaning.removed;
  return true;
}
