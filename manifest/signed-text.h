/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the two texts that are signed, root statement and seal of a file, have in
 * common: a first line that ends in the format's version, and bytes to sign that say
 * what they are.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* LINE must be WORD and the version 1. WHAT is the text's name in messages. Errors:
 * VTREE_ERROR_UNSUPPORTED for another version, VTREE_ERROR_CORRUPT. */
bool vtree_signed_text_check (const char *line, const char *word, const char *what,
                              GError **error);

/* CONTEXT with its NUL, and TEXT behind it. */
GBytes *vtree_signed_text_bytes (const char *context, GBytes *text);
