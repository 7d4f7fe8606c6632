/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs of the family "key". Where the files lie is keyring.c's affair. */
#include "cli/argument.h"
#include "cli/json.h"
#include "cli/keyring.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "manifest/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const GOptionEntry no_entries[]
  = { { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };

/* The answer of generate and trust. */
static void
print_key (const VtreeCli *cli, const VtreeKeyId *id, const char *path)
{
  char text[VTREE_KEY_ID_TEXT_MAX];
  g_autoptr (VtreeJson) json = NULL;

  vtree_key_id_format (id, text);
  if (!cli->json) {
    vtree_out_print ("%s\n", text);
    return;
  }
  json = vtree_json_new (stdout);
  vtree_json_begin_object (json, NULL);
  vtree_json_add_int (json, "schema", 1);
  vtree_json_add_string (json, "id", text);
  vtree_json_add_string (json, "file", path);
  vtree_json_end_object (json);
}

bool
vtree_verb_key_generate (VtreeCli *cli, GError **error)
{
  g_autoptr (VtreePaths) paths = NULL;
  g_autofree char *private_path = NULL;
  g_autofree char *public_path = NULL;
  const char *name;
  VtreeKeyId id;

  if (!vtree_cli_parse (cli, no_entries, error))
    return false;
  name = cli->n_args == 1 ? cli->args[0] : VTREE_KEYRING_DEFAULT;
  if (!vtree_argument_key_name (name, error))
    return false;
  paths = vtree_paths_new (error);
  if (paths == NULL
      || !vtree_keyring_generate (paths, name, &id, &private_path, &public_path, error))
    return false;
  print_key (cli, &id, private_path);
  vtree_cli_note (cli, "private key in %s, trusted by %s", private_path, public_path);
  return true;
}

/* One row of the list: a trusted or revoked key, or a private one that is neither. */
typedef struct {
  VtreeKeyId id;
  const char *name;
  const char *prefix;
  const char *path;
  const char *private_name; /* NULL where there is none */
  bool trusted;
  bool revoked;
} KeyRow;

static void
print_row (const KeyRow *row, VtreeJson *json)
{
  char id[VTREE_KEY_ID_TEXT_MAX];
  const char *state = row->revoked ? "revoked" : row->trusted ? "trusted" : "untrusted";

  vtree_key_id_format (&row->id, id);
  if (json == NULL) {
    vtree_out_print ("%s ", id);
    vtree_out_name (row->name, -1);
    vtree_out_print (" %s %s %s ", row->prefix[0] != '\0' ? row->prefix : "*",
                     row->private_name != NULL ? "private" : "public", state);
    vtree_out_name (row->path, -1);
    vtree_out_text ("\n");
    return;
  }
  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "id", id);
  vtree_json_add_string (json, "name", row->name);
  vtree_json_add_string (json, "prefix", row->prefix);
  vtree_json_add_string (json, "file", row->path);
  vtree_json_add_string (json, "private", row->private_name);
  vtree_json_add_string (json, "state", state);
  vtree_json_end_object (json);
}

/* A private key, by id. */
typedef struct {
  VtreeKeyId id;
  char *name;
  char *path;
  bool listed;
} PrivateKey;

static void
private_key_clear (void *item)
{
  PrivateKey *key = item;

  g_free (key->name);
  g_free (key->path);
}

static GArray *
load_private_keys (const VtreePaths *paths, GError **error)
{
  g_autoptr (GArray) keys = g_array_new (FALSE, FALSE, sizeof (PrivateKey));
  g_auto (GStrv) names = vtree_keyring_names (paths, error);

  if (names == NULL)
    return NULL;
  g_array_set_clear_func (keys, private_key_clear);
  for (char **name = names; *name != NULL; name++) {
    PrivateKey key = { .name = NULL };

    if (!vtree_keyring_id (paths, *name, &key.id, error))
      return NULL;
    key.name = g_strdup (*name);
    key.path = g_strconcat (vtree_paths_private (paths), "/", *name, ".pem", NULL);
    g_array_append_val (keys, key);
  }
  return g_steal_pointer (&keys);
}

