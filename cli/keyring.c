/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the names and places of key files that the command writes. Judges no signature.
 */
#include "cli/keyring.h"
#include "core/beneath.h"
#include "core/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".pem"

/* All of standard input, at most LIMIT bytes: a pipe has no offsets. */
static GBytes *
load_stdin (size_t limit, GError **error)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  uint8_t chunk[4096];

  while (bytes->len <= limit) {
    ssize_t got = read (STDIN_FILENO, chunk, sizeof chunk);

    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0) {
      vtree_error_set_errno (error, errno, "read standard input");
      return NULL;
    }
    if (got == 0)
      return g_byte_array_free_to_bytes (g_steal_pointer (&bytes));
    g_byte_array_append (bytes, chunk, (guint) got);
  }
  vtree_error_set (error, VTREE_ERROR_LIMIT, "read standard input: more than %zu bytes",
                   limit);
  return NULL;
}

GBytes *
vtree_keyring_read (const char *file, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  g_autofree char *escaped = vtree_error_escape (file, -1);
  GBytes *bytes;

  if (strcmp (file, "-") == 0)
    return load_stdin (VTREE_KEY_FILE_MAX, error);
  fd = open (file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) {
    vtree_error_set_errno (error, errno, "open %s", escaped);
    return NULL;
  }
  bytes = vtree_fd_load (fd, VTREE_KEY_FILE_MAX, error);
  if (bytes == NULL)
    g_prefix_error (error, "read %s: ", escaped);
  return bytes;
}

static int
compare_names (const void *a, const void *b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* Adds the key names in DIRECTORY to NAMES. */
static bool
read_names (DIR *directory, GPtrArray *names, GError **error)
{
  struct dirent *entry;

  while (errno = 0, (entry = readdir (directory)) != NULL) {
    size_t length = strlen (entry->d_name);

    if (entry->d_name[0] != '.' && g_str_has_suffix (entry->d_name, SUFFIX))
      g_ptr_array_add (names, g_strndup (entry->d_name, length - strlen (SUFFIX)));
  }
  if (errno != 0)
    return vtree_error_set_errno (error, errno, "list private keys");
  return true;
}

char **
vtree_keyring_names (const VtreePaths *paths, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  bool missing = false;
  int fd
    = vtree_paths_open_directory (vtree_paths_private (paths), false, &missing, error);
  DIR *directory;
  bool done;

  if (fd < 0 && !missing)
    return NULL;
  if (fd >= 0) {
    directory = fdopendir (fd);
    if (directory == NULL) {
      vtree_error_set_errno (error, errno, "list %s", vtree_paths_private (paths));
      close (fd);
      return NULL;
    }
    done = read_names (directory, names, error);
    closedir (directory);
    if (!done)
      return NULL;
  }
  g_ptr_array_sort (names, compare_names);
  g_ptr_array_add (names, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&names), FALSE);
}

/* The name to use where the person gave none. */
static char *
choose_name (const VtreePaths *paths, GError **error)
{
  g_auto (GStrv) names = vtree_keyring_names (paths, error);

  if (names == NULL)
    return NULL;
  if (names[0] == NULL) {
    vtree_error_set (
      error, VTREE_ERROR_MISSING,
      "find a signing key in %s: there is none; make one with `vtree key "
      "generate`",
      vtree_paths_private (paths));
    return NULL;
  }
  if (names[1] == NULL)
    return g_strdup (names[0]);
  if (g_strv_contains ((const char *const *) names, VTREE_KEYRING_DEFAULT))
    return g_strdup (VTREE_KEYRING_DEFAULT);
  vtree_error_set (error, VTREE_ERROR_INVALID,
                   "find a signing key in %s: there are several and none is named "
                   "\"" VTREE_KEYRING_DEFAULT "\"; choose one by its name",
                   vtree_paths_private (paths));
  return NULL;
}

static char *
private_path (const VtreePaths *paths, const char *name)
{
  return g_strconcat (vtree_paths_private (paths), "/", name, SUFFIX, NULL);
}

