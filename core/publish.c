/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the sequence temporary file, fsync, seal, rename, fsync of the directory. Opens
 * only beneath the directory that it is given.
 */
#include "core/publish.h"

#include "core/beneath.h"
#include "core/directory.h"
#include "core/verity.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMP_NAME_MAX (sizeof VTREE_PUBLISH_TEMP_PREFIX + 16)

typedef struct {
  int dirfd;        /* the directory itself, not an ancestor */
  const char *name; /* one component */
  VtreePublishFlags flags;
  mode_t mode;
  const VtreeSeal *seal; /* NULL: not sealed */
} Target;

static bool
set_error (GError **error, int errnum, const char *what, const char *name)
{
  g_autofree char *escaped = vtree_error_escape (name, -1);
  return vtree_error_set_errno (error, errnum, "%s %s", what, escaped);
}

static bool
sync_file (int fd, const Target *target, GError **error)
{
  return (target->flags & VTREE_PUBLISH_NO_SYNC) || fsync (fd) == 0
         || set_error (error, errno, "sync", target->name);
}

static bool
prefix (GError **error, const char *what, const Target *target)
{
  g_autofree char *escaped = vtree_error_escape (target->name, -1);
  g_prefix_error (error, "%s %s: ", what, escaped);
  return false;
}

/* Writes the whole temporary file; nobody has it open afterwards. */
static bool
fill (const Target *target, const char *temp, GBytes *bytes, GError **error)
{
  size_t size;
  const void *data = g_bytes_get_data (bytes, &size);
  g_auto (VtreeFd) fd = vtree_beneath_open (target->dirfd, temp,
                                            O_WRONLY | O_CREAT | O_EXCL, 0600, error);
  if (fd < 0)
    return false;
  if (fchmod (fd, target->mode) < 0)
    return set_error (error, errno, "set the mode of", target->name);
  if (!vtree_fd_pwrite (fd, data, size, 0, error))
    return prefix (error, "publish", target);
  return sync_file (fd, target, error);
}

/* Seals the file if that is possible; *SEALED. */
static bool
try_seal (int fd, const VtreeSeal *seal, GBytes *bytes, bool *sealed, GError **error)
{
  size_t size;
  const void *data = g_bytes_get_data (bytes, &size);
  VtreeVerityParams params = { .alg = seal->alg, .size = size, .merkle_fd = -1 };
  VtreeDigest digest;
  g_autoptr (GError) failed = NULL;
  *sealed = false;
  if (!vtree_verity_compute_data (&params, data, &digest, error))
    return false;
  *sealed = vtree_seal_file (fd, &digest, seal->signer, &failed);
  if (*sealed || (seal->signer == NULL && vtree_seal_is_inability (failed)))
    return true;
  g_propagate_error (error, g_steal_pointer (&failed));
  return false;
}

static bool
seal_file (const Target *target, const char *temp, GBytes *bytes, GError **error)
{
  bool sealed;
  if (target->seal == NULL || target->seal->policy == VTREE_VERITY_OFF)
    return true;
  g_auto (VtreeFd) fd = vtree_beneath_open (target->dirfd, temp, O_RDONLY, 0, error);
  if (fd < 0)
    return false;
  if (!try_seal (fd, target->seal, bytes, &sealed, error))
    return prefix (error, "seal", target);
  return !sealed || sync_file (fd, target, error);
}

/* Gives the temporary file its name; 0 or an errno. */
static int
rename_into_place (const Target *target, const char *temp)
{
  if (!(target->flags & VTREE_PUBLISH_EXCLUSIVE))
    return renameat (target->dirfd, temp, target->dirfd, target->name) < 0 ? errno : 0;
  if (renameat2 (target->dirfd, temp, target->dirfd, target->name, RENAME_NOREPLACE)
      == 0)
    return 0;
  if (errno != EINVAL)
    return errno;
  /* A filesystem that does not know the flag (NFS). */
  if (linkat (target->dirfd, temp, target->dirfd, target->name, 0) < 0)
    return errno;
  return unlinkat (target->dirfd, temp, 0) < 0 ? errno : 0;
}

static bool
write_and_rename (const Target *target, const char *temp, GBytes *bytes, GError **error)
{
  bool ok = fill (target, temp, bytes, error) && seal_file (target, temp, bytes, error);
  int errnum = ok ? rename_into_place (target, temp) : 0;
  if (errnum != 0)
    ok = set_error (error, errnum, "publish", target->name);
  if (!ok)
    unlinkat (target->dirfd, temp, 0);
  return ok;
}