/* The private key with ID, marked as listed; NULL where there is none. */
static const char *
claim_private (GArray *keys, const VtreeKeyId *id)
{
  const char *name = NULL;

  for (guint i = 0; i < keys->len; i++) {
    PrivateKey *key = &g_array_index (keys, PrivateKey, i);

    if (!vtree_key_id_equal (&key->id, id))
      continue;
    key->listed = true;
    name = key->name;
  }
  return name;
}

static void
print_keys (const VtreeTrust *trust, GArray *keys, VtreeJson *json)
{
  for (size_t i = 0; i < vtree_trust_count (trust); i++) {
    const VtreeTrustKey *key = vtree_trust_peek (trust, i);
    const KeyRow row = { .id = key->id,
                         .name = key->name,
                         .prefix = key->prefix,
                         .path = key->path,
                         .private_name = claim_private (keys, &key->id),
                         .trusted = true,
                         .revoked = key->revoked };

    print_row (&row, json);
  }
  for (guint i = 0; i < keys->len; i++) {
    const PrivateKey *key = &g_array_index (keys, PrivateKey, i);
    const KeyRow row = { .id = key->id,
                         .name = key->name,
                         .prefix = "",
                         .path = key->path,
                         .private_name = key->name };

    if (!key->listed)
      print_row (&row, json);
  }
}

bool
vtree_verb_key_list (VtreeCli *cli, GError **error)
{
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (VtreeTrust) trust = NULL;
  g_autoptr (GArray) keys = NULL;
  g_autoptr (VtreeJson) json = NULL;

  if (!vtree_cli_parse (cli, no_entries, error))
    return false;
  paths = vtree_paths_new (error);
  if (paths == NULL)
    return false;
  trust = vtree_trust_load (paths, NULL, error);
  keys = trust != NULL ? load_private_keys (paths, error) : NULL;
  if (keys == NULL)
    return false;
  if (!cli->json) {
    print_keys (trust, keys, NULL);
    return true;
  }
  json = vtree_json_new (stdout);
  vtree_json_begin_object (json, NULL);
  vtree_json_add_int (json, "schema", 1);
  vtree_json_begin_array (json, "keys");
  print_keys (trust, keys, json);
  vtree_json_end_array (json);
  vtree_json_end_object (json);
  return true;
}

bool
vtree_verb_key_export (VtreeCli *cli, GError **error)
{
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (VtreePrivateKey) key = NULL;
  g_autoptr (VtreePublicKey) public = NULL;
  g_autofree char *pem = NULL;
  const char *name;

  if (!vtree_cli_parse (cli, no_entries, error))
    return false;
  name = cli->n_args == 1 ? cli->args[0] : NULL;
  if (name != NULL && !vtree_argument_key_name (name, error))
    return false;
  paths = vtree_paths_new (error);
  key = paths != NULL ? vtree_keyring_load (paths, name, error) : NULL;
  public = key != NULL ? vtree_private_key_public (key, error) : NULL;
  if (public == NULL)
    return false;
  pem = vtree_public_key_to_pem (public);
  vtree_out_text (pem);
  return true;
}

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

/* The contents of FILE, or of standard input for "-". */
static GBytes *
load_file (const char *file, GError **error)
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

/* What the key from FILE is called: the file's name, where that can be a key's. */
static char *
name_for_file (const char *file)
{
  g_autofree char *base = g_path_get_basename (file);

  if (g_str_has_suffix (base, ".pem"))
    base[strlen (base) - strlen (".pem")] = '\0';
  if (strcmp (file, "-") == 0 || !vtree_argument_key_name (base, NULL))
    return g_strdup ("key");
  return g_steal_pointer (&base);
}

static VtreePublicKey *
load_public (const char *file, GError **error)
{
  g_autoptr (GBytes) bytes = load_file (file, error);
  g_autofree char *escaped = vtree_error_escape (file, -1);
  VtreePublicKey *key;

  if (bytes == NULL)
    return NULL;
  key = vtree_public_key_new_from_pem (g_bytes_get_data (bytes, NULL),
                                       g_bytes_get_size (bytes), error);
  if (key == NULL)
    g_prefix_error (error, "trust %s: ", escaped);
  return key;
}

