/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The help that is not of one verb. */
#pragma once

#include "core/error.h"

/* Usage, all verbs with one line each, where to read on: to stdout. */
void vtree_help_print_verbs (void);

/* For WORDS[0] that is no verb: lists the family of that name ("key"), or sets
 * VTREE_ERROR_INVALID. Always false: with no error when "--help" was asked for. */
bool vtree_help_print_family (char **words, GError **error);
