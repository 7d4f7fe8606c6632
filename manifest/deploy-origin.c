/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the text of a deployment's origin, both ways.
 */
#include "manifest/deploy-origin.h"

#include "core/text.h"
#include "manifest/file-seal.h"
#include "manifest/ref.h"
#include "manifest/signed-text.h"
#include "manifest/statement.h"

#include <string.h>

#define FIRST_WORD "vtree-deployment "

void
vtree_deploy_origin_free (VtreeDeployOrigin *origin)
{
  if (origin == NULL)
    return;
  g_free (origin->repository);
  g_free (origin->ref);
  g_free (origin);
}

GBytes *
vtree_deploy_origin_serialize (const VtreeDeployOrigin *origin)
{
  char digest[VTREE_DIGEST_TEXT_MAX], key[VTREE_KEY_ID_TEXT_MAX];
  g_autofree char *repository = vtree_file_seal_name_encode (origin->repository);
  g_autofree char *deployed = vtree_time_format (origin->deployed);
  char *text = g_strdup_printf (
    FIRST_WORD "1\nrepository: %s\nref: %s\nversion: %" G_GUINT64_FORMAT
               "\nmanifest: %s\nsize: %" G_GUINT64_FORMAT "\nkey: %s\ndeployed: %s\n",
    repository, origin->ref, origin->version,
    vtree_digest_format (&origin->manifest, digest), origin->size,
    vtree_key_id_format (&origin->key, key), deployed);
  return g_bytes_new_take (text, strlen (text));
}

/* What stands behind KEY in LINE; "" for another line. */
static const char *
value_of (const char *line, const char *key)
{
  return g_str_has_prefix (line, key) ? line + strlen (key) : "";
}

/* The lines behind the first one; what is not of the form leaves something unset. */
static bool
read_lines (char **lines, VtreeDeployOrigin *origin)
{
  const char *version = value_of (lines[3], "version: ");
  const char *size = value_of (lines[5], "size: ");
  origin->repository
    = vtree_file_seal_name_decode (value_of (lines[1], "repository: "));
  origin->ref = g_strdup (value_of (lines[2], "ref: "));
  return origin->repository != NULL && g_path_is_absolute (origin->repository)
         && vtree_ref_check_name (origin->ref, NULL)
         && vtree_text_parse_u64 (version, strlen (version), &origin->version)
         && vtree_digest_parse (value_of (lines[4], "manifest: "), &origin->manifest,
                                NULL)
         && vtree_text_parse_u64 (size, strlen (size), &origin->size)
         && vtree_key_id_parse (value_of (lines[6], "key: "), &origin->key)
         && vtree_time_parse (value_of (lines[7], "deployed: "), &origin->deployed);
}

/* Eight lines, and nothing behind the last newline. */
#define PARTS 9

static VtreeDeployOrigin *
parse_text (const char *text, GError **error)
{
  g_autoptr (VtreeDeployOrigin) origin = g_new0 (VtreeDeployOrigin, 1);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  if (lines[0] == NULL
      || !vtree_signed_text_check (lines[0], FIRST_WORD, "origin", error))
    return NULL;
  if (g_strv_length (lines) != PARTS || !read_lines (lines, origin))
    return NULL;
  g_autoptr (GBytes) again = vtree_deploy_origin_serialize (origin);
  bool same = g_bytes_get_size (again) == strlen (text)
              && memcmp (g_bytes_get_data (again, NULL), text, strlen (text)) == 0;
  return same && origin->version > 0 ? g_steal_pointer (&origin) : NULL;
}

VtreeDeployOrigin *
vtree_deploy_origin_parse (const void *data, size_t size, GError **error)
{
  g_autofree char *text = size > 0 ? g_strndup (data, size) : g_strdup ("");
  g_autoptr (GError) cause = NULL;
  bool whole = size > 0 && strlen (text) == size;
  VtreeDeployOrigin *origin = whole ? parse_text (text, &cause) : NULL;
  if (origin != NULL)
    return origin;
  if (cause != NULL)
    g_propagate_error (error, g_steal_pointer (&cause));
  else
    vtree_error_set (error, VTREE_ERROR_CORRUPT, "origin: it is malformed");
  return NULL;
}
