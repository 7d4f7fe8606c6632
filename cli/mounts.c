/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the unmounting; what is mounted, core knows. */
#include "cli/mounts.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static bool
set_busy (const char *dir, GError **error)
{
  return vtree_error_set (error, VTREE_ERROR_BUSY,
                          "unmount %s: it is in use; see `fuser -vm %s`", dir, dir);
}

/* As fusermount3 is told; its own complaint comes back in *MESSAGE. */
static bool
run_fusermount (const char *dir, bool lazy, char **message, int *status, GError **error)
{
  const char *const argv[] = { "fusermount3", lazy ? "-uz" : "-u", "--", dir, NULL };
  g_autoptr (GError) local = NULL;

  if (g_spawn_sync (NULL, (char **) argv, NULL,
                    G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL,
                    message, status, &local))
    return true;
  return vtree_error_set (error, VTREE_ERROR_FAILED,
                          "unmount %s: run fusermount3 (package fuse3): %s", dir,
                          local->message);
}

/* fusermount3 would say that it has no entry. */
static bool
check_own (const VtreeMount *mount, const char *escaped, GError **error)
{
  g_autofree char *who = mount->user == 0
                           ? g_strdup ("root")
                           : g_strdup_printf ("user %ju", (uintmax_t) mount->user);

  return mount->user == geteuid ()
         || vtree_error_set (error, VTREE_ERROR_FAILED,
                             "unmount %s: it was mounted by %s, who alone can unmount "
                             "it%s",
                             escaped, who, mount->user == 0 ? "" : ", or root");
}

static bool
unmount_as_user (const VtreeMount *mount, const char *escaped, bool lazy,
                 GError **error)
{
  g_autofree char *message = NULL;
  int status = 0;

  if (!check_own (mount, escaped, error)
      || !run_fusermount (mount->dir, lazy, &message, &status, error))
    return false;
  if (WIFEXITED (status) && WEXITSTATUS (status) == 0)
    return true;
  g_strstrip (message);
  if (strstr (message, g_strerror (EBUSY)) != NULL)
    return set_busy (escaped, error);
  return vtree_error_set (error, VTREE_ERROR_FAILED, "unmount %s: %s", escaped,
                          message[0] != '\0' ? message : "fusermount3 failed");
}

bool
vtree_mounts_unmount (const VtreeMount *mount, bool lazy, GError **error)
{
  g_autofree char *escaped = vtree_error_escape (mount->dir, -1);

  if (geteuid () != 0)
    return unmount_as_user (mount, escaped, lazy, error);
  if (umount2 (mount->dir, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
    return true;
  if (errno == EBUSY)
    return set_busy (escaped, error);
  return vtree_error_set_errno (error, errno, "unmount %s", escaped);
}
