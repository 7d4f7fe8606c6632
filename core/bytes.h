/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one place that does arithmetic on untrusted bytes: a bounded span, checked
 * sub-spans, little-endian fields. A span borrows; it lives as long as its owner.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
  const uint8_t *data; /* may be NULL when size is 0 */
  size_t size;         /* bytes */
} VtreeSpan;

/* *OUT = SIZE bytes of SPAN from OFFSET; false (and *OUT untouched) when out of
 * range. */
bool vtree_span_sub (VtreeSpan span, uint64_t offset, uint64_t size, VtreeSpan *out);

/* The little-endian integer at OFFSET, which must be inside SPAN: a constant offset in
 * a record whose size was checked when the span was made (asserted). */
uint16_t vtree_span_u16 (VtreeSpan span, size_t offset);
uint32_t vtree_span_u32 (VtreeSpan span, size_t offset);
uint64_t vtree_span_u64 (VtreeSpan span, size_t offset);
int64_t vtree_span_s64 (VtreeSpan span, size_t offset);

/* memcmp() order: unsigned bytes, the shorter one first. */
int vtree_span_compare (VtreeSpan a, VtreeSpan b);

/* True when every byte is zero. */
bool vtree_span_is_zero (VtreeSpan span);

/* A * B + C, false on overflow of 64 bits. */
bool vtree_bytes_mul_add (uint64_t a, uint64_t b, uint64_t c, uint64_t *out);

/* Stores little-endian at P (writers only). */
void vtree_bytes_put_u16 (uint8_t *p, uint16_t value);
void vtree_bytes_put_u32 (uint8_t *p, uint32_t value);
void vtree_bytes_put_u64 (uint8_t *p, uint64_t value);
