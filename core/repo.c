/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the layout of a repository: making it, recognising it, its lock and replacing
 * its configuration. What the configuration says is repo-config.c's, what lies in the
 * directories is the store's, the ingest's and manifest/ref.c's.
 */
#include "core/beneath.h"
#include "core/directory.h"
#include "core/lock.h"
#include "core/publish.h"
#include "core/repo-config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LOCK_NAME "lock"
#define CONFIG_MODE 0644

static const char *const directories[]
  = { "merkle", "objects", "packs", "refs", "tmp" };

struct VtreeRepo {
  char *path;
  VtreeFd dirfd;
  VtreeRepoConfig *config;
  VtreeRepoOptions options;
};

static bool
set_error (GError **error, int errnum, const char *what, const char *name)
{
  g_autofree char *escaped = vtree_error_escape (name, -1);
  return vtree_error_set_errno (error, errnum, "%s %s", what, escaped);
}

/* --- making ----------------------------------------------------------------------- */

static bool
is_ours (const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS (directories); i++)
    if (strcmp (directories[i], name) == 0)
      return true;
  return strcmp (name, LOCK_NAME) == 0
         || g_str_has_prefix (name, VTREE_PUBLISH_TEMP_PREFIX);
}

/* Only what an interrupted init leaves may be there already. */
static bool
check_room (int dirfd, GError **error)
{
  g_autoptr (GPtrArray) names = vtree_directory_list (dirfd, error);
  if (names == NULL)
    return false;
  if (g_ptr_array_find_with_equal_func (names, VTREE_REPO_CONFIG_NAME, g_str_equal,
                                        NULL))
    return vtree_error_set (error, VTREE_ERROR_INVALID, "it already is a repository");
  for (guint i = 0; i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    if (is_ours (name))
      continue;
    g_autofree char *escaped = vtree_error_escape (name, -1);
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "the directory is not empty: it has '%s'", escaped);
  }
  return true;
}

/* Whatever the umask says. */
static bool
make_subdirectory (int dirfd, const char *name, GError **error)
{
  g_auto (VtreeFd) fd = vtree_beneath_make_directory (dirfd, name, 0755, error);
  if (fd < 0)
    return false;
  return fchmod (fd, 0755) == 0 || set_error (error, errno, "set the mode of", name);
}

static bool
make_lock (int dirfd, GError **error)
{
  g_auto (VtreeFd) fd
    = vtree_beneath_open (dirfd, LOCK_NAME, O_RDWR | O_CREAT, 0644, error);
  if (fd < 0)
    return false;
  return fchmod (fd, 0644) == 0
         || set_error (error, errno, "set the mode of", LOCK_NAME);
}

static bool
publish_sealed_config (int dirfd, const VtreeRepoConfig *config, const VtreeSeal *seal,
                       GError **error)
{
  g_autoptr (GBytes) bytes = vtree_repo_config_serialize (config);
  return vtree_publish_sealed (dirfd, VTREE_REPO_CONFIG_NAME, bytes, CONFIG_MODE,
                               VTREE_PUBLISH_REPLACE, seal, error);
}

static bool
publish_config (int dirfd, const VtreeRepoConfig *config, GError **error)
{
  VtreeRepoOptions options;
  vtree_repo_config_options (config, &options);
  VtreeSeal seal = { options.verity, options.digest, NULL };
  return publish_sealed_config (dirfd, config, &seal, error);
}

/* The configuration comes last: where it is, the rest is. */
static bool
fill (int dirfd, const VtreeRepoOptions *options, GError **error)
{
  if (fchmod (dirfd, options->shared ? 0755 : 0700) < 0)
    return vtree_error_set_errno (error, errno, "set the mode of the directory");
  for (size_t i = 0; i < G_N_ELEMENTS (directories); i++)
    if (!make_subdirectory (dirfd, directories[i], error))
      return false;
  g_autoptr (VtreeRepoConfig) config = vtree_repo_config_new (options);
  return make_lock (dirfd, error) && publish_config (dirfd, config, error);
}

/* Makes PATH and its parents; opens it. -1 on error. */
static int
make_top (const char *path, GError **error)
{
  g_autofree char *parent = g_path_get_dirname (path);
  if (g_mkdir_with_parents (parent, geteuid () == 0 ? 0755 : 0700) < 0
      || (mkdir (path, 0700) < 0 && errno != EEXIST)) {
    vtree_error_set_errno (error, errno, "make the directory");
    return -1;
  }
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    vtree_error_set_errno (error, errno, "open the directory");
  return fd;
}

