/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the question whether a command can be run, before bubblewrap is: where it will
 * be looked for, and whether its bytes are what was signed. Runs nothing.
 */
#include "cli/sandbox-private.h"
#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What is known of a program at one place. */
typedef enum {
  ABSENT,
  NO_PROGRAM, /* it may not be executed */
  FOUND,
  UNKNOWN, /* that is bubblewrap's to find out */
} Finding;

/* As much of a script's first line as is looked at. */
#define HEAD_MAX 256

typedef struct {
  Finding finding;
  char head[HEAD_MAX]; /* how it begins, where it was found; else "" */
} Program;

static int
open_how (const char *files, const char *path, uint64_t flags, uint64_t resolve)
{
  struct open_how how
    = { .flags = flags | O_CLOEXEC,
        .resolve = resolve | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV };
  g_auto (VtreeFd) root = open (files, O_PATH | O_DIRECTORY | O_CLOEXEC);

  return root < 0 ? -1 : (int) syscall (SYS_openat2, root, path, &how, sizeof how);
}

int
vtree_sandbox_open_inside (const char *files, const char *path)
{
  return open_how (files, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, RESOLVE_IN_ROOT);
}

bool
vtree_sandbox_is_inside (const char *files, const char *path)
{
  g_auto (VtreeFd) fd = open_how (files, path, O_PATH | O_NOFOLLOW,
                                  RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);

  return fd >= 0;
}

bool
vtree_sandbox_set_read_error (const char *tree, const char *path, int errnum,
                              GError **error)
{
  g_autofree char *escaped = vtree_error_escape (path, -1);

  if (errnum == EIO)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "%s of %s is not what was signed; `vtree fsck` shows what "
                            "is harmed",
                            escaped, tree);
  return vtree_error_set_errno (error, errnum, "read %s of %s", escaped, tree);
}

/* Reads all of FD. */
static bool
read_whole (int fd, const char *tree, const char *name, GError **error)
{
  g_autofree char *buffer = g_malloc (1 << 17);
  ssize_t got;

  while ((got = read (fd, buffer, 1 << 17)) != 0)
    if (got < 0 && errno != EINTR)
      return vtree_sandbox_set_read_error (tree, name, errno, error);
  return true;
}

/* --- where it is ------------------------------------------------------------------ */

/* What may be absent in the tree is surely absent where no link is on the way to it: a
 * link can lead out of the tree, into what else the sandbox has. */
static Finding
judge_absent (const char *files, const char *path)
{
  g_autofree char *dir = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);
  g_auto (VtreeFd) parent
    = open_how (files, dir, O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT);
  g_auto (VtreeFd) plain = -1;
  struct stat st;

  if (parent >= 0)
    return fstatat (parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? UNKNOWN : ABSENT;
  plain = open_how (files, path, O_PATH | O_NOFOLLOW,
                    RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
  return plain < 0 && (errno == ENOENT || errno == ENOTDIR) ? ABSENT : UNKNOWN;
}

/* What can't be read begins with nothing. */
static void
read_head (int fd, Program *program)
{
  ssize_t got = pread (fd, program->head, sizeof program->head - 1, 0);

  program->head[MAX (got, 0)] = '\0';
}

/* PATH of the tree or the runtime FILES, which is WHOLE in the sandbox; one that is
 * there is read. */
static bool
look_in_tree (const VtreeSandboxView *view, const char *files, const char *path,
              const char *whole, Program *program, GError **error)
{
  const char *tree = files == view->files ? "the tree" : "the runtime";
  g_auto (VtreeFd) fd = vtree_sandbox_open_inside (files, path);
  struct stat st;

  if (fd < 0 && errno == EIO)
    return vtree_sandbox_set_read_error (tree, whole, EIO, error);
  if (fd < 0) {
    program->finding
      = errno == ENOENT || errno == ENOTDIR ? judge_absent (files, path) : UNKNOWN;
    return true;
  }
  if (fstat (fd, &st) != 0)
    return vtree_sandbox_set_read_error (tree, whole, errno, error);
  program->finding = NO_PROGRAM;
  if (!S_ISREG (st.st_mode))
    return true;
  if (faccessat (fd, "", X_OK, AT_EMPTY_PATH) == 0) {
    program->finding = FOUND;
    read_head (fd, program);
  }
  return read_whole (fd, tree, whole, error);
}

static void
look_on_host (const char *path, Program *program)
{
  g_auto (VtreeFd) fd = -1;
  struct stat st;

  if (stat (path, &st) != 0) {
    program->finding = errno == ENOENT || errno == ENOTDIR ? ABSENT : UNKNOWN;
    return;
  }
  program->finding
    = S_ISREG (st.st_mode) && access (path, X_OK) == 0 ? FOUND : NO_PROGRAM;
  if (program->finding == FOUND)
    fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd >= 0)
    read_head (fd, program);
}

