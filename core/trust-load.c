/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns reading keys.d, certs.d and revoked.d, with the check that nobody else can write
 * there. Decides about no signature: see trust.c.
 */
#include "core/directory.h"
#include "core/fd.h"
#include "core/trust-store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Deeper than any ref has components; bounds the recursion. */
#define DEPTH_MAX 100

/* Which of the directories it is. */
typedef enum {
  KEYS,
  CERTIFICATES,
  REVOKED,
} PlaceKind;

typedef struct {
  int dirfd;
  char *path;   /* of the directory, for messages */
  char *prefix; /* of the refs, for keys.d and certs.d */
  unsigned depth;
  PlaceKind kind;
} Place;

static void
place_clear (Place *place)
{
  vtree_fd_close (place->dirfd);
  g_free (place->path);
  g_free (place->prefix);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Place, place_clear)

static void
entry_free (gpointer data)
{
  VtreeTrustEntry *entry = data;
  g_free (entry->path);
  g_free (entry->name);
  g_free (entry->prefix);
  vtree_anchor_clear (&entry->anchor);
  g_free (entry);
}

static void
revocation_clear (gpointer data)
{
  g_free (((VtreeTrustRevocation *) data)->path);
}

void
vtree_trust_free (VtreeTrust *trust)
{
  if (trust == NULL)
    return;
  g_ptr_array_unref (trust->entries);
  g_array_unref (trust->revocations);
  g_free (trust);
}

static char *
dup_key_name (const char *path)
{
  g_autofree char *base = g_path_get_basename (path);
  if (g_str_has_suffix (base, ".pem"))
    base[strlen (base) - strlen (".pem")] = '\0';
  return g_steal_pointer (&base);
}

/* Takes what ANCHOR holds, which may be nothing. */
static void
add_entry (VtreeTrust *trust, const VtreeKeyId *id, const char *path,
           const char *prefix, VtreeAnchor *anchor)
{
  VtreeTrustEntry *entry = g_new0 (VtreeTrustEntry, 1);
  entry->path = g_strdup (path);
  entry->name = dup_key_name (path);
  entry->prefix = g_strdup (prefix);
  entry->anchor = *anchor;
  *anchor = (VtreeAnchor){ NULL, NULL };
  entry->key = (VtreeTrustKey){
    .id = *id,
    .kind = vtree_anchor_kind (&entry->anchor),
    .path = entry->path,
    .name = entry->name,
    .prefix = entry->prefix,
    .certificate = entry->anchor.certificate,
  };
  g_ptr_array_add (trust->entries, entry);
}

static void
add_revocation (VtreeTrust *trust, const VtreeKeyId *id, const char *path)
{
  VtreeTrustRevocation revocation = { *id, g_strdup (path) };
  g_array_append_val (trust->revocations, revocation);
}

static bool
set_place_error (GError **error, const char *path, const char *fault)
{
  g_autofree char *name = vtree_error_escape (path, -1);
  return vtree_error_set (error, VTREE_ERROR_UNTRUSTED, "%s: %s", name, fault);
}

/* Opens a regular file that nobody else can write; -1 on error. */
static int
open_checked (int dirfd, const char *name, int flags, const char *path, GError **error)
{
  g_auto (VtreeFd) fd
    = openat (dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
  g_autofree char *escaped = vtree_error_escape (path, -1);
  if (fd < 0 && errno == ENOENT) {
    vtree_error_set (error, VTREE_ERROR_MISSING,
                     "open key file %s: there is no such file", escaped);
    return -1;
  }
  struct stat st;
  if (fd < 0 || fstat (fd, &st) < 0) {
    vtree_error_set_errno (error, errno, "open key file %s", escaped);
    return -1;
  }
  if (!S_ISREG (st.st_mode)) {
    set_place_error (error, path, "not a regular file");
    return -1;
  }
  return vtree_paths_check_owner (fd, path, error) ? vtree_fd_steal (&fd) : -1;
}

static bool
load_anchor (int fd, const char *path, VtreeAnchor *anchor, GError **error)
{
  g_autofree char *name = vtree_error_escape (path, -1);
  g_autoptr (GBytes) bytes = vtree_fd_load (fd, VTREE_KEY_FILE_MAX, error);
  if (bytes != NULL
      && vtree_anchor_parse (anchor, g_bytes_get_data (bytes, NULL),
                             g_bytes_get_size (bytes), error))
    return true;
  g_prefix_error (error, "key file %s: ", name);
  return false;
}

/* What stands in the wrong directory is not passed over, nor is it taken for what it
 * is not. */
static bool
check_place (const Place *place, const VtreeAnchor *anchor, const char *path,
             GError **error)
{
  if (place->kind == KEYS && anchor->public == NULL)
    return set_place_error (error, path,
                            "a certificate, and those belong into certs.d; move it");
  if (place->kind == CERTIFICATES && anchor->certificate == NULL)
    return set_place_error (error, path,
                            "a public key, and those belong into keys.d; move it");
  return true;
}

/* In the directories, a key that can't be read is not the caller's mistake but a store
 * that can't be relied on. */
static bool
load_stored (const Place *place, const char *name, const char *path,
             VtreeAnchor *anchor, GError **error)
{
  g_auto (VtreeFd) fd = open_checked (place->dirfd, name, O_NOFOLLOW, path, error);
  if (fd < 0)
    return false;
  g_autoptr (GError) fault = NULL;
  if (!load_anchor (fd, path, anchor, &fault))
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED, "%s; repair or remove it",
                            fault->message);
  return check_place (place, anchor, path, error);
}

