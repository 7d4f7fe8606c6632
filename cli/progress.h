/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One line on stderr that shows how far something is: on a terminal, once it has taken
 * more than a second, and never with --quiet. It is wiped out at the end.
 *
 *   g_autoptr (VtreeProgress) progress = vtree_progress_new ("commit", !cli->quiet);
 *   options.progress = vtree_progress_count;
 *   options.progress_context = progress;
 *
 * The callbacks may come from any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct VtreeProgress VtreeProgress;

/* WANTED false, or stderr no terminal: nothing is ever shown. WHAT is borrowed. */
VtreeProgress *vtree_progress_new (const char *what, bool wanted);
void vtree_progress_free (VtreeProgress *progress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeProgress, vtree_progress_free)

/* How many files there will be; 0: not known. Before the first callback. */
void vtree_progress_set_total (VtreeProgress *progress, uint64_t files);

/* FILES and BYTES are done; CONTEXT is the VtreeProgress. */
void vtree_progress_count (void *context, uint64_t files, uint64_t bytes);

/* DONE of TOTAL bytes are done; CONTEXT is the VtreeProgress. */
void vtree_progress_share (void *context, uint64_t done, uint64_t total);

/* Wipes the line out, for another one that is printed now; it comes back by itself. */
void vtree_progress_hide (VtreeProgress *progress);

/* The line, at most COLUMNS wide: WHAT, a bar unless TOTAL is 0, DETAIL. */
char *vtree_progress_format (const char *what, uint64_t done, uint64_t total,
                             const char *detail, unsigned columns);
