/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the grammar of what we write as JSON: commas, escapes, bytes that are no text;
 * and that nothing of an answer goes out before it is whole.
 */
#include "cli/json.h"

#include <string.h>

#define DEPTH_MAX 16
/* An answer that is longer goes out in parts. */
#define HELD_MAX ((gsize) 16 * 1024 * 1024)

struct VtreeJson {
  FILE *file;
  GString *text; /* not in FILE yet */
  unsigned depth;
  bool started[DEPTH_MAX + 1]; /* something stands at this depth already */
};

VtreeJson *
vtree_json_new (FILE *file)
{
  VtreeJson *json = g_new0 (VtreeJson, 1);

  json->file = file;
  json->text = g_string_new (NULL);
  return json;
}

void
vtree_json_free (VtreeJson *json)
{
  g_string_free (json->text, TRUE);
  g_free (json);
}

static void
hand_over (VtreeJson *json)
{
  fwrite (json->text->str, 1, json->text->len, json->file);
  g_string_truncate (json->text, 0);
}

static void
put_character (GString *out, char character)
{
  static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";

  for (size_t i = 0; i + 1 < sizeof letters - 1; i += 2)
    if (letters[i] == character) {
      g_string_append_c (out, '\\');
      g_string_append_c (out, letters[i + 1]);
      return;
    }
  g_string_append_c (out, character);
}

/* A character that would not show, so that no reader's terminal acts on it. */
static void
put_escape (GString *out, gunichar character)
{
  const unsigned surrogate_base = 0x10000;

  if (character < surrogate_base) {
    g_string_append_printf (out, "\\u%04x", character);
    return;
  }
  character -= surrogate_base;
  g_string_append_printf (out, "\\u%04x\\u%04x", 0xd800 + (character >> 10),
                          0xdc00 + (character & 0x3ff));
}

/* The SIZE bytes of one valid character. */
static void
put_valid (GString *out, const char *text, size_t size)
{
  static const char short_escapes[] = "\b\f\n\r\t";
  gunichar character = g_utf8_get_char (text);

  if (size == 1 && (g_ascii_isprint (*text) || strchr (short_escapes, *text) != NULL))
    put_character (out, *text);
  else if (g_unichar_isprint (character))
    g_string_append_len (out, text, (gssize) size);
  else
    put_escape (out, character);
}

/* LENGTH bytes of TEXT between quotes. True if each of them could be said. */
static bool
put_string (GString *out, const char *text, size_t length)
{
  bool exact = true;

  g_string_append_c (out, '"');
  while (length > 0) {
    gunichar character = g_utf8_get_char_validated (text, (gssize) length);
    bool valid = character != (gunichar) -1 && character != (gunichar) -2;
    size_t size = valid ? (size_t) (g_utf8_next_char (text) - text) : 1;

    if (valid)
      put_valid (out, text, size);
    else
      g_string_append (out, "\\ufffd");
    exact = exact && valid;
    text += size;
    length -= size;
  }
  g_string_append_c (out, '"');
  return exact;
}

/* What comes before each value. */
static void
put_key (VtreeJson *json, const char *key)
{
  if (json->started[json->depth])
    g_string_append_c (json->text, ',');
  json->started[json->depth] = true;
  if (key == NULL)
    return;
  put_string (json->text, key, strlen (key));
  g_string_append_c (json->text, ':');
}

static void
begin (VtreeJson *json, const char *key, char bracket)
{
  g_assert (json->depth < DEPTH_MAX);
  put_key (json, key);
  g_string_append_c (json->text, bracket);
  json->started[++json->depth] = false;
}

static void
end (VtreeJson *json, char bracket)
{
  g_assert (json->depth > 0);
  json->depth--;
  g_string_append_c (json->text, bracket);
  if (json->depth == 0)
    g_string_append_c (json->text, '\n');
  if (json->depth == 0 || json->text->len > HELD_MAX)
    hand_over (json);
}

void
vtree_json_begin_object (VtreeJson *json, const char *key)
{
  begin (json, key, '{');
}

void
vtree_json_begin_answer (VtreeJson *json)
{
  vtree_json_begin_object (json, NULL);
  vtree_json_add_int (json, "schema", 1);
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
  if (put_string (json->text, text, length))
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
    put_string (json->text, text, strlen (text));
  }
}

void
vtree_json_add_base64 (VtreeJson *json, const char *key, const void *data, size_t size)
{
  g_autofree char *text = g_base64_encode (data, size);

  put_key (json, key);
  put_string (json->text, text, strlen (text));
}

void
vtree_json_add_int (VtreeJson *json, const char *key, int64_t value)
{
  put_key (json, key);
  g_string_append_printf (json->text, "%" G_GINT64_FORMAT, value);
}

void
vtree_json_add_uint (VtreeJson *json, const char *key, uint64_t value)
{
  put_key (json, key);
  g_string_append_printf (json->text, "%" G_GUINT64_FORMAT, value);
}

void
vtree_json_add_bool (VtreeJson *json, const char *key, bool value)
{
  put_key (json, key);
  g_string_append (json->text, value ? "true" : "false");
}

void
vtree_json_add_null (VtreeJson *json, const char *key)
{
  put_key (json, key);
  g_string_append (json->text, "null");
}