static bool
init (const char *path, const VtreeRepoOptions *options, GError **error)
{
  g_auto (VtreeFd) fd = make_top (path, error);
  if (fd < 0)
    return false;
  if (!vtree_lock_take (fd, VTREE_LOCK_EXCLUSIVE, 0, error) || !check_room (fd, error)
      || !fill (fd, options, error))
    return false;
  /* The names made above, and the directory's own name, outlive a power cut. */
  return syncfs (fd) == 0 || vtree_error_set_errno (error, errno, "sync");
}

bool
vtree_repo_init (const char *path, const VtreeRepoOptions *options, GError **error)
{
  if (init (path, options, error))
    return true;
  g_autofree char *escaped = vtree_error_escape (path, -1);
  g_prefix_error (error, "make a repository in %s: ", escaped);
  return false;
}

/* --- opening ---------------------------------------------------------------------- */

static VtreeRepoConfig *
load_config (int dirfd, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  if (!vtree_beneath_load (dirfd, VTREE_REPO_CONFIG_NAME, VTREE_REPO_CONFIG_MAX, &bytes,
                           error))
    return NULL;
  if (bytes == NULL) {
    vtree_error_set (error, VTREE_ERROR_MISSING,
                     "not a repository (no file 'config'); `vtree init` makes one");
    return NULL;
  }
  return vtree_repo_config_parse (bytes, error);
}

static bool
check_layout (int dirfd, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS (directories); i++) {
    struct stat st = { 0 };
    if (fstatat (dirfd, directories[i], &st, AT_SYMLINK_NOFOLLOW) < 0
        && errno != ENOENT)
      return set_error (error, errno, "stat", directories[i]);
    if (!S_ISDIR (st.st_mode))
      return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                              "not a whole repository: no directory '%s'",
                              directories[i]);
  }
  return true;
}

static int
open_top (const char *path, GError **error)
{
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0)
    return fd;
  if (errno == ENOENT)
    vtree_error_set (error, VTREE_ERROR_MISSING,
                     "no such directory; `vtree init` makes a repository");
  else
    vtree_error_set_errno (error, errno, "open the directory");
  return -1;
}

static VtreeRepo *
open_repo (const char *path, GError **error)
{
  g_auto (VtreeFd) fd = open_top (path, error);
  if (fd < 0)
    return NULL;
  g_autoptr (VtreeRepoConfig) config = load_config (fd, error);
  if (config == NULL || !check_layout (fd, error))
    return NULL;
  VtreeRepo *repo = g_new0 (VtreeRepo, 1);
  repo->path = g_strdup (path);
  repo->dirfd = vtree_fd_steal (&fd);
  repo->config = g_steal_pointer (&config);
  vtree_repo_config_options (repo->config, &repo->options);
  return repo;
}

VtreeRepo *
vtree_repo_open (const char *path, GError **error)
{
  VtreeRepo *repo = open_repo (path, error);
  if (repo == NULL) {
    g_autofree char *escaped = vtree_error_escape (path, -1);
    g_prefix_error (error, "open repository %s: ", escaped);
  }
  return repo;
}

void
vtree_repo_free (VtreeRepo *repo)
{
  if (repo == NULL)
    return;
  vtree_repo_config_free (repo->config);
  vtree_fd_close (repo->dirfd);
  g_free (repo->path);
  g_free (repo);
}

const char *
vtree_repo_path (const VtreeRepo *repo)
{
  return repo->path;
}

int
vtree_repo_dirfd (const VtreeRepo *repo)
{
  return repo->dirfd;
}

const VtreeRepoOptions *
vtree_repo_options (const VtreeRepo *repo)
{
  return &repo->options;
}

VtreeSeal
vtree_repo_seal (const VtreeRepo *repo)
{
  return (VtreeSeal){ repo->options.verity, repo->options.digest, NULL };
}

/* --- locking ---------------------------------------------------------------------- */

static bool
lock (const VtreeRepo *repo, VtreeRepoLock kind, int wait, VtreeFd *fd, GError **error)
{
  /* Read-only is enough for either kind, and all that a reader of somebody else's
   * repository, or of a read-only medium, can have. */
  g_auto (VtreeFd) opened = -1;
  if (!vtree_beneath_open_file (repo->dirfd, LOCK_NAME, &opened, NULL, error))
    return false;
  if (opened < 0)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT, "it has no file 'lock'");
  VtreeLockKind how
    = kind == VTREE_REPO_LOCK_EXCLUSIVE ? VTREE_LOCK_EXCLUSIVE : VTREE_LOCK_SHARED;
  if (!vtree_lock_take (opened, how, wait, error))
    return false;
  *fd = vtree_fd_steal (&opened);
  return true;
}

