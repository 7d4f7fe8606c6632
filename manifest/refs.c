/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the refs/ directory of a repository: one directory a ref, in it statements,
 * signatures and head. Everything there is untrusted: opened beneath the repository,
 * and of the exact form or CORRUPT. Judges no signature: see resolve.c. Which refs
 * there are: refs-walk.c.
 */
#include "core/beneath.h"
#include "core/directory.h"
#include "core/lock.h"
#include "core/publish.h"
#include "core/text.h"
#include "manifest/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define HEAD "head"
/* "18446744073709551615\n" */
#define HEAD_MAX 21
#define FILE_MODE 0644
#define DIRECTORY_MODE 0755

static bool
prefix_error (GError **error, const char *what, const char *name)
{
  g_prefix_error (error, "%s ref '%s': ", what, name);
  return false;
}

static char *
dup_file_name (uint64_t version, const char *suffix)
{
  return g_strdup_printf ("%" G_GUINT64_FORMAT "%s", version, suffix);
}

/* Opens the directory of NAME ("" for refs/ itself); *FD is -1 where it is missing. */
static bool
open_ref (const VtreeRepo *repo, const char *name, VtreeFd *fd, GError **error)
{
  g_autofree char *path = g_build_filename ("refs", name, NULL);
  return vtree_beneath_open_directory (vtree_repo_dirfd (repo), path, fd, error);
}

static bool
open_existing_ref (const VtreeRepo *repo, const char *name, VtreeFd *fd, GError **error)
{
  if (!open_ref (repo, name, fd, error))
    return false;
  return *fd >= 0
         || vtree_error_set (error, VTREE_ERROR_MISSING,
                             "there is no such ref in %s; see `vtree refs`",
                             vtree_repo_path (repo));
}

/* --- looking ---------------------------------------------------------------------- */

static int
compare_versions (gconstpointer a, gconstpointer b)
{
  uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
  return x < y ? -1 : x > y;
}

GArray *
vtree_refs_versions (const VtreeRepo *repo, const char *name, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  g_autoptr (GPtrArray) names = NULL;
  if (open_existing_ref (repo, name, &fd, error))
    names = vtree_directory_list (fd, error);
  if (names == NULL) {
    prefix_error (error, "look up", name);
    return NULL;
  }
  GArray *versions = g_array_new (FALSE, FALSE, sizeof (uint64_t));
  for (size_t i = 0; i < names->len; i++) {
    uint64_t version;
    if (vtree_ref_parse_file (g_ptr_array_index (names, i), ".root", &version))
      g_array_append_val (versions, version);
  }
  g_array_sort (versions, compare_versions);
  return versions;
}

/* What is longer than it may be was not written by us. */
static bool
load (int fd, const char *file, size_t limit, GBytes **bytes, GError **error)
{
  g_autoptr (GError) cause = NULL;
  if (vtree_beneath_load (fd, file, limit, bytes, &cause))
    return true;
  if (g_error_matches (cause, VTREE_ERROR, VTREE_ERROR_LIMIT))
    return vtree_error_set (error, VTREE_ERROR_CORRUPT, "%s", cause->message);
  g_propagate_error (error, g_steal_pointer (&cause));
  return false;
}

static bool
parse_head (GBytes *bytes, uint64_t *version)
{
  size_t size;
  const char *text = g_bytes_get_data (bytes, &size);
  return size > 1 && text[size - 1] == '\n'
         && vtree_text_parse_u64 (text, size - 1, version) && *version > 0;
}

static bool
load_head (int fd, bool *found, uint64_t *version, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  if (!load (fd, HEAD, HEAD_MAX, &bytes, error))
    return false;
  uint64_t parsed = 0;
  if (bytes != NULL && !parse_head (bytes, &parsed))
    return vtree_error_set (error, VTREE_ERROR_CORRUPT, "its head is no version");
  *found = bytes != NULL;
  if (bytes != NULL)
    *version = parsed;
  return true;
}

bool
vtree_refs_head (const VtreeRepo *repo, const char *name, bool *found,
                 uint64_t *version, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  if (!open_ref (repo, name, &fd, error))
    return prefix_error (error, "read the head of", name);
  *found = false;
  if (fd >= 0 && !load_head (fd, found, version, error))
    return prefix_error (error, "read the head of", name);
  return true;
}

static bool
load_version (int fd, uint64_t version, GBytes **root, GBytes **sig, GError **error)
{
  g_autofree char *root_name = dup_file_name (version, ".root");
  g_autofree char *sig_name = dup_file_name (version, ".sig");
  g_autoptr (GBytes) root_bytes = NULL;
  g_autoptr (GBytes) sig_bytes = NULL;
  if (!load (fd, root_name, VTREE_STATEMENT_MAX, &root_bytes, error)
      || !load (fd, sig_name, VTREE_SIGNATURE_FILE_MAX, &sig_bytes, error))
    return false;
  if (root_bytes == NULL)
    return vtree_error_set (
      error, VTREE_ERROR_MISSING,
      "there is no version %" G_GUINT64_FORMAT "; `vtree log` lists them", version);
  *root = g_steal_pointer (&root_bytes);
  *sig = g_steal_pointer (&sig_bytes);
  return true;
}

