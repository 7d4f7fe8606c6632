/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log of what this user has sealed: which place (file-seal-target.h) by which name.
 * It finds what has lost its seal because an editor put another file in its place, and
 * it is what a file sealed with a name of its choice is expected to be called.
 *
 * File sealed/<SHA-256 of the place in hexadecimal>, written in one way only:
 * "vtree-sealed 1\nplace: …\nname: …\n", both as in a seal. Whoever seals or unseals
 * holds the directory's lock, so that two of them don't take one version.
 */
#pragma once

#include "core/fd.h"
#include "core/paths.h"

typedef struct {
  char *place;
  char *name;
} VtreeFileSealEntry;

/* All entries, sorted by place: a GPtrArray of VtreeFileSealEntry * that owns them. An
 * entry that is malformed is VTREE_ERROR_CORRUPT, never passed over. */
GPtrArray *vtree_file_seal_log_load (const VtreePaths *paths, GError **error);

/* The name of PLACE in the log, to be freed; *NAME is NULL where it is not in it. */
bool vtree_file_seal_log_find (const VtreePaths *paths, const char *place, char **name,
                               GError **error);

/* Opens the log's directory, made if missing. Returns an owned descriptor, or -1. */
int vtree_file_seal_log_open (const VtreePaths *paths, GError **error);
/* Takes the lock of what _open returned, for at most WAIT seconds (-1: for ever), until
 * FD is closed. Errors: VTREE_ERROR_BUSY, VTREE_ERRNO_ERROR. */
bool vtree_file_seal_log_lock (const VtreePaths *paths, int fd, int wait,
                               GError **error);

/* Adds PLACE, or replaces its name; synced. FD is locked. */
bool vtree_file_seal_log_put (int fd, const char *place, const char *name,
                              GError **error);
/* Removes PLACE; *FOUND tells whether it was there. Synced. */
bool vtree_file_seal_log_remove (int fd, const char *place, bool *found,
                                 GError **error);
