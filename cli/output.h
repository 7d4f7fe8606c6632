/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Standard output: what a script reads. Failures are remembered by stdio and told once,
 * at the end, except for contents, where going on would be a waste.
 *
 * A reader who has gone (EPIPE) is an error without a message: exit 1, quietly.
 */
#pragma once

#include "core/bytes.h"
#include "core/error.h"

/* printf(3) to stdout. */
void vtree_out_print (const char *format, ...) G_GNUC_PRINTF (1, 2);

/* TEXT as it is. */
void vtree_out_text (const char *text);

/* A file name out of a manifest, or another text that a stranger chose: as it is where
 * stdout is no terminal, else as vtree_error_escape() writes it. */
void vtree_out_name (const char *name, gssize length);

/* Contents, at once. Errors: VTREE_ERRNO_ERROR. */
bool vtree_out_write (const void *data, size_t size, GError **error);

/* Flushes; false when anything written since the start was lost, with an error
 * unless the reader has gone. */
bool vtree_out_finish (GError **error);

/* Whether ERROR only says that the reader of stdout has gone. */
bool vtree_out_is_quiet_error (const GError *error);