bool
vtree_refs_load (const VtreeRepo *repo, const char *name, uint64_t version,
                 GBytes **root, GBytes **sig, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  if (!open_existing_ref (repo, name, &fd, error)
      || !load_version (fd, version, root, sig, error))
    return prefix_error (error, "read", name);
  return true;
}

/* --- writing ---------------------------------------------------------------------- */

/* Whatever the umask says: who may enter the repository is its top directory's
 * affair. */
static bool
make_component (int parent, const char *name, VtreeFd *fd, GError **error)
{
  if (!vtree_beneath_open_directory (parent, name, fd, error))
    return false;
  if (*fd >= 0)
    return true;
  g_auto (VtreeFd) made
    = vtree_beneath_make_directory (parent, name, DIRECTORY_MODE, error);
  if (made < 0)
    return false;
  if (fchmod (made, DIRECTORY_MODE) < 0)
    return vtree_error_set_errno (error, errno, "set the mode of %s", name);
  *fd = vtree_fd_steal (&made);
  return true;
}

/* Opens the directory of NAME, made if missing; -1 on error. */
static int
make_ref (const VtreeRepo *repo, const char *name, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  if (!vtree_ref_check_name (name, error)
      || !make_component (vtree_repo_dirfd (repo), "refs", &fd, error))
    return -1;
  g_auto (GStrv) components = g_strsplit (name, "/", -1);
  for (char **component = components; *component != NULL; component++) {
    VtreeFd next = -1;
    if (!make_component (fd, *component, &next, error))
      return -1;
    vtree_fd_replace_take (&fd, next);
  }
  return vtree_fd_steal (&fd);
}

bool
vtree_refs_lock (const VtreeRepo *repo, const char *name, int wait, VtreeFd *fd,
                 GError **error)
{
  g_auto (VtreeFd) opened = make_ref (repo, name, error);
  if (opened < 0 || !vtree_lock_take (opened, VTREE_LOCK_EXCLUSIVE, wait, error))
    return prefix_error (error, "lock", name);
  *fd = vtree_fd_steal (&opened);
  return true;
}

/* Where a version's files are put, and how. */
typedef struct {
  VtreeFd fd; /* the ref's directory */
  VtreeSeal seal;
} Place;

static void
place_clear (Place *place)
{
  vtree_fd_close (place->fd);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Place, place_clear)

static bool
put (const Place *place, const char *file, GBytes *bytes, VtreePublishFlags flags,
     GError **error)
{
  return vtree_publish_sealed (place->fd, file, bytes, FILE_MODE, flags, &place->seal,
                               error);
}

/* A statement never changes: *FOUND, it is there already, with the same bytes. */
static bool
find_root (const Place *place, const char *file, GBytes *root, bool *found,
           GError **error)
{
  g_autoptr (GBytes) old = NULL;
  if (!load (place->fd, file, VTREE_STATEMENT_MAX, &old, error))
    return false;
  *found = old != NULL;
  return old == NULL || g_bytes_equal (old, root)
         || vtree_error_set (error, VTREE_ERROR_INVALID,
                             "%s exists and is another statement", file);
}

/* What a commit that was interrupted signed is no signature of what has none. */
static bool
remove_signature (const Place *place, const char *file, GError **error)
{
  if (unlinkat (place->fd, file, 0) < 0)
    return errno == ENOENT || vtree_error_set_errno (error, errno, "remove %s", file);
  return fsync (place->fd) == 0
         || vtree_error_set_errno (error, errno, "sync what %s was removed from", file);
}

/* The signature first: the statement makes the version, which is then never without
 * its signature. */
static bool
put_version (const Place *place, uint64_t version, GBytes *root, GBytes *sig,
             GError **error)
{
  g_autofree char *root_name = dup_file_name (version, ".root");
  g_autofree char *sig_name = dup_file_name (version, ".sig");
  bool found;
  if (!find_root (place, root_name, root, &found, error)
      || (sig != NULL && !put (place, sig_name, sig, VTREE_PUBLISH_REPLACE, error))
      || (sig == NULL && !found && !remove_signature (place, sig_name, error)))
    return false;
  return found || put (place, root_name, root, VTREE_PUBLISH_EXCLUSIVE, error);
}

bool
vtree_refs_put (const VtreeRepo *repo, const char *name, uint64_t version, GBytes *root,
                GBytes *sig, const VtreeSeal *seal, GError **error)
{
  g_auto (Place) place
    = { make_ref (repo, name, error), seal != NULL ? *seal : vtree_repo_seal (repo) };
  if (place.fd < 0 || !put_version (&place, version, root, sig, error))
    return prefix_error (error, "write", name);
  return true;
}

