/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the text of a root statement, both ways. Verifies no signature and decides
 * nothing: see resolve.c.
 */
#include "manifest/statement.h"

#include "core/text.h"
#include "manifest/ref.h"
#include "manifest/signed-text.h"

#include <string.h>

#define FIRST_WORD "vtree-root "
#define FIRST_LINE FIRST_WORD "1"

/* What is wrong with a line, or NULL. */
typedef const char *(*ParseValue) (const char *value, VtreeStatement *statement);

void
vtree_statement_free (VtreeStatement *statement)
{
  if (statement == NULL)
    return;
  g_free (statement->ref);
  g_strfreev (statement->extra);
  g_free (statement);
}

static const char *
parse_ref (const char *value, VtreeStatement *statement)
{
  if (!vtree_ref_check_name (value, NULL))
    return "not a valid ref name";
  statement->ref = g_strdup (value);
  return NULL;
}

static const char *
parse_version (const char *value, VtreeStatement *statement)
{
  return vtree_text_parse_u64 (value, strlen (value), &statement->version)
             && statement->version > 0
           ? NULL
           : "not a number from 1 to 18446744073709551615";
}

static const char *
parse_size (const char *value, VtreeStatement *statement)
{
  return vtree_text_parse_u64 (value, strlen (value), &statement->size)
             && statement->size > 0 && statement->size <= INT64_MAX
           ? NULL
           : "not a number from 1 to 9223372036854775807";
}

static const char *
parse_created (const char *value, VtreeStatement *statement)
{
  return vtree_time_parse (value, &statement->created) ? NULL : "not a time";
}

static const char *
parse_expires (const char *value, VtreeStatement *statement)
{
  return vtree_time_parse (value, &statement->expires) && statement->expires > 0
           ? NULL
           : "not a time after 1970-01-01T00:00:00Z";
}

static const char *
parse_manifest (const char *value, VtreeStatement *statement)
{
  return vtree_digest_parse (value, &statement->manifest, NULL) ? NULL : "not a digest";
}

static const char *
parse_parent (const char *value, VtreeStatement *statement)
{
  statement->has_parent = vtree_digest_parse (value, &statement->parent, NULL);
  return statement->has_parent ? NULL : "not a digest";
}

static const struct {
  const char *key;
  bool required;
  ParseValue parse;
} fields[] = {
  { "ref", true, parse_ref },           { "version", true, parse_version },
  { "created", true, parse_created },   { "expires", false, parse_expires },
  { "manifest", true, parse_manifest }, { "size", true, parse_size },
  { "parent", false, parse_parent },
};

typedef struct {
  VtreeStatement *statement;
  GPtrArray *extra; /* char *: key, value, … */
  unsigned seen;    /* bit i: fields[i] */
} Parse;

static bool
is_extra_key (const char *key)
{
  return g_str_has_prefix (key, "x-") && key[2] != '\0'
         && key[strspn (key, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static bool
has_extra (const GPtrArray *extra, const char *key)
{
  for (size_t i = 0; i + 1 < extra->len; i += 2) {
    if (strcmp (g_ptr_array_index (extra, i), key) == 0)
      return true;
  }
  return false;
}

static const char *
parse_extra (Parse *parse, const char *key, const char *value)
{
  if (!is_extra_key (key))
    return "unknown key";
  if (has_extra (parse->extra, key))
    return "this key again";
  g_ptr_array_add (parse->extra, g_strdup (key));
  g_ptr_array_add (parse->extra, g_strdup (value));
  return NULL;
}

static const char *
parse_field (Parse *parse, const char *key, const char *value)
{
  for (unsigned i = 0; i < G_N_ELEMENTS (fields); i++) {
    if (strcmp (fields[i].key, key) != 0)
      continue;
    if (parse->seen & 1u << i)
      return "this key again";
    parse->seen |= 1u << i;
    return fields[i].parse (value, parse->statement);
  }
  return parse_extra (parse, key, value);
}

/* Cuts LINE (writable) in two. */
static const char *
parse_line (Parse *parse, char *line)
{
  char *separator = strstr (line, ": ");
  if (separator == NULL)
    return "not \"key: value\"";
  *separator = '\0';
  const char *value = separator + 2;
  size_t length = strlen (value);
  if (length == 0 || value[0] == ' ' || value[length - 1] == ' ')
    return "an empty value, or a space around it";
  return parse_field (parse, line, value);
}

static bool
set_line_error (GError **error, size_t number, const char *fault)
{
  return vtree_error_set (error, VTREE_ERROR_CORRUPT, "root statement, line %zu: %s",
                          number, fault);
}

static bool
check_complete (const Parse *parse, GError **error)
{
  for (unsigned i = 0; i < G_N_ELEMENTS (fields); i++) {
    if (fields[i].required && !(parse->seen & 1u << i))
      return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                              "root statement: it has no \"%s\"", fields[i].key);
  }
  return true;
}

static bool
parse_lines (Parse *parse, const char *text, GError **error)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  if (!vtree_signed_text_check (lines[0], FIRST_WORD, "root statement", error))
    return false;
  for (size_t i = 1; lines[i + 1] != NULL; i++) { /* "" is behind the last newline */
    const char *fault = parse_line (parse, lines[i]);
    if (fault != NULL)
      return set_line_error (error, i + 1, fault);
  }
  return check_complete (parse, error);
}

/* The number of the line that byte AT of DATA is in. */
static size_t
line_number (const char *data, size_t at)
{
  size_t number = 1;
  for (size_t i = 0; i < at; i++)
    number += data[i] == '\n';
  return number;
}

static bool
check_characters (const char *data, size_t size, GError **error)
{
  for (size_t i = 0; i < size; i++) {
    if (g_ascii_iscntrl (data[i]) && data[i] != '\n')
      return set_line_error (error, line_number (data, i), "a control character");
  }
  const char *end;
  if (!g_utf8_validate_len (data, size, &end))
    return set_line_error (error, line_number (data, (size_t) (end - data)),
                           "invalid UTF-8");
  if (data[size - 1] != '\n')
    return set_line_error (error, line_number (data, size), "no newline at its end");
  return true;
}

static bool
check_bytes (const char *data, size_t size, GError **error)
{
  if (size == 0)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT, "root statement: it is empty");
  if (size > VTREE_STATEMENT_MAX)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "root statement: more than %d bytes", VTREE_STATEMENT_MAX);
  return check_characters (data, size, error);
}

