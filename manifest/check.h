/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The full semantic check of a manifest: every invariant of doc/formats.md, so that
 * whoever walks it afterwards can rely on them (a tree, one parent, no cycle,
 * everything reachable once, unique sorted names, right link counts, header totals and
 * flags, and the canonical order of every table: it equals what the builder would
 * write).
 */
#pragma once

#include "manifest/view.h"

/* Errors: VTREE_ERROR_CORRUPT with the inode or path; reads the whole manifest. */
bool vtree_check_manifest (VtreeView *view, GError **error);
