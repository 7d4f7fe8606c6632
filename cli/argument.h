/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words that a person writes behind an option, parsed strictly. TEXT is raw bytes.
 * Errors are VTREE_ERROR_INVALID and name option and word.
 */
#pragma once

#include "core/error.h"
#include "core/policy.h"
#include <stdint.h>

/* A decimal number from MIN to MAX for the option or argument WHAT ("--version"). */
bool vtree_argument_number (const char *what, const char *text, uint64_t min,
                            uint64_t max, uint64_t *number, GError **error);

/* Seconds, or -1 for ever. */
bool vtree_argument_wait (const char *text, int *seconds, GError **error);

/* --threads: 1 to 1024. */
bool vtree_argument_threads (const char *text, unsigned *threads, GError **error);

/* --verity: auto, require or off. */
bool vtree_argument_verity (const char *text, VtreeVerityPolicy *policy,
                            GError **error);

/* --expires: "2027-01-31T00:00:00Z", or a span from NOW on: a number and s, m
 * (minutes), h, d, w or y (365 days). Must lie after NOW. */
bool vtree_argument_expires (const char *text, int64_t now, int64_t *expires,
                             GError **error);

/* A key's name: 1 to 100 of A-Za-z0-9._+@-, the first no dot and no dash. */
bool vtree_argument_key_name (const char *text, GError **error);
