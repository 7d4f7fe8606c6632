/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may stand in a manifest as a name or a mode: one rule for whoever writes and
 * whoever reads.
 */
#pragma once

#include "core/bytes.h"

/* 1 to 255 bytes, no '/', no NUL, not "." and not "..". */
bool vtree_name_is_valid (VtreeSpan name);

/* One of the seven types, no bits beyond 07777 beside it; a symlink has 0777. */
bool vtree_mode_is_valid (uint32_t mode);

/* An xattr that is a POSIX ACL. */
bool vtree_xattr_is_acl (VtreeSpan name);
