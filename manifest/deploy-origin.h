/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A deployment's origin: which version of which ref of which repository it is. It says
 * what is to be run and vouches for nothing: signatures and digest are checked at every
 * use. Text of exactly one spelling, see doc/formats.md; parser of untrusted bytes.
 */
#pragma once

#include "core/digest.h"
#include "core/key.h"

#define VTREE_DEPLOY_ORIGIN_MAX 32768

typedef struct {
  char *repository; /* absolute path, raw bytes */
  char *ref;
  uint64_t version;
  VtreeDigest manifest;
  uint64_t size;    /* of the manifest, bytes */
  VtreeKeyId key;   /* that signed, or the certificate's */
  int64_t deployed; /* seconds since the epoch */
} VtreeDeployOrigin;

void vtree_deploy_origin_free (VtreeDeployOrigin *origin);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeDeployOrigin, vtree_deploy_origin_free)

/* Errors: VTREE_ERROR_CORRUPT for what _serialize would not have written,
 * VTREE_ERROR_UNSUPPORTED for another version of the format. */
VtreeDeployOrigin *vtree_deploy_origin_parse (const void *data, size_t size,
                                              GError **error);
/* Its text. */
GBytes *vtree_deploy_origin_serialize (const VtreeDeployOrigin *origin);
