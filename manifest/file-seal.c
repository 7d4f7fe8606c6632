/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the text of a file's seal, both ways, and the order signature before parsing.
 * Touches no file and decides about no version.
 */
#include "manifest/file-seal.h"

#include "core/text.h"
#include "core/verity.h"
#include "manifest/signed-text.h"

#include <string.h>

#define FIRST_WORD "vtree-seal "
#define FIRST_LINE FIRST_WORD "1"
#define MARK_PREFIX VTREE_FILE_SEAL_REF "/"
/* hexadecimal digits of a SHA-256 */
#define HASH_DIGITS 64

/* What is wrong with a value, or NULL. */
typedef const char *(*ParseValue) (const char *value, VtreeFileSeal *seal);

void
vtree_file_seal_free (VtreeFileSeal *seal)
{
  if (seal == NULL)
    return;
  g_free (seal->name);
  g_free (seal);
}

/* --- names ------------------------------------------------------------------------ */

static bool
is_plain (char c)
{
  return g_ascii_isgraph (c) && c != '%';
}

char *
vtree_file_seal_name_encode (const char *name)
{
  GString *text = g_string_new (NULL);
  for (; *name != '\0'; name++) {
    if (is_plain (*name))
      g_string_append_c (text, *name);
    else
      g_string_append_printf (text, "%%%02x", (unsigned) (uint8_t) *name);
  }
  return g_string_free (text, FALSE);
}

/* The byte that TEXT begins with, and how many characters it takes there; 0 if it is
 * written in another way than the encoder's. */
static size_t
decode_one (const char *text, char *byte)
{
  if (is_plain (*text)) {
    *byte = *text;
    return 1;
  }
  uint8_t value;
  if (*text != '%' || !vtree_text_parse_hex (text + 1, &value, 1))
    return 0;
  *byte = (char) value;
  return value == 0 || is_plain (*byte) ? 0 : 3;
}

char *
vtree_file_seal_name_decode (const char *text)
{
  g_autoptr (GString) name = g_string_new (NULL);
  while (*text != '\0') {
    char byte;
    size_t used = decode_one (text, &byte);
    if (used == 0 || name->len == VTREE_FILE_SEAL_NAME_MAX)
      return NULL;
    g_string_append_c (name, byte);
    text += used;
  }
  return name->len > 0 ? g_strdup (name->str) : NULL;
}

/* --- values ----------------------------------------------------------------------- */

static const char *
parse_name (const char *value, VtreeFileSeal *seal)
{
  seal->name = vtree_file_seal_name_decode (value);
  return seal->name != NULL ? NULL : "not a name";
}

static const char *
parse_version (const char *value, VtreeFileSeal *seal)
{
  return vtree_text_parse_u64 (value, strlen (value), &seal->version)
             && seal->version > 0
           ? NULL
           : "not a number from 1 to 18446744073709551615";
}

static const char *
parse_created (const char *value, VtreeFileSeal *seal)
{
  return vtree_time_parse (value, &seal->created) ? NULL : "not a time";
}

static const char *
parse_digest (const char *value, VtreeFileSeal *seal)
{
  return vtree_digest_parse (value, &seal->digest, NULL) ? NULL : "not a digest";
}

static const char *
parse_size (const char *value, VtreeFileSeal *seal)
{
  return vtree_text_parse_u64 (value, strlen (value), &seal->size)
             && seal->size <= INT64_MAX
           ? NULL
           : "not a number from 0 to 9223372036854775807";
}

static const char *
parse_mode (const char *value, VtreeFileSeal *seal)
{
  static const char wrong[] = "not four octal digits from 0000 to 1777";
  if (strlen (value) != 4 || strspn (value, "01234567") != 4)
    return wrong;
  seal->mode = 0;
  for (; *value != '\0'; value++)
    seal->mode = seal->mode << 3 | (uint32_t) (*value - '0');
  return (seal->mode & ~VTREE_FILE_SEAL_MODE_MASK) == 0 ? NULL : wrong;
}

