/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree key show`: one key or certificate, before or after it is trusted. Judges
 * nothing. */
#include "cli/key-words.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "manifest/statement.h"

#include <string.h>

/* What is shown: ID, and what is known of it. */
typedef struct {
  VtreePaths *paths;
  VtreeTrust *trust;
  VtreeAnchor anchor; /* of the file that was named; empty where an id was */
  VtreeKeyId id;
  const char *kind;                    /* NULL: nothing but the id is known */
  const VtreeCertificate *certificate; /* borrowed; NULL for a key */
} Shown;

static void
shown_clear (Shown *shown)
{
  vtree_anchor_clear (&shown->anchor);
  g_clear_pointer (&shown->trust, vtree_trust_free);
  g_clear_pointer (&shown->paths, vtree_paths_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Shown, shown_clear)

bool
vtree_key_load_anchor (const char *file, VtreeAnchor *anchor, GError **error)
{
  g_autoptr (GBytes) bytes = vtree_keyring_read (file, error);
  g_autofree char *escaped = vtree_error_escape (file, -1);

  if (bytes == NULL)
    return false;
  if (vtree_anchor_parse (anchor, g_bytes_get_data (bytes, NULL),
                          g_bytes_get_size (bytes), error))
    return true;
  g_prefix_error (error, "read %s: ", escaped);
  return false;
}

static void
add_time (VtreeJson *json, const char *key, int64_t seconds)
{
  g_autofree char *text = vtree_time_format (seconds);

  vtree_json_add_string (json, key, text);
}

void
vtree_key_add_certificate_json (const VtreeCertificate *certificate, VtreeJson *json)
{
  static const char *const members[]
    = { "subject", "issuer", "algorithm", "not_before", "not_after" };

  for (size_t i = 0; certificate == NULL && i < G_N_ELEMENTS (members); i++)
    vtree_json_add_null (json, members[i]);
  if (certificate == NULL)
    return;
  vtree_json_add_string (json, "subject", vtree_certificate_subject (certificate));
  vtree_json_add_string (json, "issuer", vtree_certificate_issuer (certificate));
  vtree_json_add_string (json, "algorithm", vtree_certificate_algorithm (certificate));
  add_time (json, "not_before", vtree_certificate_not_before (certificate));
  add_time (json, "not_after", vtree_certificate_not_after (certificate));
}

/* Whether TEXT can only be an id; then no file of that name is meant. */
static bool
is_id (const char *text)
{
  size_t length = strlen (text);

  return length >= VTREE_KEYRING_ID_MIN && length <= 2 * VTREE_KEY_ID_SIZE
         && strspn (text, "0123456789abcdef") == length;
}

/* What trust knows of the id. */
static void
look_up (Shown *shown)
{
  for (size_t i = 0; i < vtree_trust_count (shown->trust); i++) {
    const VtreeTrustKey *key = vtree_trust_peek (shown->trust, i);

    if (!vtree_key_id_equal (&key->id, &shown->id) || key->kind == NULL)
      continue;
    shown->kind = key->kind;
    shown->certificate = key->certificate;
  }
}

static bool
find (const char *text, Shown *shown, GError **error)
{
  shown->paths = vtree_paths_new (error);
  shown->trust
    = shown->paths != NULL ? vtree_trust_load (shown->paths, NULL, error) : NULL;
  if (shown->trust == NULL)
    return false;
  if (is_id (text)) {
    if (!vtree_keyring_find_id (shown->paths, shown->trust, text, &shown->id, error))
      return false;
    look_up (shown);
    return true;
  }
  if (!vtree_key_load_anchor (text, &shown->anchor, error))
    return false;
  shown->id = *vtree_anchor_id (&shown->anchor);
  shown->kind = vtree_anchor_kind (&shown->anchor);
  shown->certificate = shown->anchor.certificate;
  return true;
}

static void
print_certificate (const VtreeCertificate *certificate)
{
  g_autofree char *from = NULL;
  g_autofree char *until = NULL;

  if (certificate == NULL)
    return;
  from = vtree_time_format (vtree_certificate_not_before (certificate));
  until = vtree_time_format (vtree_certificate_not_after (certificate));
  vtree_out_print ("subject: %s\nissuer: %s\nalgorithm: %s\nvalid: %s to %s\n",
                   vtree_certificate_subject (certificate),
                   vtree_certificate_issuer (certificate),
                   vtree_certificate_algorithm (certificate), from, until);
}

/* A file that trusts it, and, once for all, the one that revokes it. */
static void
print_trust (const VtreeTrustKey *key)
{
  const char *prefix = key->prefix[0] != '\0' ? key->prefix : "all refs";

  if (key->kind != NULL) {
    vtree_out_print ("trusted: for %s by ", prefix);
    vtree_out_name (key->path, -1);
    vtree_out_text ("\n");
  }
  if (key->revoked) {
    vtree_out_text ("revoked: by ");
    vtree_out_name (key->revoked_by, -1);
    vtree_out_text ("\n");
  }
}

static void
print_text (const Shown *shown)
{
  char id[VTREE_KEY_ID_TEXT_MAX];
  bool known = false;

  vtree_out_print ("id: %s\n", vtree_key_id_format (&shown->id, id));
  if (shown->kind != NULL)
    vtree_out_print ("kind: %s\n", shown->kind);
  print_certificate (shown->certificate);
  for (size_t i = 0; i < vtree_trust_count (shown->trust); i++) {
    const VtreeTrustKey *key = vtree_trust_peek (shown->trust, i);

    if (!vtree_key_id_equal (&key->id, &shown->id))
      continue;
    print_trust (key);
    known = true;
  }
  if (!known)
    vtree_out_text ("not trusted\n");
}

static void
print_json (const Shown *shown)
{
  g_autoptr (VtreeJson) json = vtree_json_new (stdout);
  char id[VTREE_KEY_ID_TEXT_MAX];

  vtree_json_begin_answer (json);
  vtree_json_add_string (json, "id", vtree_key_id_format (&shown->id, id));
  vtree_json_add_string (json, "kind", shown->kind);
  vtree_key_add_certificate_json (shown->certificate, json);
  vtree_json_begin_array (json, "trust");
  for (size_t i = 0; i < vtree_trust_count (shown->trust); i++) {
    const VtreeTrustKey *key = vtree_trust_peek (shown->trust, i);

    if (!vtree_key_id_equal (&key->id, &shown->id))
      continue;
    vtree_json_begin_object (json, NULL);
    vtree_json_add_string (json, "prefix", key->prefix);
    vtree_json_add_string (json, "file", key->path);
    vtree_json_add_string (json, "revoked_by", key->revoked_by);
    vtree_json_end_object (json);
  }
  vtree_json_end_array (json);
  vtree_json_end_object (json);
}

bool
vtree_verb_key_show (VtreeCli *cli, GError **error)
{
  const GOptionEntry entries[]
    = { { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  g_auto (Shown) shown = { .paths = NULL };

  if (!vtree_cli_parse (cli, entries, error) || !find (cli->args[0], &shown, error))
    return false;
  if (cli->json)
    print_json (&shown);
  else
    print_text (&shown);
  return true;
}
