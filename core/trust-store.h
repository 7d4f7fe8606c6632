/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What trust-load.c fills and trust.c asks; for these two files only.
 */
#pragma once

#include "core/anchor.h"
#include "core/trust.h"

typedef struct {
  VtreeTrustKey key; /* its texts are owned here */
  char *path;
  char *name;
  char *prefix;
  VtreeAnchor anchor; /* empty for a revocation of what is nowhere else */
} VtreeTrustEntry;

typedef struct {
  VtreeKeyId id;
  char *path;
} VtreeTrustRevocation;

struct VtreeTrust {
  GPtrArray *entries;  /* VtreeTrustEntry * */
  GArray *revocations; /* VtreeTrustRevocation */
};