static bool
publish_in (const Target *target, GBytes *bytes, GError **error)
{
  char temp[TEMP_NAME_MAX];
  g_snprintf (temp, sizeof temp, VTREE_PUBLISH_TEMP_PREFIX "%08x%08x", g_random_int (),
              g_random_int ());
  if (!write_and_rename (target, temp, bytes, error))
    return false;
  if (!(target->flags & VTREE_PUBLISH_NO_SYNC) && fsync (target->dirfd) < 0)
    return set_error (error, errno, "sync the directory of", target->name);
  return true;
}

bool
vtree_publish_sealed (int dirfd, const char *name, GBytes *bytes, mode_t mode,
                      VtreePublishFlags flags, const VtreeSeal *seal, GError **error)
{
  const char *slash = strrchr (name, '/');
  g_autofree char *parent
    = slash != NULL ? g_strndup (name, (gsize) (slash - name)) : g_strdup (".");
  g_auto (VtreeFd) parent_fd
    = vtree_beneath_open (dirfd, parent, O_RDONLY | O_DIRECTORY, 0, error);
  if (parent_fd < 0) {
    g_prefix_error (error, "publish: ");
    return false;
  }
  Target target = { parent_fd, slash != NULL ? slash + 1 : name, flags, mode, seal };
  return publish_in (&target, bytes, error);
}

bool
vtree_publish (int dirfd, const char *name, const void *data, size_t size, mode_t mode,
               VtreePublishFlags flags, GError **error)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);
  return vtree_publish_sealed (dirfd, name, bytes, mode, flags, NULL, error);
}

bool
vtree_publish_clean (int dirfd, GError **error)
{
  g_autoptr (GPtrArray) names = vtree_directory_list (dirfd, error);
  for (guint i = 0; names != NULL && i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    if (g_str_has_prefix (name, VTREE_PUBLISH_TEMP_PREFIX)
        && unlinkat (dirfd, name, 0) < 0 && errno != ENOENT)
      return set_error (error, errno, "remove temporary file", name);
  }
  return names != NULL;
}

/* --- sealing what is there -------------------------------------------------------- */

static bool
is_sealed (int fd, const VtreeSeal *seal, bool *sealed, GError **error)
{
  VtreeDigest digest;
  bool enforced, lacks = false;
  if (!vtree_kernel_measure (fd, &enforced, &digest, error)
      || (enforced && seal->signer != NULL
          && !vtree_seal_lacks_signature (fd, &lacks, error)))
    return false;
  *sealed = enforced && !lacks;
  return true;
}

/* *SEALED: the file NAME is. *FD is -1 where there is none. */
static bool
open_and_look (int dirfd, const char *name, const VtreeSeal *seal, VtreeFd *fd,
               bool *sealed, GError **error)
{
  if (!vtree_beneath_open_file (dirfd, name, fd, NULL, error))
    return false;
  *sealed = false;
  return *fd < 0 || is_sealed (*fd, seal, sealed, error);
}

/* Puts what FD reads in its own place. */
static bool
publish_copy (int dirfd, const char *name, int fd, size_t limit, const VtreeSeal *seal,
              GError **error)
{
  struct stat st;
  g_autoptr (GBytes) bytes = vtree_fd_load (fd, limit, error);
  if (bytes == NULL)
    return false;
  if (fstat (fd, &st) < 0)
    return vtree_error_set_errno (error, errno, "fstat");
  mode_t mode = (st.st_mode & 0777) | S_IWUSR; /* as those have that can be replaced */
  return vtree_publish_sealed (dirfd, name, bytes, mode, VTREE_PUBLISH_REPLACE, seal,
                               error);
}

bool
vtree_publish_again (int dirfd, const char *name, size_t limit, const VtreeSeal *seal,
                     bool *done, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  g_auto (VtreeFd) new_fd = -1;
  bool sealed;
  *done = false;
  if (!open_and_look (dirfd, name, seal, &fd, &sealed, error))
    return false;
  if (fd < 0 || sealed)
    return true;
  return publish_copy (dirfd, name, fd, limit, seal, error)
         && open_and_look (dirfd, name, seal, &new_fd, done, error);
}
