/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a real directory into a builder, contents into an ingest (or only digested).
 *
 *   vtree_capture_options_init (&options);       the defaults for who runs it
 *   vtree_capture_parse_owner ("0:0", &options, &error);   …and what was asked for
 *   builder = vtree_capture (dirfd, "/srv/tree", &options, ingest, &error);
 *
 * What a captured tree is made of: names, types, permission bits, owners, modification
 * times, device numbers, symlink targets, contents, hard links among its own names, and
 * the xattrs that the allow-list takes. A sparse file is what reads from it. Nothing is
 * opened but regular files and directories, and no access time changes where the kernel
 * lets us leave it alone.
 */
#pragma once

#include "core/ingest.h"
#include "manifest/builder.h"
#include "manifest/stat-cache.h"

typedef enum {
  VTREE_MTIME_KEEP,
  VTREE_MTIME_CLAMP,
  VTREE_MTIME_EPOCH
} VtreeMtimeMode;
typedef enum {
  VTREE_OWNER_KEEP,
  VTREE_OWNER_FIXED
} VtreeOwnerMode;

/* Called from time to time (progress) from the capturing thread. */
typedef void (*VtreeCaptureProgress) (void *context, uint64_t files, uint64_t bytes);

typedef struct {
  VtreeDigestAlg alg;
  VtreeMtimeMode mtime;
  int64_t mtime_clamp; /* seconds: later times become this */
  VtreeOwnerMode owner;
  uint32_t uid, gid;          /* VTREE_OWNER_FIXED; ACL ids too */
  const char *const *xattrs;  /* patterns, see xattr.h; NULL: default, empty: none */
  const char *const *exclude; /* globs, see exclude.h; NULL: none */
  bool one_file_system; /* a mount point is an empty directory, with the attributes
                                  of what is mounted there (as tar and rsync do); a bind
                                  mount of the same filesystem does not count as one */
  bool require_world_readable; /* a shared repository: refuse every file with contents
                                  that lacks o+r, or o+x on a directory above it */
  unsigned threads;            /* 0: one a processor */
  dev_t forbidden_dev; /* the repository's own directory: meeting it is an error */
  ino_t forbidden_ino;
  VtreeStatCache *cache; /* files that it knows are not read again; NULL: none */
  VtreeCaptureProgress progress; /* may be NULL */
  void *progress_context;
} VtreeCaptureOptions;

/* SHA-256, times kept, owners kept for root and 0:0 for everybody else, the default
 * xattrs, nothing excluded, no progress. */
void vtree_capture_options_init (VtreeCaptureOptions *options);

/* "keep", "epoch" (all times are 0) or "clamp:T": later times become T, in seconds
 * since the epoch or as 2026-11-23T18:00:00Z. VTREE_ERROR_INVALID. */
bool vtree_capture_parse_mtime (const char *text, VtreeCaptureOptions *options,
                                GError **error);

/* "keep", "root" (0:0) or "UID:GID" in decimal. Anything but "keep" maps the ids of
 * ACLs too, see acl.h. VTREE_ERROR_INVALID. */
bool vtree_capture_parse_owner (const char *text, VtreeCaptureOptions *options,
                                GError **error);

/* A comma-separated list of patterns for options->xattrs; "default" stands for the
 * default ones, "none" or nothing for no xattr at all. Free with g_strfreev().
 * VTREE_ERROR_INVALID. */
char **vtree_capture_parse_xattrs (const char *text, GError **error);

/* Captures the directory DIRFD, which messages call NAME. INGEST NULL: contents are
 * only digested. Errors: VTREE_ERROR_FAILED naming every file that could not be taken
 * (the first 20, then how many more), and none is skipped: unreadable, changed while
 * read, unsupported xattr, reserved "user.vtree." xattr, a name, type or time that the
 * format can't hold, not readable by everybody; VTREE_ERROR_INVALID where the forbidden
 * directory was met; what the ingest says of the store. */
VtreeBuilder *vtree_capture (int dirfd, const char *name,
                             const VtreeCaptureOptions *options, VtreeIngest *ingest,
                             GError **error);
