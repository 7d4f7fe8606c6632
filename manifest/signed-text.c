/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the first line of signed texts, and what is before them when they are signed.
 * Knows none of their keys.
 */
#include "manifest/signed-text.h"

#include "core/error.h"
#include "core/text.h"

#include <string.h>

bool
vtree_signed_text_check (const char *line, const char *word, const char *what,
                         GError **error)
{
  size_t skip = strlen (word);
  uint64_t version = 0;
  bool versioned
    = g_str_has_prefix (line, word)
      && vtree_text_parse_u64 (line + skip, strlen (line + skip), &version);
  if (versioned && version == 1)
    return true;
  if (versioned)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "%s: format version %" G_GUINT64_FORMAT
                            ", this vtree knows version 1",
                            what, version);
  return vtree_error_set (error, VTREE_ERROR_CORRUPT, "%s, line 1: not \"%s1\"", what,
                          word);
}

GBytes *
vtree_signed_text_bytes (const char *context, GBytes *text)
{
  size_t size;
  const void *data = g_bytes_get_data (text, &size);
  GByteArray *bytes = g_byte_array_new ();
  g_byte_array_append (bytes, (const guint8 *) context, (guint) strlen (context) + 1);
  if (size > 0)
    g_byte_array_append (bytes, data, (guint) size);
  return g_byte_array_free_to_bytes (bytes);
}
