/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vtree mounts that this process can see (core/mounts.h), and their end. */
#pragma once

#include "core/mounts.h"

/* Unmounts MOUNT: root by umount2(2), others by fusermount3. LAZY detaches what is
 * in use too. Errors: VTREE_ERROR_BUSY, VTREE_ERRNO_ERROR, VTREE_ERROR_FAILED. */
bool vtree_mounts_unmount (const VtreeMount *mount, bool lazy, GError **error);
