/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small file to try something on, and its end.
 */
#pragma once

#include "core/fd.h"

#define VTREE_SCRATCH_CONTENTS "probe"
#define VTREE_SCRATCH_SIZE 5

typedef struct {
  int dirfd; /* borrowed */
  char name[32];
  VtreeFd fd; /* read-only; nobody has it open for writing */
} VtreeScratch;

#define VTREE_SCRATCH_INIT                                                             \
  {                                                                                    \
    .fd = -1                                                                           \
  }

/* Makes one in DIRFD, mode 0600; _clear closes and removes it, made or not. Its name is
 * vtree_publish()'s, so that what a kill leaves is cleaned up as such. */
bool vtree_scratch_make (VtreeScratch *scratch, int dirfd, GError **error);
void vtree_scratch_clear (VtreeScratch *scratch);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeScratch, vtree_scratch_clear)
