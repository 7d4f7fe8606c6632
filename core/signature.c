/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the text of a .sig file. Verifies nothing: see trust.c.
 */
#include "core/signature.h"

#include "core/text.h"

#include <string.h>

#define ID_DIGITS (2 * (size_t) VTREE_KEY_ID_SIZE)

typedef struct {
  VtreeSignatureLine line;
  char *text; /* the whole line, without its LF; owns what the kind points at */
  char *kind;
  uint8_t *value;
} Line;

struct VtreeSignatures {
  GPtrArray *lines; /* Line * */
};

static void
line_free (gpointer data)
{
  Line *line = data;
  g_free (line->text);
  g_free (line->kind);
  g_free (line->value);
  g_free (line);
}

VtreeSignatures *
vtree_signatures_new (void)
{
  VtreeSignatures *signatures = g_new0 (VtreeSignatures, 1);
  signatures->lines = g_ptr_array_new_with_free_func (line_free);
  return signatures;
}

void
vtree_signatures_free (VtreeSignatures *signatures)
{
  if (signatures == NULL)
    return;
  g_ptr_array_unref (signatures->lines);
  g_free (signatures);
}

static const Line *
line_at (const VtreeSignatures *signatures, size_t index)
{
  return g_ptr_array_index (signatures->lines, index);
}

static bool
is_known (const char *kind)
{
  return strcmp (kind, VTREE_SIGNATURE_ED25519) == 0
         || strcmp (kind, VTREE_SIGNATURE_PKCS7) == 0;
}

static bool
same_signer (const Line *a, const Line *b)
{
  return a->value != NULL && b->value != NULL && strcmp (a->kind, b->kind) == 0
         && vtree_key_id_equal (&a->line.id, &b->line.id);
}

/* The line of SIGNATURES by the signer of LINE; their number if there is none. */
static size_t
find_signer (const VtreeSignatures *signatures, const Line *line)
{
  size_t count = signatures->lines->len;
  for (size_t i = 0; i < count; i++) {
    if (same_signer (line_at (signatures, i), line))
      return i;
  }
  return count;
}

/* Fills in the id and the value that follow the kind; NULL or what is wrong. */
static const char *
parse_known (Line *line)
{
  const char *id = line->text + strlen (line->kind) + 1;
  if (strlen (id) <= ID_DIGITS || id[ID_DIGITS] != ' '
      || !vtree_text_parse_hex (id, line->line.id.bytes, VTREE_KEY_ID_SIZE))
    return "malformed key id";
  const char *base64 = id + ID_DIGITS + 1;
  line->value = vtree_text_parse_base64 (base64, strlen (base64), &line->line.size);
  if (line->value == NULL)
    return "malformed base64";
  if (strcmp (line->kind, VTREE_SIGNATURE_ED25519) == 0
      && line->line.size != VTREE_SIGNATURE_SIZE)
    return "an ed25519 signature has 64 bytes";
  line->line.value = line->value;
  return NULL;
}

static const char *
parse_kind (Line *line)
{
  size_t length = strspn (line->text, "abcdefghijklmnopqrstuvwxyz0123456789-");
  if (length == 0 || line->text[length] != ' ' || line->text[length + 1] == '\0')
    return "not \"<kind> <key id> <signature>\"";
  line->kind = g_strndup (line->text, length);
  line->line.kind = line->kind;
  return is_known (line->kind) ? parse_known (line) : NULL;
}

static const char *
check_printable (const char *text, size_t size)
{
  for (size_t i = 0; i < size; i++) {
    if (!g_ascii_isprint (text[i]))
      return "a byte that is not printable ASCII";
  }
  return NULL;
}

/* Appends the line of SIZE bytes at TEXT; NULL or what is wrong with it. */
static const char *
parse_line (VtreeSignatures *signatures, const char *text, size_t size)
{
  const char *fault = check_printable (text, size);
  if (fault != NULL)
    return fault;
  Line *line = g_new0 (Line, 1);
  line->text = g_strndup (text, size);
  fault = parse_kind (line);
  if (fault == NULL && find_signer (signatures, line) < signatures->lines->len)
    fault = "a second signature by the same key";
  if (fault != NULL)
    line_free (line);
  else
    g_ptr_array_add (signatures->lines, line);
  return fault;
}

/* Bytes of the whole file. */
static size_t
file_size (const VtreeSignatures *signatures)
{
  size_t size = 0;
  for (size_t i = 0; i < signatures->lines->len; i++)
    size += strlen (line_at (signatures, i)->text) + 1;
  return size;
}

static bool
check_room (const VtreeSignatures *signatures, size_t length, GError **error)
{
  if (signatures->lines->len >= VTREE_SIGNATURE_LINES_MAX)
    return vtree_error_set (error, VTREE_ERROR_LIMIT,
                            "signature file: more than %d lines",
                            VTREE_SIGNATURE_LINES_MAX);
  if (file_size (signatures) + length >= VTREE_SIGNATURE_FILE_MAX)
    return vtree_error_set (error, VTREE_ERROR_LIMIT,
                            "signature file: more than %d bytes",
                            VTREE_SIGNATURE_FILE_MAX);
  return true;
}

