/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The version of this build, in one place: `vtree --version`, the helper's
 * `--version` and the status ioctl all say the same.
 */
#pragma once

/* Returns "MAJOR.MINOR.PATCH", static. */
const char *vtree_version (void);