bool
vtree_repo_lock (const VtreeRepo *repo, VtreeRepoLock kind, int wait, VtreeFd *fd,
                 GError **error)
{
  if (lock (repo, kind, wait, fd, error))
    return true;
  g_autofree char *escaped = vtree_error_escape (repo->path, -1);
  g_prefix_error (error, "lock repository %s: ", escaped);
  return false;
}

/* --- configuration ---------------------------------------------------------------- */

char *
vtree_repo_config_get (const VtreeRepo *repo, const char *key, GError **error)
{
  return vtree_repo_config_value (repo->config, key, error);
}

char **
vtree_repo_config_list (const VtreeRepo *repo, GError **error)
{
  (void) error;
  return vtree_repo_config_all (repo->config);
}

bool
vtree_repo_seal_config (const VtreeRepo *repo, const VtreeSeal *seal, bool *done,
                        GError **error)
{
  if (vtree_publish_again (repo->dirfd, VTREE_REPO_CONFIG_NAME, VTREE_REPO_CONFIG_MAX,
                           seal, done, error))
    return true;
  g_autofree char *escaped = vtree_error_escape (repo->path, -1);
  g_prefix_error (error, "seal the configuration of %s: ", escaped);
  return false;
}

/* Who has the lock shared may do that, too: whoever changes anything else has it alone,
 * and of two who do this at the same time both write the same. */
static bool
announce_packs (const VtreeRepo *repo, const VtreeSeal *seal, GError **error)
{
  g_autoptr (VtreeRepoConfig) config = load_config (repo->dirfd, error);
  if (config == NULL)
    return false;
  if (vtree_repo_config_has_packs (config))
    return true;
  vtree_repo_config_add_packs (config);
  return publish_sealed_config (repo->dirfd, config, seal, error);
}

bool
vtree_repo_announce_packs (const VtreeRepo *repo, const VtreeSeal *seal, GError **error)
{
  if (vtree_repo_config_has_packs (repo->config) || announce_packs (repo, seal, error))
    return true;
  g_autofree char *escaped = vtree_error_escape (repo->path, -1);
  g_prefix_error (error,
                  "say in the configuration of %s that there are packs: ", escaped);
  return false;
}

static bool
has_objects (const VtreeRepo *repo, bool *found, GError **error)
{
  g_auto (VtreeFd) fd
    = vtree_beneath_open (repo->dirfd, "objects", O_RDONLY | O_DIRECTORY, 0, error);
  if (fd < 0)
    return false;
  g_autoptr (GPtrArray) names = vtree_directory_list (fd, error);
  if (names == NULL)
    return false;
  *found = names->len > 0;
  return true;
}

/* What depends on a key besides the file itself: objects have the digest that they are
 * named by, and those of a repository that was private may be secrets. */
static bool
check_change (const VtreeRepo *repo, const char *key, const char *value, GError **error)
{
  g_autofree char *old = vtree_repo_config_value (repo->config, key, error);
  if (old == NULL)
    return false;
  bool found;
  bool opens = strcmp (key, "shared") == 0 && strcmp (value, "true") == 0;
  if ((!opens && strcmp (key, "digest") != 0) || strcmp (old, value) == 0)
    return true;
  if (!has_objects (repo, &found, error))
    return false;
  if (found)
    return vtree_error_set (
      error, VTREE_ERROR_INVALID,
      "configuration: %s can't become '%s' once there are objects", key, value);
  return true;
}

static bool
set_config (VtreeRepo *repo, const char *key, const char *value, GError **error)
{
  /* Nobody commits meanwhile, and nobody else's change is lost. */
  g_auto (VtreeFd) held = -1;
  if (!vtree_repo_lock (repo, VTREE_REPO_LOCK_EXCLUSIVE, 0, &held, error)
      || !check_change (repo, key, value, error))
    return false;
  g_autoptr (VtreeRepoConfig) config = load_config (repo->dirfd, error);
  if (config == NULL || !vtree_repo_config_change (config, key, value, error))
    return false;
  VtreeRepoOptions options;
  vtree_repo_config_options (config, &options);
  if (!publish_config (repo->dirfd, config, error))
    return false;
  if (fchmod (repo->dirfd, options.shared ? 0755 : 0700) < 0)
    return vtree_error_set_errno (error, errno, "set the mode of the directory");
  vtree_repo_config_free (repo->config);
  repo->config = g_steal_pointer (&config);
  repo->options = options;
  return true;
}

bool
vtree_repo_config_set (VtreeRepo *repo, const char *key, const char *value,
                       GError **error)
{
  if (set_config (repo, key, value, error))
    return true;
  g_autofree char *escaped = vtree_error_escape (repo->path, -1);
  g_prefix_error (error, "configure repository %s: ", escaped);
  return false;
}