VtreePrivateKey *
vtree_keyring_load (const VtreePaths *paths, const char *name, GError **error)
{
  g_autofree char *chosen = name != NULL ? g_strdup (name) : choose_name (paths, error);
  g_autofree char *path = NULL;

  if (chosen == NULL)
    return NULL;
  path = private_path (paths, chosen);
  if (name != NULL && !g_file_test (path, G_FILE_TEST_EXISTS)) {
    vtree_error_set (error, VTREE_ERROR_MISSING,
                     "find the signing key '%s': there is no %s; see `vtree key list`",
                     name, path);
    return NULL;
  }
  return vtree_private_key_load (path, error);
}

bool
vtree_keyring_id (const VtreePaths *paths, const char *name, VtreeKeyId *id,
                  GError **error)
{
  g_autofree char *path = private_path (paths, name);
  g_autoptr (VtreePrivateKey) key = vtree_private_key_load (path, error);
  g_autoptr (VtreePublicKey) public = NULL;

  if (key == NULL)
    return false;
  public = vtree_private_key_public (key, error);
  if (public == NULL)
    return false;
  *id = *vtree_public_key_id (public);
  return true;
}

/* *SAME: whether NAME beneath DIRFD holds ANCHOR; *FREE: whether there is nothing. */
static bool
compare_file (int dirfd, const char *name, const VtreeAnchor *anchor, bool *same,
              bool *free_name, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_auto (VtreeAnchor) other = { NULL, NULL };

  if (!vtree_beneath_load (dirfd, name, VTREE_KEY_FILE_MAX, &bytes, error))
    return false;
  *free_name = bytes == NULL;
  *same = bytes != NULL
          && vtree_anchor_parse (&other, g_bytes_get_data (bytes, NULL),
                                 g_bytes_get_size (bytes), NULL)
          && vtree_key_id_equal (vtree_anchor_id (&other), vtree_anchor_id (anchor));
  return true;
}

/* Writes ANCHOR as FILE beneath DIRFD; *DONE is false where another one has that
 * name. */
static bool
put_anchor (int dirfd, const char *file, const VtreeAnchor *anchor, bool *done,
            GError **error)
{
  g_autofree char *pem = NULL;
  bool same, free_name;

  if (!compare_file (dirfd, file, anchor, &same, &free_name, error))
    return false;
  *done = same || free_name;
  if (!free_name)
    return true;
  pem = vtree_anchor_to_pem (anchor);
  return vtree_publish (dirfd, file, pem, strlen (pem), 0644, VTREE_PUBLISH_EXCLUSIVE,
                        error);
}

bool
vtree_keyring_trust (const char *trust_dir, const char *prefix, const char *name,
                     const VtreeAnchor *anchor, char **path, GError **error)
{
  g_autofree char *dir = prefix != NULL ? g_strconcat (trust_dir, "/", prefix, NULL)
                                        : g_strdup (trust_dir);
  g_auto (VtreeFd) fd = vtree_paths_open_directory (dir, true, NULL, error);
  char id[VTREE_KEY_ID_TEXT_MAX];
  g_autofree char *file = g_strconcat (name, SUFFIX, NULL);
  bool done;

  if (fd < 0 || !put_anchor (fd, file, anchor, &done, error))
    return false;
  if (!done) {
    vtree_key_id_format (vtree_anchor_id (anchor), id);
    g_free (file);
    file = g_strconcat (name, "-", id, SUFFIX, NULL);
    if (!put_anchor (fd, file, anchor, &done, error))
      return false;
  }
  if (!done)
    return vtree_error_set (error, VTREE_ERROR_FAILED,
                            "trust %s/%s: another key is there", dir, file);
  *path = g_strconcat (dir, "/", file, NULL);
  return true;
}

/* Saves KEY as NAME.pem in the private directory. */
static bool
save_private (const VtreePaths *paths, const char *name, const VtreePrivateKey *key,
              char **path, GError **error)
{
  const char *dir = vtree_paths_private (paths);
  g_auto (VtreeFd) fd = vtree_paths_open_directory (dir, true, NULL, error);
  g_autofree char *file = g_strconcat (name, SUFFIX, NULL);
  g_autoptr (GError) local = NULL;

  if (fd < 0)
    return false;
  if (vtree_private_key_save (key, fd, file, &local)) {
    *path = g_strconcat (dir, "/", file, NULL);
    return true;
  }
  if (g_error_matches (local, VTREE_ERRNO_ERROR, EEXIST))
    return vtree_error_set (error, VTREE_ERROR_FAILED,
                            "make the key '%s': %s/%s exists, and is not overwritten; "
                            "choose another name",
                            name, dir, file);
  g_propagate_error (error, g_steal_pointer (&local));
  return false;
}

