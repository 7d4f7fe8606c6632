/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file that is sealed, checked or unsealed: what it is called, and one descriptor of
 * it that serves from the beginning to the end.
 *
 * Its place is where the person says it is, not where symlinks lead: "~/x" below the
 * home directory (which can move), else the absolute path. A place is a file's name in
 * its seal unless another one is chosen, and its key in the log. Symlinks on the way
 * are followed, so a directory that is exchanged for a link to another one shows files
 * whose seals have other names; a symlink as the last component is no file that can be
 * sealed.
 */
#pragma once

#include "core/fd.h"
#include "core/paths.h"
#include <sys/stat.h>

typedef struct {
  char *path;  /* absolute */
  char *place; /* "~/…" or PATH */
  char *base;  /* PATH's last component */
  VtreeFd dirfd;
  VtreeFd fd; /* of a regular file, read-only; -1: see _open */
  struct stat stat;
} VtreeFileSealTarget;

#define VTREE_FILE_SEAL_TARGET_INIT                                                    \
  {                                                                                    \
    .dirfd = -1, .fd = -1                                                              \
  }

/* Frees what TARGET holds. */
void vtree_file_seal_target_clear (VtreeFileSealTarget *target);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeFileSealTarget, vtree_file_seal_target_clear)

typedef enum {
  VTREE_FILE_SEAL_TARGET_OPEN,    /* a regular file, open */
  VTREE_FILE_SEAL_TARGET_MISSING, /* nothing is there */
  VTREE_FILE_SEAL_TARGET_OTHER,   /* a symlink, a directory, a device … */
} VtreeFileSealTargetKind;

/* Finds out FILE's place and opens it. *TARGET has path, place and base in any case,
 * also on an error, and dirfd unless the directory is missing. Errors:
 * VTREE_ERRNO_ERROR, with the cause alone: the caller names FILE. */
bool vtree_file_seal_target_open (const VtreePaths *paths, const char *file,
                                  VtreeFileSealTarget *target,
                                  VtreeFileSealTargetKind *kind, GError **error);

/* What TARGET is, for a message: "a symbolic link to 'x'", "a directory" …; to be
 * freed. */
char *vtree_file_seal_target_describe (const VtreeFileSealTarget *target);

/* The absolute path of FILE, as said above: symlinks stay, unless ".." stands behind
 * one. To be freed. */
char *vtree_file_seal_path (const char *file);
/* The place of the absolute PATH, and the path of PLACE on this system now; to be
 * freed. */
char *vtree_file_seal_place (const VtreePaths *paths, const char *path);
char *vtree_file_seal_place_path (const VtreePaths *paths, const char *place);
