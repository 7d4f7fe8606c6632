/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the grammar of what we write as JSON: commas, escapes, bytes that are no
 * text. */
#include "cli/json.h"

#include <string.h>

#define DEPTH_MAX 16

struct VtreeJson {
  FILE *file;
  unsigned depth;
  bool started[DEPTH_MAX + 1]; /* something stands at this depth already */
};

VtreeJson *
vtree_json_new (FILE *file)
{
  VtreeJson *json = g_new0 (VtreeJson, 1);

  json->file = file;
  return json;
}

void
vtree_json_free (VtreeJson *json)
{
  g_free (json);
}

static void
put_character (FILE *file, char character)
{
  static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";

  for (size_t i = 0; i + 1 < sizeof letters - 1; i += 2)
    if (letters[i] == character) {
      fputc ('\\', file);
      fputc (letters[i + 1], file);
      return;
    }
  fputc (character, file);
}

/* A character that would not show, so that no reader's terminal acts on it. */
static void
put_escape (FILE *file, gunichar character)
{
  const unsigned surrogate_base = 0x10000;

  if (character < surrogate_base) {
    fprintf (file, "\\u%04x", character);
    return;
  }
  character -= surrogate_base;
  fprintf (file, "\\u%04x\\u%04x", 0xd800 + (character >> 10),
           0xdc00 + (character & 0x3ff));
}

/* The SIZE bytes of one valid character. */
static void
put_valid (FILE *file, const char *text, size_t size)
{
  static const char short_escapes[] = "\b\f\n\r\t";
  gunichar character = g_utf8_get_char (text);

  if (size == 1 && (g_ascii_isprint (*text) || strchr (short_escapes, *text) != NULL))
    put_character (file, *text);
  else if (g_unichar_isprint (character))
    fwrite (text, 1, size, file);
  else
    put_escape (file, character);
}

/* LENGTH bytes of TEXT between quotes. True if each of them could be said. */
static bool
put_string (FILE *file, const char *text, size_t length)
{
  bool exact = true;

  fputc ('"', file);
  while (length > 0) {
    gunichar character = g_utf8_get_char_validated (text, (gssize) length);
    bool valid = character != (gunichar) -1 && character != (gunichar) -2;
    size_t size = valid ? (size_t) (g_utf8_next_char (text) - text) : 1;

    if (valid)
      put_valid (file, text, size);
    else
      fputs ("\\ufffd", file);
    exact = exact && valid;
    text += size;
    length -= size;
  }
  fputc ('"', file);
  return exact;
}

/* What comes before each value. */
static void
put_key (VtreeJson *json, const char *key)
{
  if (json->started[json->depth])
    fputc (',', json->file);
  json->started[json->depth] = true;
  if (key == NULL)
    return;
  put_string (json->file, key, strlen (key));
  fputc (':', json->file);
}

static void
begin (VtreeJson *json, const char *key, char bracket)
{
  g_assert (json->depth < DEPTH_MAX);
  put_key (json, key);
  fputc (bracket, json->file);
  json->started[++json->depth] = false;
}

static void
end (VtreeJson *json, char bracket)
{
  g_assert (json->depth > 0);
  json->depth--;
  fputc (bracket, json->file);
  if (json->depth == 0)
    fputc ('\n', json->file);
}

void
vtree_json_begin_object (VtreeJson *json, const char *key)
{
  begin (json, key, '{');
}

void
vtree_json_end_object (VtreeJson *json)
{
  end (json, '}');
}

void
vtree_json_begin_array (VtreeJson *json, const char *key)
{
  begin (json, key, '[');
}

void
vtree_json_end_array (VtreeJson *json)
{
  end (json, ']');
}

void
vtree_json_add_bytes (VtreeJson *json, const char *key, const char *text, size_t length)
{
  g_autofree char *exact_key = NULL;

  g_assert (key != NULL);
  put_key (json, key);
  if (put_string (json->file, text, length))
    return;
  exact_key = g_strconcat (key, "_bytes", NULL);
  vtree_json_add_base64 (json, exact_key, text, length);
}

void
vtree_json_add_string (VtreeJson *json, const char *key, const char *text)
{
  if (text == NULL) {
    vtree_json_add_null (json, key);
  } else if (key != NULL) {
    vtree_json_add_bytes (json, key, text, strlen (text));
  } else {
    put_key (json, NULL);
    put_string (json->file, text, strlen (text));
  }
}

void
vtree_json_add_base64 (VtreeJson *json, const char *key, const void *data, size_t size)
{
  g_autofree char *text = g_base64_encode (data, size);

  put_key (json, key);
  put_string (json->file, text, strlen (text));
}

void
vtree_json_add_int (VtreeJson *json, const char *key, int64_t value)
{
  put_key (json, key);
  fprintf (json->file, "%" G_GINT64_FORMAT, value);
}

void
vtree_json_add_uint (VtreeJson *json, const char *key, uint64_t value)
{
  put_key (json, key);
  fprintf (json->file, "%" G_GUINT64_FORMAT, value);
}

void
vtree_json_add_bool (VtreeJson *json, const char *key, bool value)
{
  put_key (json, key);
  fputs (value ? "true" : "false", json->file);
}

void
vtree_json_add_null (VtreeJson *json, const char *key)
{
  put_key (json, key);
  fputs ("null", json->file);
}