static bool
add_pem (VtreeTrust *trust, const Place *place, const char *name, const char *path,
         GError **error)
{
  g_auto (VtreeAnchor) anchor = { NULL, NULL };
  if (!load_stored (place, name, path, &anchor, error))
    return false;
  VtreeKeyId id = *vtree_anchor_id (&anchor);
  if (place->kind == REVOKED)
    add_revocation (trust, &id, path);
  else
    add_entry (trust, &id, path, place->prefix, &anchor);
  return true;
}

/* A file of revoked.d that is no PEM file. */
static bool
add_named_revocation (VtreeTrust *trust, const Place *place, const char *name,
                      const char *path, GError **error)
{
  VtreeKeyId id;
  if (g_str_has_suffix (name, "~"))
    return true;
  if (!vtree_key_id_parse (name, &id))
    return set_place_error (error, path,
                            "neither a .pem file nor named by a key id, and a "
                            "revocation must not be overlooked; rename or remove it");
  g_auto (VtreeFd) fd = open_checked (place->dirfd, name, O_NOFOLLOW, path, error);
  if (fd < 0)
    return false;
  add_revocation (trust, &id, path);
  return true;
}

static bool read_place (VtreeTrust *trust, const Place *place, GError **error);

static bool
read_subdirectory (VtreeTrust *trust, const Place *place, const char *name,
                   GError **error)
{
  g_auto (Place) below = {
    .dirfd = openat (place->dirfd, name,
                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK),
    .path = g_build_filename (place->path, name, NULL),
    .prefix = *place->prefix != '\0' ? g_strdup_printf ("%s/%s", place->prefix, name)
                                     : g_strdup (name),
    .depth = place->depth + 1,
    .kind = place->kind,
  };
  g_autofree char *escaped = vtree_error_escape (below.path, -1);
  if (below.dirfd < 0)
    return vtree_error_set_errno (error, errno, "open key directory %s", escaped);
  if (below.depth > DEPTH_MAX)
    return set_place_error (error, below.path, "more than 100 directories deep");
  return vtree_paths_check_owner (below.dirfd, below.path, error)
         && read_place (trust, &below, error);
}

/* A directory is not taken for the revocation that somebody meant it to be. */
static bool
check_directory (const Place *place, const char *name, const char *path, GError **error)
{
  VtreeKeyId id;
  if (place->kind != REVOKED || !vtree_key_id_parse (name, &id))
    return true;
  return set_place_error (error, path,
                          "a directory, and a revocation is a file; put a file of that "
                          "name in its place");
}

