/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one way from an error to what a system call says.
 */
#pragma once

#include "core/error.h"

/* A positive errno: EIO for everything that is not as it was signed (corrupt, missing,
 * unverifiable, unreadable); ENOMEM, EMFILE and ENFILE stay what they are, since trying
 * again may help. */
int vtree_errno_from_error (const GError *error);