/* A place of the host's that is shown is PATH, or above it. */
static bool
is_shown (const VtreeContext *context, const char *path)
{
  g_autoptr (GList) places = vtree_context_list_places (context);

  for (GList *place = places; place != NULL; place = place->next)
    if (strcmp (place->data, "host") == 0
        || (g_str_has_prefix (path, place->data)
            && strchr ("/", path[strlen (place->data)]) != NULL))
      return true;
  return false;
}

/* PATH is absolute: as the sandbox will have it. */
static bool
look (const VtreeSandboxView *view, const char *path, Program *program, GError **error)
{
  /* What a system makes at its start is empty, or made anew. */
  static const char *const made[] = { "dev", "etc", "media", "mnt", "proc", "root",
                                      "run", "sys", "tmp",   "var", NULL };
  g_auto (GStrv) parts = g_strsplit (path, "/", 3);
  const char *first = parts[1];
  bool shown = is_shown (view->context, path);
  bool system = !view->is_root && g_strv_contains (vtree_sandbox_system, first);

  program->finding = ABSENT;
  program->head[0] = '\0';
  if (!shown && (g_strv_contains (made, first) || strstr (path, "/..") != NULL))
    program->finding = UNKNOWN;
  else if (shown || (system && view->runtime == NULL))
    look_on_host (path, program);
  else if (system)
    return look_in_tree (view, view->runtime, path, path, program, error);
  else if (strcmp (first, "home") == 0)
    return true;
  else if (view->is_root)
    return look_in_tree (view, view->files, path, path, program, error);
  else if (strcmp (first, "app") == 0)
    return look_in_tree (view, view->files, path + strlen ("/app"), path, program,
                         error);
  return true;
}

/* --- the answer ------------------------------------------------------------------- */

static const char *
places (const VtreeSandboxView *view)
{
  if (view->is_root)
    return "the tree";
  return view->runtime != NULL ? "the tree or the runtime's /usr"
                               : "the tree or the host's /usr";
}

/* The host's PROGRAM is where no place of the host's can be shown. */
static bool
is_hidden (const char *program)
{
  g_auto (GStrv) parts = g_strsplit (program, "/", 3);

  return g_strv_contains (vtree_sandbox_system, parts[1]);
}

static bool
set_absent (const VtreeSandboxView *view, const char *program, GError **error)
{
  g_autofree char *escaped = vtree_error_escape (program, -1);

  if (strchr (program, '/') == NULL)
    return vtree_error_set (error, VTREE_ERROR_MISSING, "no command '%s' in %s",
                            escaped, places (view));
  if (access (program, F_OK) != 0 || is_hidden (program))
    return vtree_error_set (error, VTREE_ERROR_MISSING, "no %s in %s", escaped,
                            places (view));
  return vtree_error_set (error, VTREE_ERROR_MISSING,
                          "no %s in %s; the host has it: --filesystem=PLACE shows a "
                          "place of the host",
                          escaped, places (view));
}

/* Of a script execvp(3) says that it is missing where its interpreter is. */
static bool
check_interpreter (const VtreeSandboxView *view, const char *script, const char *head,
                   GError **error)
{
  const char *start = head + 2 + strspn (head + 2, " \t");
  size_t length = strcspn (start, " \t\n");
  g_autofree char *interpreter = g_strndup (start, length);
  g_autofree char *escaped = vtree_error_escape (script, -1);
  g_autofree char *escaped_too = vtree_error_escape (interpreter, -1);
  Program found;

  if (start[length] == '\0' || start[0] != '/')
    return true;
  if (!look (view, interpreter, &found, error))
    return false;
  return found.finding != ABSENT
         || vtree_error_set (error, VTREE_ERROR_MISSING,
                             "%s is run by %s, which is not in %s", escaped,
                             escaped_too, places (view));
}

/* As execvp(3) does: what may not be executed does not end the search. */
bool
vtree_sandbox_check_program (const VtreeSandboxView *view, const char *program,
                             GError **error)
{
  bool has_slash = strchr (program, '/') != NULL;
  g_auto (GStrv) dirs = g_strsplit (has_slash ? "/" : view->path, ":", -1);
  g_autofree char *refused = NULL;

  for (char **dir = dirs; *dir != NULL; dir++) {
    g_autofree char *whole
      = has_slash ? g_strdup (program) : g_build_filename (*dir, program, NULL);
    Program found = { .finding = UNKNOWN };

    if (whole[0] == '/' && !look (view, whole, &found, error))
      return false;
    if (found.finding == FOUND && g_str_has_prefix (found.head, "#!"))
      return check_interpreter (view, whole, found.head, error);
    if (found.finding == FOUND || found.finding == UNKNOWN)
      return true;
    if (found.finding == NO_PROGRAM && refused == NULL)
      refused = vtree_error_escape (whole, -1);
  }
  return refused != NULL
           ? vtree_error_set (error, VTREE_ERROR_FAILED,
                              "%s may not be executed: it is no program", refused)
           : set_absent (view, program, error);
}
