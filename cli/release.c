/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loads versions for being looked at. Whether one is accepted is asked of
 * vtree_resolve(), never judged here.
 */
#include "cli/release.h"
#include "core/handoff.h"

void
vtree_release_clear (VtreeRelease *release)
{
  g_clear_pointer (&release->name, g_free);
  g_clear_pointer (&release->root, g_bytes_unref);
  g_clear_pointer (&release->sig, g_bytes_unref);
  g_clear_pointer (&release->statement, vtree_statement_free);
  g_clear_pointer (&release->signatures, vtree_signatures_free);
  g_clear_pointer (&release->accepted, vtree_resolved_free);
  g_clear_error (&release->verdict);
}

bool
vtree_release_default_version (const VtreeRepo *repo, const char *name,
                               uint64_t *version, GError **error)
{
  g_autoptr (GArray) versions = NULL;
  bool found;

  if (!vtree_refs_head (repo, name, &found, version, error))
    return false;
  if (found)
    return true;
  versions = vtree_refs_versions (repo, name, error);
  if (versions == NULL)
    return false;
  if (versions->len == 0)
    return vtree_error_set (error, VTREE_ERROR_MISSING, "find %s: it has no version",
                            name);
  *version = g_array_index (versions, uint64_t, versions->len - 1);
  return true;
}

bool
vtree_release_load (const VtreeReleaseSource *source, const VtreeRefSpec *spec,
                    uint64_t version, VtreeRelease *release, GError **error)
{
  const VtreeResolveOptions options = { .paths = source->paths };

  if (!vtree_refs_load (source->repo, spec->name, version, &release->root,
                        &release->sig, error))
    return false;
  release->name = g_strdup (spec->name);
  release->version = version;
  release->statement = vtree_statement_parse (g_bytes_get_data (release->root, NULL),
                                              g_bytes_get_size (release->root), NULL);
  if (release->sig != NULL)
    release->signatures = vtree_signatures_parse (
      g_bytes_get_data (release->sig, NULL), g_bytes_get_size (release->sig), NULL);
  release->accepted = vtree_resolve (source->repo, spec, &options, &release->verdict);
  return true;
}

bool
vtree_release_judge_line (const VtreeRelease *release, const VtreeTrust *trust,
                          const VtreeSignatureLine *line, char **reason)
{
  g_autoptr (VtreeSignatures) alone = vtree_signatures_new ();
  g_autoptr (GBytes) message = vtree_statement_signed_bytes (release->root);
  g_autoptr (GError) error = NULL;
  const VtreeTrustKey *key;

  if (line->value == NULL) {
    *reason = g_strdup ("this kind is not verified by this version");
    return false;
  }
  if (vtree_signatures_add_line (alone, line, &error)
      && vtree_trust_verify (trust, release->name, g_bytes_get_data (message, NULL),
                             g_bytes_get_size (message), alone, &key, &error))
    return true;
  *reason = g_strdup (error->message);
  return false;
}

static void
add_time (VtreeJson *json, const char *key, int64_t seconds)
{
  g_autofree char *text = seconds != 0 ? vtree_time_format (seconds) : NULL;

  vtree_json_add_string (json, key, text);
}

char *
vtree_release_describe_signer (const VtreeResolved *resolved)
{
  char id[VTREE_KEY_ID_TEXT_MAX];
  g_autofree char *from = NULL;
  g_autofree char *to = NULL;

  vtree_key_id_format (&resolved->key, id);
  if (resolved->subject == NULL)
    return g_strdup_printf ("%s (%s)", id, resolved->key_name);
  from = vtree_time_format (resolved->not_before);
  to = vtree_time_format (resolved->not_after);
  return g_strdup_printf ("certificate %s (%s: %s, valid %s to %s)", id,
                          resolved->key_name, resolved->subject, from, to);
}

void
vtree_release_add_signer_json (const VtreeResolved *resolved, VtreeJson *json)
{
  bool is_signed = resolved != NULL && resolved->statement != NULL;
  char id[VTREE_KEY_ID_TEXT_MAX];

  vtree_json_add_string (json, "signed_by",
                         is_signed ? vtree_key_id_format (&resolved->key, id) : NULL);
  vtree_json_add_string (json, "signer", is_signed ? resolved->key_name : NULL);
  if (!is_signed || resolved->subject == NULL) {
    vtree_json_add_null (json, "certificate");
    return;
  }
  vtree_json_begin_object (json, "certificate");
  vtree_json_add_string (json, "subject", resolved->subject);
  add_time (json, "not_before", resolved->not_before);
  add_time (json, "not_after", resolved->not_after);
  vtree_json_end_object (json);
}

void
vtree_release_add_verdict_json (const VtreeRelease *release, VtreeJson *json)
{
  const VtreeResolved *accepted = release->accepted;
  VtreeExit code = vtree_exit_code (release->verdict);

  vtree_json_add_uint (json, "version", release->version);
  vtree_json_add_bool (json, "accepted", accepted != NULL);
  if (release->verdict != NULL) {
    vtree_json_begin_object (json, "problem");
    vtree_json_add_int (json, "code", code);
    vtree_json_add_string (json, "kind", vtree_exit_name (code));
    vtree_json_add_string (json, "message", release->verdict->message);
    vtree_json_end_object (json);
  } else {
    vtree_json_add_null (json, "problem");
  }
  vtree_release_add_signer_json (accepted, json);
}

void
vtree_release_add_statement_json (const VtreeRelease *release, VtreeJson *json)
{
  const VtreeStatement *statement = release->statement;
  char digest[VTREE_DIGEST_TEXT_MAX];

  if (statement == NULL) {
    vtree_json_add_null (json, "statement");
    return;
  }
  vtree_json_begin_object (json, "statement");
  vtree_json_add_string (json, "ref", statement->ref);
  vtree_json_add_uint (json, "version", statement->version);
  add_time (json, "created", statement->created);
  add_time (json, "expires", statement->expires);
  vtree_json_add_string (json, "manifest",
                         vtree_digest_format (&statement->manifest, digest));
  vtree_json_add_uint (json, "size", statement->size);
  vtree_json_add_string (
    json, "parent",
    statement->has_parent ? vtree_digest_format (&statement->parent, digest) : NULL);
  vtree_json_begin_object (json, "extra");
  for (char **extra = statement->extra; extra != NULL && *extra != NULL; extra += 2)
    vtree_json_add_string (json, extra[0], extra[1]);
  vtree_json_end_object (json);
  vtree_json_end_object (json);
}
