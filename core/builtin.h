/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel's built-in signatures mean for us, in words.
 */
#pragma once

#include "core/error.h"

/* Why the kernel refuses a file with verity, whether it is to be opened or to be
 * sealed: what ERRNUM, which it answered, has to do with built-in signatures; NULL
 * where it has nothing to do with them. Borrowed for ever. */
const char *vtree_builtin_refusal (int errnum);

/* Adds that reason to an error of VTREE_ERRNO_ERROR that has one. */
void vtree_builtin_explain (GError **error);

/* Errors: VTREE_ERROR_UNSUPPORTED where this kernel knows no built-in signatures. */
bool vtree_builtin_check (GError **error);
