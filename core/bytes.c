/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns all arithmetic on offsets and sizes that come from outside, and the byte order.
 */
#include "core/bytes.h"

#include <string.h>

bool
vtree_span_sub (VtreeSpan span, uint64_t offset, uint64_t size, VtreeSpan *out)
{
  if (offset > span.size || size > span.size - offset)
    return false;
  out->data = span.data != NULL ? span.data + offset : NULL;
  out->size = (size_t) size;
  return true;
}

/* SIZE bytes at OFFSET, least significant first. */
static uint64_t
load_le (VtreeSpan span, size_t offset, size_t size)
{
  g_assert (offset <= span.size && size <= span.size - offset);
  uint64_t value = 0;
  memcpy (&value, span.data + offset, size);
  return GUINT64_FROM_LE (value);
}

uint16_t
vtree_span_u16 (VtreeSpan span, size_t offset)
{
  return (uint16_t) load_le (span, offset, sizeof (uint16_t));
}

uint32_t
vtree_span_u32 (VtreeSpan span, size_t offset)
{
  return (uint32_t) load_le (span, offset, sizeof (uint32_t));
}

uint64_t
vtree_span_u64 (VtreeSpan span, size_t offset)
{
  return load_le (span, offset, sizeof (uint64_t));
}

int64_t
vtree_span_s64 (VtreeSpan span, size_t offset)
{
  return (int64_t) vtree_span_u64 (span, offset);
}

int
vtree_span_compare (VtreeSpan a, VtreeSpan b)
{
  size_t common = MIN (a.size, b.size);
  int order = common > 0 ? memcmp (a.data, b.data, common) : 0;
  if (order != 0)
    return order;
  return (a.size > b.size) - (a.size < b.size);
}

bool
vtree_span_is_zero (VtreeSpan span)
{
  if (span.size == 0)
    return true;
  /* Each byte equals the one before it, and the first is zero. */
  return span.data[0] == 0 && memcmp (span.data, span.data + 1, span.size - 1) == 0;
}

bool
vtree_bytes_mul_add (uint64_t a, uint64_t b, uint64_t c, uint64_t *out)
{
  uint64_t value;
  if (__builtin_mul_overflow (a, b, &value)
      || __builtin_add_overflow (value, c, &value))
    return false;
  *out = value;
  return true;
}

void
vtree_bytes_put_u16 (uint8_t *p, uint16_t value)
{
  uint16_t le = GUINT16_TO_LE (value);
  memcpy (p, &le, sizeof le);
}

void
vtree_bytes_put_u32 (uint8_t *p, uint32_t value)
{
  uint32_t le = GUINT32_TO_LE (value);
  memcpy (p, &le, sizeof le);
}

void
vtree_bytes_put_u64 (uint8_t *p, uint64_t value)
{
  uint64_t le = GUINT64_TO_LE (value);
  memcpy (p, &le, sizeof le);
}
