/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The part of the full check that is about shared records; for check.c.
 */
#pragma once

#include "manifest/view.h"

/* Attribute records, xattr sets and objects: each valid, there once, sets in the order
 * of first use and nothing between them. Adds to *FLAGS (VTREE_VTM_HAS_*) what the
 * xattrs call for. Errors: VTREE_ERROR_CORRUPT, ENOMEM. */
bool vtree_check_shared (VtreeView *view, uint64_t *flags, GError **error);
