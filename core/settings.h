/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mount policy of the administrator and the user: [mount] of vtree.conf (GKeyFile).
 * Keys: verity, open, io, xattr, min_version…: the mount options' own names and words.
 * An option without a value (allow_dev) is written "allow_dev=true", or "=false" so
 * that a later file can't set it.
 */
#pragma once

#include "core/paths.h"

typedef struct {
  char *name;
  char *value; /* NULL: it has none, and is true */
  bool off;    /* it is false: as if nobody had said it */
  char *file;  /* where it stands, escaped, for messages */
} VtreeSetting;

/* The mount defaults (GPtrArray of VtreeSetting *, owned), each from the first file
 * that has it. A file that does not exist is skipped; one that is malformed
 * (VTREE_ERROR_INVALID), or that others can write to or put in its place
 * (VTREE_ERROR_UNTRUSTED), is an error. Whether a name or a value makes sense is for
 * the reader of options to say. */
GPtrArray *vtree_settings_mount_options (const VtreePaths *paths, GError **error);