VtreeStatement *
vtree_statement_parse (const void *data, size_t size, GError **error)
{
  if (!check_bytes (data, size, error))
    return NULL;
  g_autofree char *text = g_strndup (data, size);
  g_autoptr (VtreeStatement) statement = g_new0 (VtreeStatement, 1);
  g_autoptr (GPtrArray) extra = g_ptr_array_new_with_free_func (g_free);
  Parse parse = { .statement = statement, .extra = extra };
  if (!parse_lines (&parse, text, error))
    return NULL;
  g_ptr_array_add (extra, NULL);
  statement->extra = (char **) g_ptr_array_steal (extra, NULL);
  return g_steal_pointer (&statement);
}

static void
append_time (GString *text, const char *key, int64_t seconds)
{
  g_autofree char *time = vtree_time_format (seconds);
  g_string_append_printf (text, "%s: %s\n", key, time);
}

static void
append_digest (GString *text, const char *key, const VtreeDigest *digest)
{
  char digest_text[VTREE_DIGEST_TEXT_MAX];
  g_string_append_printf (text, "%s: %s\n", key,
                          vtree_digest_format (digest, digest_text));
}

static void
append_all (GString *text, const VtreeStatement *statement)
{
  g_string_append (text, FIRST_LINE "\n");
  g_string_append_printf (text, "ref: %s\n", statement->ref);
  g_string_append_printf (text, "version: %" G_GUINT64_FORMAT "\n", statement->version);
  append_time (text, "created", statement->created);
  if (statement->expires != 0)
    append_time (text, "expires", statement->expires);
  append_digest (text, "manifest", &statement->manifest);
  g_string_append_printf (text, "size: %" G_GUINT64_FORMAT "\n", statement->size);
  if (statement->has_parent)
    append_digest (text, "parent", &statement->parent);
  for (char **extra = statement->extra; extra != NULL && *extra != NULL; extra += 2)
    g_string_append_printf (text, "%s: %s\n", extra[0], extra[1]);
}

/* What a caller put into a value could have ended its line and begun another: the text
 * counts only if the parser reads all of it back. */
static bool
check_reads_back (GBytes *bytes, const VtreeStatement *statement, GError **error)
{
  size_t size;
  const void *data = g_bytes_get_data (bytes, &size);
  if (size > VTREE_STATEMENT_MAX)
    return vtree_error_set (error, VTREE_ERROR_LIMIT,
                            "write root statement: %zu bytes, at most %d are allowed",
                            size, VTREE_STATEMENT_MAX);
  g_autoptr (GError) fault = NULL;
  g_autoptr (VtreeStatement) again = vtree_statement_parse (data, size, &fault);
  if (again == NULL)
    return vtree_error_set (error, VTREE_ERROR_INVALID, "write %s", fault->message);
  const char *const none[] = { NULL };
  const char *const *extra = (const char *const *) statement->extra;
  if (strcmp (again->ref, statement->ref) != 0
      || !g_strv_equal ((const char *const *) again->extra,
                        extra != NULL ? extra : none))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "write root statement: a key or a value has a separator");
  return true;
}

GBytes *
vtree_statement_serialize (const VtreeStatement *statement, GError **error)
{
  GString *text = g_string_new (NULL);
  append_all (text, statement);
  g_autoptr (GBytes) bytes = g_string_free_to_bytes (text);
  if (!check_reads_back (bytes, statement, error))
    return NULL;
  return g_steal_pointer (&bytes);
}

GBytes *
vtree_statement_signed_bytes (GBytes *file)
{
  return vtree_signed_text_bytes (VTREE_STATEMENT_CONTEXT, file);
}

const char *
vtree_statement_extra (const VtreeStatement *statement, const char *key)
{
  for (char **extra = statement->extra; extra != NULL && *extra != NULL; extra += 2) {
    if (strcmp (extra[0], key) == 0)
      return extra[1];
  }
  return NULL;
}
