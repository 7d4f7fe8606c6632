/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DER (X.690), as far as a detached signature needs it: elements with a tag of one byte
 * and a definite, minimal length of at most four. BER's indefinite lengths, and lengths
 * that go past the end, are refused. Reading takes elements off the front of a span and
 * never recurses, so nesting costs nothing; writing wraps from the inside out.
 */
#pragma once

#include "core/bytes.h"

#define VTREE_DER_INTEGER 0x02
#define VTREE_DER_OCTETS 0x04
#define VTREE_DER_NULL 0x05
#define VTREE_DER_OID 0x06
#define VTREE_DER_SEQUENCE 0x30
#define VTREE_DER_SET 0x31
/* [N], constructed and primitive */
#define VTREE_DER_CONTEXT(n) (0xa0 | (n))
#define VTREE_DER_CONTEXT_PLAIN(n) (0x80 | (n))

/* Takes the element at the front of *FROM, whose tag must be TAG: *CONTENTS is what is
 * in it. False, and nothing changed, where there is no such element. */
bool vtree_der_take (VtreeSpan *from, uint8_t tag, VtreeSpan *contents);

/* Like vtree_der_take(), for an element with its tag and length: *WHOLE. */
bool vtree_der_take_whole (VtreeSpan *from, uint8_t tag, VtreeSpan *whole);

/* Takes the element at the front of *FROM if it has TAG: *CONTENTS, else an empty span
 * without data. False only where something stands there that is no element. */
bool vtree_der_take_optional (VtreeSpan *from, uint8_t tag, VtreeSpan *contents);

/* Whether A and B are the same bytes. */
bool vtree_der_equal (VtreeSpan a, VtreeSpan b);

/* An element TAG around the COUNT parts, one after the other; each part is freed. */
GBytes *vtree_der_wrap_take (uint8_t tag, GBytes *const *parts, size_t count);
