/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the places of configuration, keys and state, and the check that nobody else can
 * write there. Reads no file in them.
 */
#include "core/paths.h"

#include "core/error.h"
#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

/* getpwuid_r()'s buffer grows up to this. */
#define PASSWD_MAX (1u << 20)

struct VtreePaths {
  bool is_root;
  char *repo;
  char *marks;
  char *sealed;
  char *deploy;
  char *cache;
  char *home; /* NULL for root */
  char *private;
  char **keys;
  char **certificates;
  char **revoked;
  char **settings;
};

void
vtree_paths_free (VtreePaths *paths)
{
  if (paths == NULL)
    return;
  g_free (paths->repo);
  g_free (paths->marks);
  g_free (paths->sealed);
  g_free (paths->deploy);
  g_free (paths->cache);
  g_free (paths->home);
  g_free (paths->private);
  g_strfreev (paths->keys);
  g_strfreev (paths->certificates);
  g_strfreev (paths->revoked);
  g_strfreev (paths->settings);
  g_free (paths);
}

/* Takes DIR, FILE's name below it, or nothing where DIR is NULL. */
static void
add_below (GPtrArray *list, const char *dir, const char *name)
{
  if (dir != NULL)
    g_ptr_array_add (list, g_build_filename (dir, name, NULL));
}

/* NAME below each directory that is not NULL, in that order. */
static char **
list_below (const char *const dirs[3], const char *name)
{
  GPtrArray *list = g_ptr_array_new ();
  for (size_t i = 0; i < 3; i++)
    add_below (list, dirs[i], name);
  g_ptr_array_add (list, NULL);
  return (char **) g_ptr_array_free (list, FALSE);
}

/* OWN: the user's own configuration directory, NULL for root. */
static void
set_lists (VtreePaths *paths, const char *vendor, const char *system, const char *own)
{
  const char *const all[3] = { vendor, system, own };
  const char *const policy[3] = { system, own, NULL };
  paths->keys = list_below (all, "keys.d");
  paths->certificates = list_below (all, "certs.d");
  paths->revoked = list_below (all, "revoked.d");
  paths->settings = list_below (policy, "vtree.conf");
  paths->private = g_build_filename (own != NULL ? own : system, "private", NULL);
}

VtreePaths *
vtree_paths_new_for_system (const char *dir)
{
  g_autofree char *vendor = g_strconcat (dir, VTREE_VENDOR_DIR, NULL);
  g_autofree char *system = g_strconcat (dir, VTREE_SYSCONF_DIR, NULL);
  VtreePaths *paths = g_new0 (VtreePaths, 1);
  paths->is_root = true;
  paths->repo = g_strconcat (dir, VTREE_STATE_DIR "/repo", NULL);
  paths->marks = g_strconcat (dir, VTREE_STATE_DIR "/marks", NULL);
  paths->sealed = g_strconcat (dir, VTREE_STATE_DIR "/sealed", NULL);
  paths->deploy = g_strconcat (dir, VTREE_STATE_DIR "/deploy", NULL);
  paths->cache = g_strconcat (dir, VTREE_STATE_DIR "/cache", NULL);
  set_lists (paths, vendor, system, NULL);
  return paths;
}

/* The directory that VARIABLE names, if it is absolute as the XDG specification wants
 * it, else FALLBACK below HOME; with "/vtree". */
static char *
find_base (const char *variable, const char *home, const char *fallback, GError **error)
{
  const char *value = g_getenv (variable);
  if (value != NULL && g_path_is_absolute (value))
    return g_build_filename (value, "vtree", NULL);
  if (home != NULL && g_path_is_absolute (home))
    return g_build_filename (home, fallback, "vtree", NULL);
  vtree_error_set (error, VTREE_ERROR_FAILED,
                   "find this user's files: uid %ju has no home directory in the "
                   "password database; set %s to an absolute path",
                   (uintmax_t) geteuid (), variable);
  return NULL;
}

