/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the text of a PEM block. What the bytes in it mean is key.c's and
 * certificate.c's affair.
 */
#include "core/pem.h"

#include "core/key.h"
#include "core/text.h"

#include <string.h>

#define LINE_LENGTH 64

static char *
dup_border (const char *which, const char *label)
{
  return g_strdup_printf ("-----%s %s-----", which, label);
}

bool
vtree_pem_is (const void *pem, size_t size, const char *label)
{
  g_autofree char *begin = dup_border ("BEGIN", label);
  size_t length = strlen (begin);
  return size > length && memcmp (pem, begin, length) == 0;
}

static bool
has_private_header (const char *text)
{
  return g_str_has_prefix (text, "-----BEGIN ") && strstr (text, "PRIVATE KEY") != NULL;
}

/* The base64 between the two borders of TEXT (LF only, one at the end), without its own
 * line ends; NULL if TEXT is not of that form. */
static char *
dup_body (const char *text, const char *label)
{
  g_autofree char *begin = dup_border ("BEGIN", label);
  g_autofree char *end = dup_border ("END", label);
  g_autofree char *head = g_strconcat (begin, "\n", NULL);
  g_autofree char *tail = g_strconcat ("\n", end, "\n", NULL);
  if (!g_str_has_prefix (text, head) || !g_str_has_suffix (text, tail))
    return NULL;
  size_t first = strlen (head);
  size_t last = strlen (text) - strlen (tail);
  if (last <= first)
    return NULL;
  g_autofree char *body = g_strndup (text + first, last - first);
  g_auto (GStrv) lines = g_strsplit (body, "\n", -1);
  return g_strjoinv (NULL, lines);
}

/* PEM with LF for every CR LF, and exactly one LF at its end. */
static char *
dup_normalized (const char *pem, size_t size)
{
  GString *text = g_string_new_len (pem, (gssize) size);
  g_string_replace (text, "\r\n", "\n", 0);
  while (text->len > 0 && text->str[text->len - 1] == '\n')
    g_string_truncate (text, text->len - 1);
  g_string_append_c (text, '\n');
  return g_string_free (text, FALSE);
}

static GBytes *
decode_text (const char *text, const char *label, const char *what, GError **error)
{
  if (has_private_header (text)) {
    vtree_error_set (error, VTREE_ERROR_INVALID,
                     "parse %s: this is a private key, keep it secret; "
                     "`vtree key export` gives the public one",
                     what);
    return NULL;
  }
  g_autofree char *body = dup_body (text, label);
  if (body == NULL) {
    vtree_error_set (error, VTREE_ERROR_INVALID, "parse %s: not one PEM block \"%s\"",
                     what, label);
    return NULL;
  }
  size_t size = 0;
  uint8_t *data = vtree_text_parse_base64 (body, strlen (body), &size);
  if (data == NULL) {
    vtree_error_set (error, VTREE_ERROR_INVALID, "parse %s: malformed base64", what);
    return NULL;
  }
  return g_bytes_new_take (data, size);
}

GBytes *
vtree_pem_decode (const void *pem, size_t size, const char *label, const char *what,
                  GError **error)
{
  if (size > VTREE_KEY_FILE_MAX) {
    vtree_error_set (error, VTREE_ERROR_INVALID, "parse %s: more than %d bytes", what,
                     VTREE_KEY_FILE_MAX);
    return NULL;
  }
  g_autofree char *text = size > 0 && memchr (pem, '\0', size) == NULL
                            ? dup_normalized (pem, size)
                            : g_strdup ("");
  return decode_text (text, label, what, error);
}

char *
vtree_pem_encode (const void *data, size_t size, const char *label)
{
  g_autofree char *begin = dup_border ("BEGIN", label);
  g_autofree char *end = dup_border ("END", label);
  g_autofree char *body = g_base64_encode (data, size);
  GString *text = g_string_new (begin);
  size_t length = strlen (body);
  for (size_t at = 0; at < length; at += LINE_LENGTH)
    g_string_append_printf (text, "\n%.*s", LINE_LENGTH, body + at);
  g_string_append_printf (text, "\n%s\n", end);
  return g_string_free (text, FALSE);
}
