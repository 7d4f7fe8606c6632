/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file without a name, for bytes that need not outlive the descriptor.
 */
#pragma once

#include <glib.h>

/* An empty file, readable and writable by its owner alone: in $TMPDIR, /var/tmp or
 * /tmp, whichever first can have one, else in memory. Returns an owned descriptor, or
 * -1 with VTREE_ERRNO_ERROR. */
int vtree_temporary_file (GError **error);