bool
vtree_verb_key_trust (VtreeCli *cli, GError **error)
{
  g_autofree char *prefix = NULL;
  gboolean system = FALSE;
  const GOptionEntry entries[]
    = { { "ref", 0, 0, G_OPTION_ARG_FILENAME, &prefix,
          "Trust it only for refs under PREFIX (whole components)", "PREFIX" },
        { "system", 0, 0, G_OPTION_ARG_NONE, &system,
          "Trust it for all users of this machine (needs root)", NULL },
        no_entries[0] };
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (VtreePublicKey) key = NULL;
  g_autofree char *name = NULL;
  g_autofree char *path = NULL;
  const char *dir;

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  if (prefix != NULL && !vtree_ref_check_name (prefix, error)) {
    g_prefix_error (error, "--ref: ");
    return false;
  }
  paths = vtree_paths_new (error);
  key = paths != NULL ? load_public (cli->args[0], error) : NULL;
  if (key == NULL)
    return false;
  name = name_for_file (cli->args[0]);
  dir = system ? VTREE_SYSCONF_DIR "/keys.d" : vtree_paths_keys (paths);
  if (!vtree_keyring_trust (dir, prefix, name, key, &path, error))
    return false;
  print_key (cli, vtree_public_key_id (key), path);
  vtree_cli_note (cli, "trusted for %s by %s", prefix != NULL ? prefix : "all refs",
                  path);
  return true;
}

/* Loads PATHS and trust, and finds the ID that cli->args[0] means. */
static bool
find_key (const VtreeCli *cli, VtreePaths **paths, VtreeTrust **trust, VtreeKeyId *id,
          GError **error)
{
  *paths = vtree_paths_new (error);
  if (*paths == NULL)
    return false;
  *trust = vtree_trust_load (*paths, NULL, error);
  if (*trust == NULL)
    return false;
  return vtree_keyring_find_id (*paths, *trust, cli->args[0], id, error);
}

/* Removes one file of trust, if it stands in the user's own directory OWN; otherwise
 * adds its path to KEPT. */
static bool
distrust_file (const VtreeCli *cli, const char *own, const char *path, GString *kept,
               GError **error)
{
  g_autofree char *beneath = g_strconcat (own, "/", NULL);

  if (!g_str_has_prefix (path, beneath)) {
    g_string_append_printf (kept, "%s%s", kept->len > 0 ? ", " : "", path);
    return true;
  }
  if (unlink (path) != 0)
    return vtree_error_set_errno (error, errno, "remove %s", path);
  vtree_cli_note (cli, "removed %s", path);
  return true;
}

bool
vtree_verb_key_distrust (VtreeCli *cli, GError **error)
{
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (VtreeTrust) trust = NULL;
  g_autoptr (GString) kept = g_string_new (NULL);
  VtreeKeyId id;
  bool found = false;

  if (!vtree_cli_parse (cli, no_entries, error)
      || !find_key (cli, &paths, &trust, &id, error))
    return false;
  for (size_t i = 0; i < vtree_trust_count (trust); i++) {
    const VtreeTrustKey *key = vtree_trust_peek (trust, i);

    if (!vtree_key_id_equal (&key->id, &id))
      continue;
    found = true;
    if (!distrust_file (cli, vtree_paths_keys (paths), key->path, kept, error))
      return false;
  }
  if (!found)
    return vtree_error_set (error, VTREE_ERROR_MISSING,
                            "no trusted key is %s; see `vtree key list`", cli->args[0]);
  if (kept->len > 0)
    return vtree_error_set (error, VTREE_ERROR_FAILED,
                            "%s stays trusted by %s; `vtree key revoke` refuses it all "
                            "the same",
                            cli->args[0], kept->str);
  return true;
}

bool
vtree_verb_key_revoke (VtreeCli *cli, GError **error)
{
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (VtreeTrust) trust = NULL;
  g_autofree char *path = NULL;
  VtreeKeyId id;

  if (!vtree_cli_parse (cli, no_entries, error)
      || !find_key (cli, &paths, &trust, &id, error)
      || !vtree_keyring_revoke (paths, &id, &path, error))
    return false;
  vtree_cli_note (cli, "revoked by %s", path);
  return true;
}
