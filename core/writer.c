/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the walk through /proc. What it can't read it passes over: processes come and
 * go, and most belong to others.
 */
#include "core/writer.h"

#include "core/error.h"
#include "core/fd.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define INFO_MAX 4096
#define PROC "/proc"

/* The text of a small file of /proc, or NULL. */
static char *
load (const char *path)
{
  g_auto (VtreeFd) fd = open (path, O_RDONLY | O_CLOEXEC);
  char text[INFO_MAX];
  size_t got = 0;
  if (fd < 0 || !vtree_fd_pread (fd, text, sizeof text, 0, &got, NULL))
    return NULL;
  return g_strndup (text, got);
}

/* Whether descriptor FD of PID (both as text) is open for writing. */
static bool
is_writable (const char *pid, const char *fd)
{
  g_autofree char *path = g_build_filename (PROC, pid, "fdinfo", fd, NULL);
  g_autofree char *info = load (path);
  const char *flags = info != NULL ? strstr (info, "flags:") : NULL;
  if (flags == NULL)
    return false;
  unsigned long value = strtoul (flags + strlen ("flags:"), NULL, 8);
  return (value & O_ACCMODE) != O_RDONLY;
}

static bool
writes_to (const char *pid, const char *fd, const struct stat *wanted)
{
  g_autofree char *path = g_build_filename (PROC, pid, "fd", fd, NULL);
  struct stat st;
  return stat (path, &st) == 0 && st.st_dev == wanted->st_dev
         && st.st_ino == wanted->st_ino && is_writable (pid, fd);
}

/* Whether process PID does. */
static bool
process_writes_to (const char *pid, const struct stat *wanted)
{
  g_autofree char *path = g_build_filename (PROC, pid, "fd", NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *fd;
  while (dir != NULL && (fd = g_dir_read_name (dir)) != NULL) {
    if (writes_to (pid, fd, wanted))
      return true;
  }
  return false;
}

static char *
describe (const char *pid)
{
  g_autofree char *path = g_build_filename (PROC, pid, "comm", NULL);
  g_autofree char *name = load (path);
  g_autofree char *shown
    = vtree_error_escape (name != NULL ? g_strchomp (name) : "?", -1);
  return g_strdup_printf ("process %s (%s)", pid, shown);
}

char *
vtree_writer_find (const struct stat *stat)
{
  g_autoptr (GDir) dir = g_dir_open (PROC, 0, NULL);
  const char *pid;
  while (dir != NULL && (pid = g_dir_read_name (dir)) != NULL) {
    if (g_ascii_isdigit (*pid) && process_writes_to (pid, stat))
      return describe (pid);
  }
  return NULL;
}