VtreePaths *
vtree_paths_new_for_user (const char *home, GError **error)
{
  g_autofree char *config = find_base ("XDG_CONFIG_HOME", home, ".config", error);
  if (config == NULL)
    return NULL;
  g_autofree char *data = find_base ("XDG_DATA_HOME", home, ".local/share", error);
  if (data == NULL)
    return NULL;
  g_autofree char *state = find_base ("XDG_STATE_HOME", home, ".local/state", error);
  if (state == NULL)
    return NULL;
  VtreePaths *paths = g_new0 (VtreePaths, 1);
  paths->repo = g_build_filename (data, "repo", NULL);
  paths->marks = g_build_filename (state, "marks", NULL);
  paths->sealed = g_build_filename (state, "sealed", NULL);
  paths->deploy = g_build_filename (data, "deploy", NULL);
  /* Only who wants a cache needs a place for it. */
  g_autofree char *cache = find_base ("XDG_CACHE_HOME", home, ".cache", NULL);
  paths->cache = cache != NULL ? g_steal_pointer (&cache)
                               : g_build_filename (state, "cache", NULL);
  if (home != NULL && g_path_is_absolute (home))
    paths->home = g_canonicalize_filename (home, NULL);
  set_lists (paths, VTREE_VENDOR_DIR, VTREE_SYSCONF_DIR, config);
  return paths;
}

/* The home directory of the password database; NULL if it knows none. */
static char *
dup_home (void)
{
  for (size_t size = 1024; size <= PASSWD_MAX; size *= 2) {
    g_autofree char *buffer = g_malloc (size);
    struct passwd entry, *found = NULL;
    int errnum = getpwuid_r (geteuid (), &entry, buffer, size, &found);
    if (errnum != ERANGE)
      return found != NULL ? g_strdup (entry.pw_dir) : NULL;
  }
  return NULL;
}

VtreePaths *
vtree_paths_new (GError **error)
{
  if (geteuid () == 0)
    return vtree_paths_new_for_system ("");
  g_autofree char *home = dup_home ();
  return vtree_paths_new_for_user (home, error);
}

bool
vtree_paths_is_root (const VtreePaths *paths)
{
  return paths->is_root;
}

const char *
vtree_paths_repo (const VtreePaths *paths)
{
  return paths->repo;
}

const char *
vtree_paths_marks (const VtreePaths *paths)
{
  return paths->marks;
}

const char *
vtree_paths_sealed (const VtreePaths *paths)
{
  return paths->sealed;
}

const char *
vtree_paths_cache (const VtreePaths *paths)
{
  return paths->cache;
}

const char *
vtree_paths_deploy (const VtreePaths *paths)
{
  return paths->deploy;
}

const char *
vtree_paths_home (const VtreePaths *paths)
{
  return paths->home;
}

const char *
vtree_paths_private (const VtreePaths *paths)
{
  return paths->private;
}

/* The user's own directory is always the last one. */
static const char *
last_of (char **list)
{
  return list[g_strv_length (list) - 1];
}

const char *
vtree_paths_keys (const VtreePaths *paths)
{
  return last_of (paths->keys);
}

const char *
vtree_paths_certificates (const VtreePaths *paths)
{
  return last_of (paths->certificates);
}

const char *
vtree_paths_revoked (const VtreePaths *paths)
{
  return last_of (paths->revoked);
}

const char *const *
vtree_paths_all_keys (const VtreePaths *paths)
{
  return (const char *const *) paths->keys;
}

const char *const *
vtree_paths_all_certificates (const VtreePaths *paths)
{
  return (const char *const *) paths->certificates;
}

const char *const *
vtree_paths_all_revoked (const VtreePaths *paths)
{
  return (const char *const *) paths->revoked;
}

const char *const *
vtree_paths_settings (const VtreePaths *paths)
{
  return (const char *const *) paths->settings;
}

/* Whether this is a user namespace in which no uid is 0. */
static bool
has_no_root (void)
{
  g_autofree char *text = NULL;
  if (!g_file_get_contents ("/proc/self/uid_map", &text, NULL, NULL))
    return false;
  g_auto (GStrv) lines = g_strsplit (g_strstrip (text), "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    if (g_ascii_strtoull (*line, NULL, 10) == 0)
      return false;
  return true;
}

static bool
is_overflow_uid (uid_t uid)
{
  g_autofree char *text = NULL;
  guint64 number = 0;
  return g_file_get_contents ("/proc/sys/kernel/overflowuid", &text, NULL, NULL)
         && g_ascii_string_to_unsigned (g_strstrip (text), 10, 1, UINT32_MAX, &number,
                                        NULL)
         && number == uid;
}

static bool
is_roots (uid_t uid)
{
  return uid == 0
         || (g_getenv (VTREE_PATHS_CHECKED_ENV) != NULL && is_overflow_uid (uid)
             && has_no_root ());
}

bool
vtree_paths_check_owner (int fd, const char *path, GError **error)
{
  struct stat st;
  g_autofree char *name = vtree_error_escape (path, -1);
  if (fstat (fd, &st) < 0)
    return vtree_error_set_errno (error, errno, "check the owner of %s", name);
  if (st.st_uid != geteuid () && !is_roots (st.st_uid))
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "%s belongs to uid %ju, not to root or this user: "
                            "it can't be relied on until you chown it",
                            name, (uintmax_t) st.st_uid);
  if (st.st_mode & (S_IWGRP | S_IWOTH))
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "%s is writable by others (mode %04o): "
                            "it can't be relied on until you run `chmod go-w` on it",
                            name, st.st_mode & 07777);
  return true;
}

