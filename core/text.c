/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the reading of numbers, hexadecimal and base64 in their one spelling. Knows no
 * file format.
 */
#include "core/text.h"

#include <string.h>

bool
vtree_text_parse_u64 (const char *text, size_t length, uint64_t *value)
{
  if (length == 0 || (text[0] == '0' && length > 1))
    return false;
  uint64_t sum = 0;
  for (size_t i = 0; i < length; i++) {
    if (!g_ascii_isdigit (text[i]))
      return false;
    uint64_t digit = (uint64_t) (text[i] - '0');
    if (sum > (UINT64_MAX - digit) / 10)
      return false;
    sum = sum * 10 + digit;
  }
  *value = sum;
  return true;
}

/* The value of a lower-case hexadecimal digit, or -1. */
static int
hex_value (char c)
{
  return g_ascii_isupper (c) ? -1 : g_ascii_xdigit_value (c);
}

bool
vtree_text_parse_hex (const char *text, uint8_t *value, size_t size)
{
  for (size_t i = 0; i < size; i++) {
    int high = hex_value (text[2 * i]);
    int low = high >= 0 ? hex_value (text[2 * i + 1]) : -1;
    if (low < 0)
      return false;
    value[i] = (uint8_t) (high << 4 | low);
  }
  return true;
}

char *
vtree_text_format_hex (const uint8_t *value, size_t size, char *text)
{
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < size; i++) {
    text[2 * i] = digits[value[i] >> 4];
    text[2 * i + 1] = digits[value[i] & 15];
  }
  text[2 * size] = '\0';
  return text;
}

/* g_base64_decode() passes over what it does not know: the text must be what encoding
 * its answer gives. */
uint8_t *
vtree_text_parse_base64 (const char *text, size_t length, size_t *size)
{
  if (length == 0 || length % 4 != 0 || memchr (text, '\0', length) != NULL)
    return NULL;
  g_autofree char *copy = g_strndup (text, length);
  size_t decoded_size;
  g_autofree uint8_t *decoded = g_base64_decode (copy, &decoded_size);
  if (decoded == NULL || decoded_size == 0)
    return NULL;
  g_autofree char *again = g_base64_encode (decoded, decoded_size);
  if (strcmp (again, copy) != 0)
    return NULL;
  *size = decoded_size;
  return g_steal_pointer (&decoded);
}
