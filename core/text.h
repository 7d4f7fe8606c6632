/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values in text that have exactly one spelling, for files that are signed or that an
 * attacker may write: what the writers below would not have written is refused.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits alone, LENGTH of them: no sign, no leading zero, at most
 * UINT64_MAX. */
bool vtree_text_parse_u64 (const char *text, size_t length, uint64_t *value);

/* Exactly 2 * SIZE lower-case hexadecimal digits that TEXT begins with (the caller
 * looks at what follows; a NUL among them is an error). */
bool vtree_text_parse_hex (const char *text, uint8_t *value, size_t size);

/* Writes 2 * SIZE digits and a NUL to TEXT; returns TEXT. */
char *vtree_text_format_hex (const uint8_t *value, size_t size, char *text);

/* RFC 4648 base64 with padding, no white space, no stray bits; LENGTH characters of
 * TEXT. Returns memory to be freed with g_free(), or NULL; *SIZE gets its bytes. An
 * empty text is refused. g_base64_encode() writes this form. */
uint8_t *vtree_text_parse_base64 (const char *text, size_t length, size_t *size);
