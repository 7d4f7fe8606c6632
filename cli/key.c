/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs of the family "key". Where the files lie is keyring.c's affair. */
#include "cli/argument.h"
#include "cli/key-words.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "manifest/file-seal.h"
#include "manifest/ref.h"
#include "manifest/statement.h"

#include <errno.h>
#include <string.h>
#include <time.h>
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
  vtree_json_begin_answer (json);
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

/* One row of the list: a trusted or revoked key or certificate, or a private key that
 * is neither. */
typedef struct {
  VtreeKeyId id;
  const char *kind;                    /* NULL: revoked by its id alone */
  const VtreeCertificate *certificate; /* NULL for a key */
  const char *name;
  const char *prefix;
  const char *path;
  const char *private_name; /* NULL where there is none */
  bool trusted;
  bool revoked;
} KeyRow;

/* Whose the certificate is, and until when; nothing for a key. */
static void
print_certificate (const VtreeCertificate *certificate)
{
  g_autofree char *until = NULL;

  if (certificate == NULL)
    return;
  until = vtree_time_format (vtree_certificate_not_after (certificate));
  vtree_out_print (" (%s; until %s)", vtree_certificate_subject (certificate), until);
}

static void
print_row_text (const KeyRow *row, const char *id, const char *state)
{
  const char *what = row->certificate != NULL    ? "certificate"
                     : row->private_name != NULL ? "private"
                                                 : "public";

  vtree_out_print ("%s ", id);
  vtree_out_name (row->name, -1);
  vtree_out_print (" %s %s %s ", row->prefix[0] != '\0' ? row->prefix : "*", what,
                   state);
  vtree_out_name (row->path, -1);
  print_certificate (row->certificate);
  vtree_out_text ("\n");
}

static void
print_row (const KeyRow *row, VtreeJson *json)
{
  char id[VTREE_KEY_ID_TEXT_MAX];
  const char *state = row->revoked ? "revoked" : row->trusted ? "trusted" : "untrusted";

  vtree_key_id_format (&row->id, id);
  if (json == NULL) {
    print_row_text (row, id, state);
    return;
  }
  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "id", id);
  vtree_json_add_string (json, "kind", row->kind);
  vtree_json_add_string (json, "name", row->name);
  vtree_json_add_string (json, "prefix", row->prefix);
  vtree_json_add_string (json, "file", row->path);
  vtree_json_add_string (json, "private", row->private_name);
  vtree_json_add_string (json, "state", state);
  vtree_key_add_certificate_json (row->certificate, json);
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
                         .kind = key->kind,
                         .certificate = key->certificate,
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
                         .kind = VTREE_SIGNATURE_ED25519,
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
  vtree_json_begin_answer (json);
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

/* Where ANCHOR goes. */
static const char *
directory_for (const VtreePaths *paths, const VtreeAnchor *anchor, bool system)
{
  if (anchor->certificate != NULL)
    return system ? VTREE_SYSCONF_DIR "/certs.d" : vtree_paths_certificates (paths);
  return system ? VTREE_SYSCONF_DIR "/keys.d" : vtree_paths_keys (paths);
}

/* What the person may not have known of a certificate. */
static void
note_certificate (const VtreeCli *cli, const VtreeCertificate *certificate)
{
  g_autofree char *until = NULL;

  if (certificate == NULL)
    return;
  vtree_cli_note (cli, "certificate of '%s', %s",
                  vtree_certificate_subject (certificate),
                  vtree_certificate_algorithm (certificate));
  if (vtree_certificate_not_after (certificate) >= time (NULL))
    return;
  until = vtree_time_format (vtree_certificate_not_after (certificate));
  vtree_cli_note (cli,
                  "it was valid until %s only; that keeps no signature from "
                  "counting",
                  until);
}

bool
vtree_verb_key_trust (VtreeCli *cli, GError **error)
{
  g_autofree char *prefix = NULL;
  gboolean system = FALSE;
  const GOptionEntry entries[] = {
    { "ref", 0, 0, G_OPTION_ARG_FILENAME, &prefix,
      "Trust it only for refs under PREFIX (whole components), or " VTREE_FILE_SEAL_REF,
      "PREFIX" },
    { "system", 0, 0, G_OPTION_ARG_NONE, &system,
      "Trust it for all users of this machine (needs root)", NULL },
    no_entries[0]
  };
  g_autoptr (VtreePaths) paths = NULL;
  g_auto (VtreeAnchor) anchor = { NULL, NULL };
  g_autofree char *name = NULL;
  g_autofree char *path = NULL;

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  if (prefix != NULL && strcmp (prefix, VTREE_FILE_SEAL_REF) != 0
      && !vtree_ref_check_name (prefix, error)) {
    g_prefix_error (error, "--ref: ");
    return false;
  }
  paths = vtree_paths_new (error);
  if (paths == NULL || !vtree_key_load_anchor (cli->args[0], &anchor, error))
    return false;
  name = name_for_file (cli->args[0]);
  if (!vtree_keyring_trust (directory_for (paths, &anchor, system), prefix, name,
                            &anchor, &path, error))
    return false;
  print_key (cli, vtree_anchor_id (&anchor), path);
  vtree_cli_note (cli, "trusted for %s by %s", prefix != NULL ? prefix : "all refs",
                  path);
  note_certificate (cli, anchor.certificate);
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

/* Whether PATH lies beneath the directory DIR. */
static bool
is_beneath (const char *path, const char *dir)
{
  g_autofree char *beneath = g_strconcat (dir, "/", NULL);

  return g_str_has_prefix (path, beneath);
}

/* Removes one file of trust, if it stands in the user's own directories; otherwise adds
 * its path to KEPT. A revocation is no trust. */
static bool
distrust_file (const VtreeCli *cli, const VtreePaths *paths, const char *path,
               GString *kept, GError **error)
{
  if (!is_beneath (path, vtree_paths_keys (paths))
      && !is_beneath (path, vtree_paths_certificates (paths))) {
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
    if (!distrust_file (cli, paths, key->path, kept, error))
      return false;
  }
  if (!found)
    return vtree_error_set (error, VTREE_ERROR_MISSING,
                            "no trusted key or certificate is %s; see `vtree key list`",
                            cli->args[0]);
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