/* In the order in which they stand, each once. */
static const struct {
  const char *key;
  ParseValue parse;
} fields[] = {
  { "name: ", parse_name },       { "version: ", parse_version },
  { "created: ", parse_created }, { "digest: ", parse_digest },
  { "size: ", parse_size },       { "mode: ", parse_mode },
};

/* --- the statement ---------------------------------------------------------------- */

static bool
set_line_error (GError **error, size_t number, const char *fault)
{
  return vtree_error_set (error, VTREE_ERROR_CORRUPT, "seal, line %zu: %s", number,
                          fault);
}

/* Reads the lines behind the first one; "" stands behind the last newline. */
static bool
parse_fields (char **lines, VtreeFileSeal *seal, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS (fields); i++) {
    if (lines[i] == NULL || !g_str_has_prefix (lines[i], fields[i].key)) {
      g_autofree char *fault = g_strdup_printf ("not \"%s\"", fields[i].key);
      return set_line_error (error, i + 2, fault);
    }
    const char *fault = fields[i].parse (lines[i] + strlen (fields[i].key), seal);
    if (fault != NULL)
      return set_line_error (error, i + 2, fault);
  }
  char **end = lines + G_N_ELEMENTS (fields);
  return (end[0] != NULL && *end[0] == '\0' && end[1] == NULL)
         || set_line_error (error, G_N_ELEMENTS (fields) + 2,
                            "not the end behind one newline");
}

VtreeFileSeal *
vtree_file_seal_parse (const void *data, size_t size, GError **error)
{
  if (size == 0 || size > VTREE_FILE_SEAL_STATEMENT_MAX || memchr (data, '\0', size)) {
    vtree_error_set (error, VTREE_ERROR_CORRUPT,
                     "seal: it is empty, has a NUL, or more than %d bytes",
                     VTREE_FILE_SEAL_STATEMENT_MAX);
    return NULL;
  }
  g_autofree char *text = g_strndup (data, size);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_autoptr (VtreeFileSeal) seal = g_new0 (VtreeFileSeal, 1);
  if (!vtree_signed_text_check (lines[0], FIRST_WORD, "seal", error)
      || !parse_fields (lines + 1, seal, error))
    return NULL;
  return g_steal_pointer (&seal);
}

GBytes *
vtree_file_seal_serialize (const VtreeFileSeal *seal)
{
  g_autofree char *name = vtree_file_seal_name_encode (seal->name);
  g_autofree char *created = vtree_time_format (seal->created);
  char digest[VTREE_DIGEST_TEXT_MAX];
  size_t length = strlen (seal->name);
  g_assert (length > 0 && length <= VTREE_FILE_SEAL_NAME_MAX && seal->version > 0);
  g_assert (seal->size <= INT64_MAX && (seal->mode & ~VTREE_FILE_SEAL_MODE_MASK) == 0);
  GString *text = g_string_new (FIRST_LINE "\n");
  g_string_append_printf (text, "name: %s\n", name);
  g_string_append_printf (text, "version: %" G_GUINT64_FORMAT "\n", seal->version);
  g_string_append_printf (text, "created: %s\n", created);
  g_string_append_printf (text, "digest: %s\n",
                          vtree_digest_format (&seal->digest, digest));
  g_string_append_printf (text, "size: %" G_GUINT64_FORMAT "\n", seal->size);
  g_string_append_printf (text, "mode: %04o\n", seal->mode);
  return g_string_free_to_bytes (text);
}

GBytes *
vtree_file_seal_signed_bytes (GBytes *statement)
{
  return vtree_signed_text_bytes (VTREE_FILE_SEAL_CONTEXT, statement);
}

/* --- the whole seal --------------------------------------------------------------- */

bool
vtree_file_seal_split (GBytes *whole, GBytes **statement, GBytes **signatures,
                       GError **error)
{
  size_t size;
  const char *data = g_bytes_get_data (whole, &size);
  const char *end
    = size > 0 && size <= VTREE_FILE_SEAL_MAX ? memmem (data, size, "\n\n", 2) : NULL;
  if (end == NULL)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "seal: no statement with an empty line behind it");
  size_t length = (size_t) (end - data) + 1;
  *statement = g_bytes_new_from_bytes (whole, 0, length);
  *signatures = g_bytes_new_from_bytes (whole, length + 1, size - length - 1);
  return true;
}