bool
vtree_keyring_generate (const VtreePaths *paths, const char *name, VtreeKeyId *id,
                        char **private_path_out, char **public_path, GError **error)
{
  g_autoptr (VtreePrivateKey) key = vtree_private_key_generate (error);
  g_auto (VtreeAnchor) anchor = { NULL, NULL };
  g_autofree char *path = NULL;

  if (key == NULL)
    return false;
  anchor.public = vtree_private_key_public (key, error);
  if (anchor.public == NULL || !save_private (paths, name, key, &path, error))
    return false;
  if (!vtree_keyring_trust (vtree_paths_keys (paths), NULL, name, &anchor, public_path,
                            error)) {
    unlink (path);
    return false;
  }
  *id = *vtree_anchor_id (&anchor);
  *private_path_out = g_steal_pointer (&path);
  return true;
}

/* Counts ID among MATCHES if its text begins with PREFIX and it is a new one. */
static void
match_id (const VtreeKeyId *id, const char *prefix, GArray *matches)
{
  char text[VTREE_KEY_ID_TEXT_MAX];

  if (!g_str_has_prefix (vtree_key_id_format (id, text), prefix))
    return;
  for (guint i = 0; i < matches->len; i++)
    if (vtree_key_id_equal (&g_array_index (matches, VtreeKeyId, i), id))
      return;
  g_array_append_val (matches, *id);
}

static bool
match_private (const VtreePaths *paths, const char *prefix, GArray *matches,
               GError **error)
{
  g_auto (GStrv) names = vtree_keyring_names (paths, error);

  if (names == NULL)
    return false;
  for (char **name = names; *name != NULL; name++) {
    VtreeKeyId id;

    if (!vtree_keyring_id (paths, *name, &id, error))
      return false;
    match_id (&id, prefix, matches);
  }
  return true;
}

bool
vtree_keyring_find_id (const VtreePaths *paths, const VtreeTrust *trust,
                       const char *text, VtreeKeyId *id, GError **error)
{
  g_autoptr (GArray) matches = g_array_new (FALSE, FALSE, sizeof (VtreeKeyId));
  g_autofree char *escaped = vtree_error_escape (text, -1);

  if (vtree_key_id_parse (text, id))
    return true;
  if (strlen (text) < VTREE_KEYRING_ID_MIN || strlen (text) > 2 * VTREE_KEY_ID_SIZE
      || strspn (text, "0123456789abcdef") != strlen (text))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "'%s' is no key id: %d to %d hex digits, lower case",
                            escaped, VTREE_KEYRING_ID_MIN, 2 * VTREE_KEY_ID_SIZE);
  for (size_t i = 0; i < vtree_trust_count (trust); i++)
    match_id (&vtree_trust_peek (trust, i)->id, text, matches);
  if (!match_private (paths, text, matches, error))
    return false;
  if (matches->len == 0)
    return vtree_error_set (error, VTREE_ERROR_MISSING,
                            "no known key's or certificate's id begins with %s; see "
                            "`vtree key list`",
                            text);
  if (matches->len > 1)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "the ids of %u keys begin with %s; give more digits",
                            matches->len, text);
  *id = g_array_index (matches, VtreeKeyId, 0);
  return true;
}

bool
vtree_keyring_revoke (const VtreePaths *paths, const VtreeKeyId *id, char **path,
                      GError **error)
{
  const char *dir = vtree_paths_revoked (paths);
  g_auto (VtreeFd) fd = vtree_paths_open_directory (dir, true, NULL, error);
  char text[VTREE_KEY_ID_TEXT_MAX];

  if (fd < 0)
    return false;
  vtree_key_id_format (id, text);
  if (!vtree_publish (fd, text, "", 0, 0644, VTREE_PUBLISH_REPLACE, error))
    return false;
  *path = g_strconcat (dir, "/", text, NULL);
  return true;
}
