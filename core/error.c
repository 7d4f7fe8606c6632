/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the two error domains and how a message is put together. Knows no other part
 * of vtree.
 */
#include "core/error.h"

#include <string.h>

#undef vtree_error_set
#undef vtree_error_set_errno

GQuark
vtree_error_quark (void)
{
  return g_quark_from_static_string ("vtree-error");
}

GQuark
vtree_errno_error_quark (void)
{
  return g_quark_from_static_string ("vtree-errno-error");
}

bool
vtree_error_set (GError **error, VtreeErrorCode code, const char *format, ...)
{
  if (error == NULL)
    return false;
  va_list args;
  va_start (args, format);
  g_propagate_error (error, g_error_new_valist (VTREE_ERROR, (int) code, format, args));
  va_end (args);
  return false;
}

bool
vtree_error_set_errno (GError **error, int errnum, const char *format, ...)
{
  if (error == NULL)
    return false;
  va_list args;
  va_start (args, format);
  g_autofree char *what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, VTREE_ERRNO_ERROR, errnum, "%s: %s", what, g_strerror (errnum));
  return false;
}

static void
escape_byte (GString *out, unsigned char byte)
{
  static const char letters[] = "abtnvfr"; /* \a is 7 */
  if (byte >= '\a' && byte <= '\r')
    g_string_append_printf (out, "\\%c", letters[byte - '\a']);
  else if (byte == '\\')
    g_string_append (out, "\\\\");
  else
    g_string_append_printf (out, "\\x%02x", byte);
}

/* The bytes of the visible character that TEXT begins with; 0 where it must be escaped.
 * Formatting characters (bidi overrides) and separators are not visible. */
static size_t
visible_length (const char *text, size_t length)
{
  unsigned char c = (unsigned char) *text;
  if (c < 0x80)
    return c >= ' ' && c != '\\' && c != 0x7f ? 1 : 0;
  gunichar u = g_utf8_get_char_validated (text, (gssize) length);
  if (u == (gunichar) -1 || u == (gunichar) -2 || !g_unichar_isgraph (u) || u == 0x2028
      || u == 0x2029) /* line and paragraph separator */
    return 0;
  return (size_t) g_unichar_to_utf8 (u, NULL);
}

/* SIZE bytes of TEXT; backslashes as they are where they are KEPT. */
static char *
escape (const char *text, size_t size, bool kept)
{
  GString *out = g_string_sized_new (size);
  for (size_t i = 0; i < size;) {
    size_t n = kept && text[i] == '\\' ? 1 : visible_length (text + i, size - i);
    if (n > 0)
      g_string_append_len (out, text + i, (gssize) n);
    else
      escape_byte (out, (unsigned char) text[i]);
    i += MAX (n, 1);
  }
  return g_string_free (out, FALSE);
}

char *
vtree_error_escape (const char *name, gssize length)
{
  return escape (name, length < 0 ? strlen (name) : (size_t) length, false);
}

char *
vtree_error_line (const char *message)
{
  return escape (message, strlen (message), true);
}
