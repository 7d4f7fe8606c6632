/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the encoding of elements. Knows nothing of what they mean: see pkcs7-parse.c.
 */
#include "core/der.h"

#include <string.h>

/* Tag numbers from 31 on take more bytes; nothing here has one. */
#define TAG_LONG 0x1f
#define LENGTH_LONG 0x80u
#define LENGTH_BYTES_MAX 4

typedef struct {
  uint8_t tag;
  size_t header; /* bytes of tag and length */
  VtreeSpan contents;
  VtreeSpan whole;
} Element;

/* The length behind the tag; *HEADER becomes the bytes of both. */
static bool
read_length (VtreeSpan from, size_t *header, uint64_t *length)
{
  VtreeSpan field;
  uint8_t first = from.data[1];
  *header = 2;
  *length = first;
  if (first < LENGTH_LONG)
    return true;
  size_t count = first - LENGTH_LONG;
  if (count == 0 || count > LENGTH_BYTES_MAX
      || !vtree_span_sub (from, 2, count, &field))
    return false;
  *length = 0;
  for (size_t i = 0; i < count; i++)
    *length = *length << 8 | field.data[i];
  *header = 2 + count;
  /* Minimal: no leading zero, and not what the short form could have said. */
  return field.data[0] != 0 && *length >= LENGTH_LONG;
}

static bool
read_element (VtreeSpan from, Element *element)
{
  uint64_t length;
  if (from.size < 2 || (from.data[0] & TAG_LONG) == TAG_LONG)
    return false;
  element->tag = from.data[0];
  return read_length (from, &element->header, &length)
         && vtree_span_sub (from, element->header, length, &element->contents)
         && vtree_span_sub (from, 0, element->header + length, &element->whole);
}

static void
advance (VtreeSpan *from, const Element *element)
{
  VtreeSpan rest = { NULL, 0 };
  bool inside = vtree_span_sub (*from, element->whole.size,
                                from->size - element->whole.size, &rest);
  g_assert (inside);
  *from = rest;
}

static bool
take (VtreeSpan *from, uint8_t tag, Element *element)
{
  if (!read_element (*from, element) || element->tag != tag)
    return false;
  advance (from, element);
  return true;
}

bool
vtree_der_take (VtreeSpan *from, uint8_t tag, VtreeSpan *contents)
{
  Element element;
  if (!take (from, tag, &element))
    return false;
  *contents = element.contents;
  return true;
}

bool
vtree_der_take_whole (VtreeSpan *from, uint8_t tag, VtreeSpan *whole)
{
  Element element;
  if (!take (from, tag, &element))
    return false;
  *whole = element.whole;
  return true;
}

bool
vtree_der_take_optional (VtreeSpan *from, uint8_t tag, VtreeSpan *contents)
{
  Element element;
  *contents = (VtreeSpan){ NULL, 0 };
  if (from->size == 0)
    return true;
  if (!read_element (*from, &element))
    return false;
  if (element.tag != tag)
    return true;
  advance (from, &element);
  *contents = element.contents;
  return true;
}

bool
vtree_der_equal (VtreeSpan a, VtreeSpan b)
{
  return vtree_span_compare (a, b) == 0;
}

static void
append_length (GByteArray *to, size_t length)
{
  uint8_t bytes[1 + LENGTH_BYTES_MAX];
  guint count = 0;
  g_assert (length <= G_MAXUINT32);
  if (length < LENGTH_LONG) {
    bytes[count++] = (uint8_t) length;
  } else {
    guint needed = 1;
    while (length >> (8 * needed) != 0)
      needed++;
    bytes[count++] = (uint8_t) (LENGTH_LONG | needed);
    for (guint i = needed; i > 0; i--)
      bytes[count++] = (uint8_t) (length >> (8 * (i - 1)));
  }
  g_byte_array_append (to, bytes, count);
}

GBytes *
vtree_der_wrap_take (uint8_t tag, GBytes *const *parts, size_t count)
{
  size_t length = 0;
  for (size_t i = 0; i < count; i++)
    length += g_bytes_get_size (parts[i]);
  GByteArray *element = g_byte_array_new ();
  g_byte_array_append (element, &tag, 1);
  append_length (element, length);
  for (size_t i = 0; i < count; i++) {
    size_t size;
    const uint8_t *data = g_bytes_get_data (parts[i], &size);
    if (size > 0)
      g_byte_array_append (element, data, (guint) size);
    g_bytes_unref (parts[i]);
  }
  return g_byte_array_free_to_bytes (element);
}
