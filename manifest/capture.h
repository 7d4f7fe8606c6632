/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a real directory into a builder, contents into an ingest (or only digested).
 */
#pragma once

#include "core/ingest.h"
#include "manifest/builder.h"

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
  uint32_t uid, gid; /* VTREE_OWNER_FIXED; ACL ids too */
  const char *const
    *xattrs; /* patterns ("user.*", "security.capability"); NULL: default */
  const char *const *exclude; /* globs, see vtree(1); NULL: none */
  bool one_file_system;
  bool require_world_readable; /* a shared repository: refuse secrets */
  unsigned threads;            /* 0: one a processor */
  dev_t forbidden_dev; /* the repository's own directory: meeting it is an error */
  ino_t forbidden_ino;
  VtreeCaptureProgress progress; /* may be NULL */
  void *progress_context;
} VtreeCaptureOptions;

/* The xattr patterns that are taken when none are given. */
extern const char *const vtree_capture_default_xattrs[];

/* Parses "--mtime", "--owner", "--xattrs" words into OPTIONS. VTREE_ERROR_INVALID. */
bool vtree_capture_parse_mtime (const char *text, VtreeCaptureOptions *options,
                                GError **error);
bool vtree_capture_parse_owner (const char *text, VtreeCaptureOptions *options,
                                GError **error);

/* Captures the directory DIRFD, which messages call NAME. INGEST NULL: contents are
 * only digested. Errors name every file that could not be read (the first 20, then how
 * many more), and none is skipped: unreadable, changed while read, unsupported xattr,
 * reserved "user.vtree." xattr, a name or type that the format can't hold. */
VtreeBuilder *vtree_capture (int dirfd, const char *name,
                             const VtreeCaptureOptions *options, VtreeIngest *ingest,
                             GError **error);