GBytes *
vtree_file_seal_join (GBytes *statement, const VtreeSignatures *signatures)
{
  g_autoptr (GBytes) lines = vtree_signatures_serialize (signatures);
  GByteArray *bytes = g_byte_array_new ();
  size_t size;
  const void *data = g_bytes_get_data (statement, &size);
  g_byte_array_append (bytes, data, (guint) size);
  g_byte_array_append (bytes, (const guint8 *) "\n", 1);
  data = g_bytes_get_data (lines, &size);
  if (size > 0)
    g_byte_array_append (bytes, data, (guint) size);
  return g_byte_array_free_to_bytes (bytes);
}

static bool
verify_signatures (GBytes *statement, GBytes *lines, const VtreeTrust *trust,
                   const VtreeTrustKey **key, GError **error)
{
  size_t size;
  const void *data = g_bytes_get_data (lines, &size);
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_parse (data, size, error);
  if (signatures == NULL) {
    g_prefix_error (error, "seal: ");
    return false;
  }
  if (vtree_signatures_count (signatures) == 0)
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "its seal is not signed; run `vtree seal` on it again");
  g_autoptr (GBytes) message = vtree_file_seal_signed_bytes (statement);
  data = g_bytes_get_data (message, &size);
  if (vtree_trust_verify (trust, VTREE_FILE_SEAL_REF, data, size, signatures, key,
                          error))
    return true;
  g_prefix_error (error, "its seal: ");
  return false;
}

VtreeFileSeal *
vtree_file_seal_verify (GBytes *whole, const VtreeTrust *trust, GBytes **statement,
                        const VtreeTrustKey **key, GError **error)
{
  g_autoptr (GBytes) text = NULL;
  g_autoptr (GBytes) lines = NULL;
  if (!vtree_file_seal_split (whole, &text, &lines, error)
      || !verify_signatures (text, lines, trust, key, error))
    return NULL;
  size_t size;
  const void *data = g_bytes_get_data (text, &size);
  VtreeFileSeal *seal = vtree_file_seal_parse (data, size, error);
  if (seal != NULL)
    *statement = g_steal_pointer (&text);
  return seal;
}

/* --- marks ------------------------------------------------------------------------ */

char *
vtree_file_seal_mark_ref (const char *name)
{
  g_autofree char *hash = g_compute_checksum_for_data (
    G_CHECKSUM_SHA256, (const guchar *) name, strlen (name));
  return g_strconcat (MARK_PREFIX, hash, NULL);
}

bool
vtree_file_seal_is_mark_ref (const char *ref)
{
  uint8_t hash[HASH_DIGITS / 2];
  return g_str_has_prefix (ref, MARK_PREFIX)
         && strlen (ref) == strlen (MARK_PREFIX) + HASH_DIGITS
         && vtree_text_parse_hex (ref + strlen (MARK_PREFIX), hash, sizeof hash);
}

bool
vtree_file_seal_to_mark (const VtreeFileSeal *seal, GBytes *statement, VtreeMark *mark,
                         GError **error)
{
  size_t size;
  const void *data = g_bytes_get_data (statement, &size);
  const VtreeVerityParams params
    = { .alg = VTREE_DIGEST_SHA256, .size = size, .merkle_fd = -1 };
  mark->version = seal->version;
  mark->created = seal->created;
  return vtree_verity_compute_data (&params, data, &mark->manifest, error);
}

static VtreeDigest
no_digest (void)
{
  return (VtreeDigest){ .alg = VTREE_DIGEST_SHA256 };
}

void
vtree_file_seal_burn_mark (VtreeMark *mark, uint64_t version)
{
  mark->version = version;
  mark->manifest = no_digest ();
}

bool
vtree_file_seal_is_burnt (const VtreeMark *mark)
{
  const VtreeDigest none = no_digest ();
  return vtree_digest_equal (&mark->manifest, &none);
}
