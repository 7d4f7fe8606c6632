/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may stand next on a command line that is being typed. A verb says so itself: it
 * is run up to its vtree_cli_parse(), which hands its options over instead of parsing,
 * and the words of the table (REF, NAME, DIR) say what its arguments are.
 */
#pragma once

#include "cli/command.h"

/* Options, collected. */
typedef struct VtreeCompletion VtreeCompletion;

/* Adds ENTRIES, ended by { NULL }; their texts have to be static. */
void vtree_completion_add (VtreeCompletion *completion, const GOptionEntry *entries);