static bool
read_one (VtreeTrust *trust, const Place *place, const char *name, GError **error)
{
  g_autofree char *path = g_build_filename (place->path, name, NULL);
  struct stat st;
  if (fstatat (place->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
    g_autofree char *escaped = vtree_error_escape (path, -1);
    return vtree_error_set_errno (error, errno, "read key directory: %s", escaped);
  }
  if (S_ISLNK (st.st_mode))
    return set_place_error (error, path,
                            "a symlink, which is not followed here; put a copy of the "
                            "key in its place");
  if (S_ISDIR (st.st_mode))
    return check_directory (place, name, path, error)
           && read_subdirectory (trust, place, name, error);
  if (g_str_has_suffix (name, ".pem"))
    return add_pem (trust, place, name, path, error);
  return place->kind != REVOKED
         || add_named_revocation (trust, place, name, path, error);
}

static bool
read_place (VtreeTrust *trust, const Place *place, GError **error)
{
  g_autoptr (GPtrArray) names = vtree_directory_list (place->dirfd, error);
  if (names == NULL) {
    g_autofree char *escaped = vtree_error_escape (place->path, -1);
    g_prefix_error (error, "key directory %s: ", escaped);
    return false;
  }
  for (size_t i = 0; i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    if (name[0] != '.' && !read_one (trust, place, name, error))
      return false;
  }
  return true;
}

/* Every directory of the NULL-terminated DIRS that exists. */
static bool
read_all (VtreeTrust *trust, const char *const *dirs, PlaceKind kind, GError **error)
{
  for (; *dirs != NULL; dirs++) {
    bool missing;
    g_auto (Place) place = {
      .dirfd = vtree_paths_open_directory (*dirs, false, &missing, error),
      .path = g_strdup (*dirs),
      .prefix = g_strdup (""),
      .kind = kind,
    };
    if (place.dirfd < 0 && missing)
      continue;
    if (place.dirfd < 0 || !read_place (trust, &place, error))
      return false;
  }
  return true;
}

static bool
read_key_file (VtreeTrust *trust, const char *path, GError **error)
{
  g_auto (VtreeFd) fd = open_checked (AT_FDCWD, path, 0, path, error);
  if (fd < 0)
    return false;
  g_auto (VtreeAnchor) anchor = { NULL, NULL };
  if (!load_anchor (fd, path, &anchor, error))
    return false;
  VtreeKeyId id = *vtree_anchor_id (&anchor);
  add_entry (trust, &id, path, "", &anchor);
  return true;
}

static bool
has_entry (const VtreeTrust *trust, const VtreeKeyId *id)
{
  for (size_t i = 0; i < trust->entries->len; i++) {
    const VtreeTrustEntry *entry = g_ptr_array_index (trust->entries, i);
    if (vtree_key_id_equal (&entry->key.id, id))
      return true;
  }
  return false;
}

/* Whether ID is ENTRY's, or that of the Ed25519 key in its certificate. */
static bool
is_revoked_by (const VtreeTrustEntry *entry, const VtreeKeyId *id)
{
  VtreeKeyId inside;
  if (vtree_key_id_equal (&entry->key.id, id))
    return true;
  return entry->anchor.certificate != NULL
         && vtree_certificate_key_id (entry->anchor.certificate, &inside)
         && vtree_key_id_equal (&inside, id);
}

static void
apply_revocation (VtreeTrust *trust, const VtreeTrustRevocation *revocation)
{
  VtreeAnchor nothing = { NULL, NULL };
  if (!has_entry (trust, &revocation->id))
    add_entry (trust, &revocation->id, revocation->path, "", &nothing);
  for (size_t i = 0; i < trust->entries->len; i++) {
    VtreeTrustEntry *entry = g_ptr_array_index (trust->entries, i);
    if (!is_revoked_by (entry, &revocation->id))
      continue;
    entry->key.revoked_by = revocation->path;
    entry->key.revoked = true;
  }
}

/* All that may sign: what KEY_FILE holds, or what the directories do. */
static bool
read_trusted (VtreeTrust *trust, const VtreePaths *paths, const char *key_file,
              GError **error)
{
  if (key_file != NULL)
    return read_key_file (trust, key_file, error);
  return read_all (trust, vtree_paths_all_keys (paths), KEYS, error)
         && read_all (trust, vtree_paths_all_certificates (paths), CERTIFICATES, error);
}

VtreeTrust *
vtree_trust_load (const VtreePaths *paths, const char *key_file, GError **error)
{
  g_autoptr (VtreeTrust) trust = g_new0 (VtreeTrust, 1);
  trust->entries = g_ptr_array_new_with_free_func (entry_free);
  trust->revocations = g_array_new (FALSE, FALSE, sizeof (VtreeTrustRevocation));
  g_array_set_clear_func (trust->revocations, revocation_clear);
  if (!read_trusted (trust, paths, key_file, error)
      || !read_all (trust, vtree_paths_all_revoked (paths), REVOKED, error)) {
    g_prefix_error (error, "load trusted keys: ");
    return NULL;
  }
  for (guint i = 0; i < trust->revocations->len; i++)
    apply_revocation (trust,
                      &g_array_index (trust->revocations, VtreeTrustRevocation, i));
  return g_steal_pointer (&trust);
}