/* True if VERSION has a statement. */
static bool
check_version (int fd, uint64_t version, GError **error)
{
  g_autofree char *file = dup_file_name (version, ".root");
  g_auto (VtreeFd) root = -1;
  if (!vtree_beneath_open_file (fd, file, &root, NULL, error))
    return false;
  return root >= 0
         || vtree_error_set (error, VTREE_ERROR_MISSING,
                             "there is no version %" G_GUINT64_FORMAT, version);
}

bool
vtree_refs_put_signature (const VtreeRepo *repo, const char *name, uint64_t version,
                          GBytes *sig, const VtreeSeal *seal, GError **error)
{
  g_auto (Place) place = { -1, seal != NULL ? *seal : vtree_repo_seal (repo) };
  g_autofree char *file = dup_file_name (version, ".sig");
  if (!open_existing_ref (repo, name, &place.fd, error)
      || !check_version (place.fd, version, error)
      || !put (&place, file, sig, VTREE_PUBLISH_REPLACE, error))
    return prefix_error (error, "sign", name);
  return true;
}

bool
vtree_refs_set_head (const VtreeRepo *repo, const char *name, uint64_t version,
                     GError **error)
{
  g_auto (VtreeFd) fd = -1;
  g_autofree char *text = dup_file_name (version, "\n");
  if (!open_existing_ref (repo, name, &fd, error) || !check_version (fd, version, error)
      || !vtree_publish (fd, HEAD, text, strlen (text), FILE_MODE,
                         VTREE_PUBLISH_REPLACE, error))
    return prefix_error (error, "move the head of", name);
  return true;
}

/* --- removing --------------------------------------------------------------------- */

static bool
remove_file (int fd, const char *file, GError **error)
{
  if (unlinkat (fd, file, 0) == 0 || errno == ENOENT)
    return true;
  g_autofree char *escaped = vtree_error_escape (file, -1);
  return vtree_error_set_errno (error, errno, "remove %s", escaped);
}

/* The statement goes first: a signature by itself names nothing. */
static bool
remove_version (int fd, uint64_t version, GError **error)
{
  bool found;
  uint64_t head;
  if (!load_head (fd, &found, &head, error))
    return false;
  if (found && head == version)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "version %" G_GUINT64_FORMAT " is its head", version);
  g_autofree char *root_name = dup_file_name (version, ".root");
  g_autofree char *sig_name = dup_file_name (version, ".sig");
  return remove_file (fd, root_name, error) && remove_file (fd, sig_name, error);
}

bool
vtree_refs_remove_version (const VtreeRepo *repo, const char *name, uint64_t version,
                           GError **error)
{
  g_auto (VtreeFd) fd = -1;
  if (!open_existing_ref (repo, name, &fd, error)
      || !remove_version (fd, version, error))
    return prefix_error (error, "remove a version of", name);
  return true;
}

/* Removes what belongs to the ref itself; what belongs to refs below it stays. The head
 * goes first, so that an interrupted removal leaves no head without its version. */
static bool
remove_files (int fd, GError **error)
{
  if (!remove_file (fd, HEAD, error))
    return false;
  g_autoptr (GPtrArray) names = vtree_directory_list (fd, error);
  if (names == NULL)
    return false;
  for (size_t i = 0; i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    uint64_t version;
    bool ours = vtree_ref_parse_file (name, ".root", &version)
                || vtree_ref_parse_file (name, ".sig", &version)
                || g_str_has_prefix (name, VTREE_PUBLISH_TEMP_PREFIX);
    if (ours && !remove_file (fd, name, error))
      return false;
  }
  return fsync (fd) == 0 || vtree_error_set_errno (error, errno, "sync");
}

/* Removes the directories of NAME that have become empty, the deepest first. */
static void
prune (const VtreeRepo *repo, const char *name)
{
  g_auto (VtreeFd) refs = -1;
  if (!open_ref (repo, "", &refs, NULL) || refs < 0)
    return;
  g_auto (GStrv) components = g_strsplit (name, "/", -1);
  for (guint count = g_strv_length (components); count > 0; count--) {
    g_autofree char *last = g_steal_pointer (&components[count - 1]);
    g_autofree char *parent = g_strjoinv ("/", components);
    g_auto (VtreeFd) fd = -1;
    if (!open_ref (repo, parent, &fd, NULL) || fd < 0
        || unlinkat (fd, last, AT_REMOVEDIR) < 0)
      return;
  }
}

bool
vtree_refs_remove (const VtreeRepo *repo, const char *name, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  if (!open_existing_ref (repo, name, &fd, error) || !remove_files (fd, error))
    return prefix_error (error, "remove", name);
  prune (repo, name);
  return true;
}