static bool
parse_lines (VtreeSignatures *signatures, const char *text, size_t size, GError **error)
{
  for (size_t at = 0; at < size;) {
    unsigned number = signatures->lines->len + 1;
    const char *end = memchr (text + at, '\n', size - at);
    if (end == NULL)
      return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                              "signature file, line %u: no newline at its end", number);
    size_t length = (size_t) (end - (text + at));
    if (!check_room (signatures, length, error))
      return false;
    const char *fault = parse_line (signatures, text + at, length);
    if (fault != NULL)
      return vtree_error_set (error, VTREE_ERROR_CORRUPT, "signature file, line %u: %s",
                              number, fault);
    at += length + 1;
  }
  return true;
}

VtreeSignatures *
vtree_signatures_parse (const void *data, size_t size, GError **error)
{
  if (size > VTREE_SIGNATURE_FILE_MAX) {
    vtree_error_set (error, VTREE_ERROR_LIMIT, "signature file: more than %d bytes",
                     VTREE_SIGNATURE_FILE_MAX);
    return NULL;
  }
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_new ();
  if (!parse_lines (signatures, data, size, error))
    return NULL;
  return g_steal_pointer (&signatures);
}

size_t
vtree_signatures_count (const VtreeSignatures *signatures)
{
  return signatures->lines->len;
}

const VtreeSignatureLine *
vtree_signatures_peek (const VtreeSignatures *signatures, size_t index)
{
  return &line_at (signatures, index)->line;
}

static Line *
line_new (const char *kind, const VtreeKeyId *id, const void *value, size_t size)
{
  char id_text[VTREE_KEY_ID_TEXT_MAX];
  vtree_key_id_format (id, id_text);
  g_autofree char *base64 = g_base64_encode (value, size);
  Line *line = g_new0 (Line, 1);
  line->text = g_strdup_printf ("%s %s %s", kind, id_text, base64);
  line->kind = g_strdup (kind);
  line->value = g_memdup2 (value, size);
  line->line = (VtreeSignatureLine){
    .kind = line->kind, .id = *id, .value = line->value, .size = size
  };
  return line;
}

/* Takes LINE, in the place of one by the same signer. */
static bool
add_take (VtreeSignatures *signatures, Line *line, GError **error)
{
  size_t index = find_signer (signatures, line);
  if (index < signatures->lines->len)
    g_ptr_array_remove_index (signatures->lines, (guint) index);
  if (!check_room (signatures, strlen (line->text), error)) {
    line_free (line);
    return false;
  }
  g_ptr_array_insert (signatures->lines, (gint) index, line);
  return true;
}

bool
vtree_signatures_add (VtreeSignatures *signatures, const VtreeKeyId *id,
                      const uint8_t value[VTREE_SIGNATURE_SIZE], GError **error)
{
  return add_take (signatures,
                   line_new (VTREE_SIGNATURE_ED25519, id, value, VTREE_SIGNATURE_SIZE),
                   error);
}

bool
vtree_signatures_add_pkcs7 (VtreeSignatures *signatures, const VtreeKeyId *id,
                            const void *pkcs7, size_t size, GError **error)
{
  g_return_val_if_fail (size > 0, false);
  return add_take (signatures, line_new (VTREE_SIGNATURE_PKCS7, id, pkcs7, size),
                   error);
}

bool
vtree_signatures_add_line (VtreeSignatures *signatures, const VtreeSignatureLine *line,
                           GError **error)
{
  if (line->value == NULL)
    return true;
  return add_take (signatures,
                   line_new (line->kind, &line->id, line->value, line->size), error);
}

static bool
has_text (const VtreeSignatures *signatures, const char *text)
{
  for (size_t i = 0; i < signatures->lines->len; i++) {
    if (strcmp (line_at (signatures, i)->text, text) == 0)
      return true;
  }
  return false;
}

static Line *
line_dup (const Line *line)
{
  Line *copy = g_new0 (Line, 1);
  copy->text = g_strdup (line->text);
  copy->kind = g_strdup (line->kind);
  copy->value = g_memdup2 (line->value, line->line.size);
  copy->line = line->line;
  copy->line.kind = copy->kind;
  copy->line.value = copy->value;
  return copy;
}

bool
vtree_signatures_merge (VtreeSignatures *signatures, const VtreeSignatures *other,
                        GError **error)
{
  for (size_t i = 0; i < other->lines->len; i++) {
    const Line *line = line_at (other, i);
    if (!has_text (signatures, line->text)
        && !add_take (signatures, line_dup (line), error))
      return false;
  }
  return true;
}

GBytes *
vtree_signatures_serialize (const VtreeSignatures *signatures)
{
  GString *text = g_string_new (NULL);
  for (size_t i = 0; i < signatures->lines->len; i++)
    g_string_append_printf (text, "%s\n", line_at (signatures, i)->text);
  return g_string_free_to_bytes (text);
}
