/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The view from inside, for view*.c and check.c only: bounds-checked access to single
 * records and heap pieces, before they mean anything.
 */
#pragma once

#include "manifest/layout.h"
#include "manifest/view.h"

#include <stdatomic.h>

struct VtreeView {
  atomic_uint references;
  VtreePages *pages;
  VtreeLayout layout;
  VtreeViewTotals totals;
};

/* Record INDEX of section ID. */
bool vtree_records_get (VtreeView *view, uint32_t id, uint32_t index, VtreeSpan *record,
                        GError **error);

/* SIZE bytes at OFFSET of heap ID. */
bool vtree_records_heap (VtreeView *view, uint32_t id, uint64_t offset, uint64_t size,
                         VtreeSpan *bytes, GError **error);

/* The name whose length byte stands at OFFSET of NAMES; 1 to 255 bytes of any value. */
bool vtree_records_name (VtreeView *view, uint32_t offset, VtreeSpan *name,
                         GError **error);

/* A set of xattrs, one after the other. Every step validates: names, sizes, order, and
 * what the header says of ACLs. */
typedef struct {
  VtreeView *view;
  uint64_t offset;    /* in XATTRS, of the next one; behind the set when all are done */
  uint32_t left;      /* how many more */
  VtreeSpan previous; /* name */
  size_t list_size;   /* names with their NULs */
  uint64_t start;
} VtreeXattrSteps;

/* XATTRS as in VtreeInode; not 0. */
bool vtree_xattr_steps_start (VtreeXattrSteps *steps, VtreeView *view, uint32_t xattrs,
                              GError **error);
/* While steps->left > 0. */
bool vtree_xattr_steps_next (VtreeXattrSteps *steps, VtreeXattr *xattr, GError **error);
