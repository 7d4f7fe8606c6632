/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a file's seal lies: the xattr user.vtree-seal, or FILE.vsig beside it. Where
 * both are there the xattr counts. Errors are the cause alone: the caller names the
 * file.
 */
#pragma once

#include "manifest/file-seal-target.h"
#include "manifest/file-seal.h"

typedef enum {
  VTREE_FILE_SEAL_NOWHERE = 0,
  VTREE_FILE_SEAL_XATTR_PLACE, /* xattr */
  VTREE_FILE_SEAL_FILE_PLACE,  /* .vsig */
} VtreeFileSealWhere;

/* Reads the seal; *WHOLE is NULL, and *WHERE VTREE_FILE_SEAL_NOWHERE, where there is
 * none. VTREE_ERROR_CORRUPT for a .vsig that is no regular file, VTREE_ERROR_LIMIT. */
bool vtree_file_seal_store_load (const VtreeFileSealTarget *target,
                                 VtreeFileSealWhere *where, GBytes **whole,
                                 GError **error);

/* The seal that the file has, if it is signed by a key of TRUST and for NAME; else
 * NULL, whatever the reason. Says nothing of versions or contents. To be freed. */
VtreeFileSeal *vtree_file_seal_store_load_good (const VtreeFileSealTarget *target,
                                                const VtreeTrust *trust,
                                                const char *name);

/* Writes the seal, synced: into the xattr unless DETACHED; into FILE.vsig if that is
 * wanted or the filesystem has no room for the xattr. *WHERE is where it went; a seal
 * in the other place is removed afterwards. */
bool vtree_file_seal_store_save (const VtreeFileSealTarget *target, GBytes *whole,
                                 bool detached, VtreeFileSealWhere *where,
                                 GError **error);

/* Removes the seal in both places; none is no error. The xattr goes only if KEEP_XATTR
 * is false: it goes with an inode that is replaced. */
bool vtree_file_seal_store_remove (const VtreeFileSealTarget *target, bool keep_xattr,
                                   GError **error);

/* Told now and then how many bytes of a file have been read. */
typedef struct {
  void (*report) (void *context, uint64_t bytes); /* NULL: nobody is */
  void *context;
} VtreeFileSealProgress;

/* The contents' digest in *DIGEST: measured, if the kernel enforces it (*ENFORCED),
 * else computed with ALG by reading all of the file. Errors: VTREE_ERROR_BUSY if it
 * changed meanwhile, VTREE_ERRNO_ERROR, VTREE_ERROR_CORRUPT. */
bool vtree_file_seal_store_measure (const VtreeFileSealTarget *target,
                                    VtreeDigestAlg alg,
                                    const VtreeFileSealProgress *progress,
                                    bool *enforced, VtreeDigest *digest,
                                    GError **error);

/* Computes it, whether the kernel enforces anything or not. */
bool vtree_file_seal_store_compute (const VtreeFileSealTarget *target,
                                    VtreeDigestAlg alg,
                                    const VtreeFileSealProgress *progress,
                                    VtreeDigest *digest, GError **error);
