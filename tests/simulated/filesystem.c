/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stands in the place of core/filesystem.c, in test binaries that are never installed:
 * every filesystem is one whose kernel enforces fs-verity. Owns that answer alone.
 */
#include "core/filesystem.h"

bool
vtree_filesystem_enforces_verity (int fd, bool *enforces, GError **error)
{
  (void) fd, (void) error;
  *enforces = true;
  return true;
}

char *
vtree_filesystem_name (int fd)
{
  (void) fd;
  return g_strdup ("simulated");
}

bool
vtree_filesystem_keeps_change_times (int fd, uint64_t *id, GError **error)
{
  (void) fd;
  (void) error;
  *id = 1;
  return true;
}