/* Whether NAME is that of a directory which every user reads, with all beneath it. */
static bool
is_public_list (const char *name)
{
  static const char *const lists[] = { "keys.d", "certs.d", "revoked.d", NULL };
  return g_strv_contains (lists, name);
}

static mode_t
mode_for_new (bool is_public)
{
  return geteuid () == 0 && is_public ? 0755 : 0700;
}

static bool
set_path_error (GError **error, int errnum, const char *what, const char *path)
{
  g_autofree char *name = vtree_error_escape (path, -1);
  return vtree_error_set_errno (error, errnum, "%s %s", what, name);
}

/* Makes the directory PATH with MODE exactly, unless it exists. */
static bool
make_one (const char *path, mode_t mode, GError **error)
{
  if (mkdir (path, 0700) < 0)
    return errno == EEXIST || set_path_error (error, errno, "make directory", path);
  if (chmod (path, mode) < 0)
    return set_path_error (error, errno, "set the mode of", path);
  return true;
}

static bool
make_all (const char *dir, GError **error)
{
  g_auto (GStrv) names = g_strsplit (dir, "/", -1);
  g_autoptr (GString) path = g_string_new (NULL);
  bool in_list = false;
  for (char **name = names; *name != NULL; name++) {
    if (**name == '\0')
      continue;
    g_string_append_printf (path, "/%s", *name);
    in_list = in_list || is_public_list (*name);
    if (!make_one (path->str, mode_for_new (in_list || name[1] != NULL), error))
      return false;
  }
  return true;
}

/* Opens the directory that PLACE is in, in which nobody else may rename what stands
 * there (a revoked.d that is gone revokes nothing); -1 with errno, or with an error. */
static int
open_parent (const char *place, GError **error)
{
  g_autofree char *path = g_path_get_dirname (place);
  g_auto (VtreeFd) fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
  if (fd >= 0 && !vtree_paths_check_owner (fd, path, error))
    return -1;
  return vtree_fd_steal (&fd);
}

/* PLACE through the directory that it is in; -1 with errno, or with an error. */
static int
open_through_parent (const char *place, int flags, GError **error)
{
  g_auto (VtreeFd) parent = open_parent (place, error);
  if (parent < 0)
    return -1;
  g_autofree char *name = g_path_get_basename (place);
  return openat (parent, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
}

int
vtree_paths_open_directory (const char *dir, bool make, bool *missing, GError **error)
{
  bool unused = false;
  GError *untrusted = NULL;
  missing = missing != NULL ? missing : &unused;
  *missing = false;
  g_auto (VtreeFd) fd = open_through_parent (dir, O_DIRECTORY, &untrusted);
  if (fd < 0 && untrusted == NULL && errno == ENOENT) {
    *missing = !make;
    if (!make || !make_all (dir, error))
      return -1;
    fd = open_through_parent (dir, O_DIRECTORY, &untrusted);
  }
  if (untrusted != NULL) {
    g_propagate_error (error, untrusted);
    return -1;
  }
  if (fd < 0) {
    set_path_error (error, errno, "open directory", dir);
    return -1;
  }
  return vtree_paths_check_owner (fd, dir, error) ? vtree_fd_steal (&fd) : -1;
}

int
vtree_paths_open_file (const char *file, bool *missing, GError **error)
{
  struct stat st;
  GError *untrusted = NULL;
  g_auto (VtreeFd) fd = open_through_parent (file, 0, &untrusted);
  if (untrusted != NULL) {
    g_propagate_error (error, untrusted);
    return -1;
  }
  *missing = fd < 0 && (errno == ENOENT || errno == ENOTDIR);
  if (*missing)
    return -1;
  if (fd < 0 || fstat (fd, &st) < 0) {
    vtree_error_set_errno (error, errno, "open");
    return -1;
  }
  if (!S_ISREG (st.st_mode)) {
    vtree_error_set (error, VTREE_ERROR_INVALID, "not a regular file");
    return -1;
  }
  return vtree_paths_check_owner (fd, file, error) ? vtree_fd_steal (&fd) : -1;
}
