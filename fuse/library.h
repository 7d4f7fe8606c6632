/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libfuse, the version of its interface that we use; no other header includes it.
 */
#pragma once

#define FUSE_USE_VERSION 314

#include <fuse3/fuse_lowlevel.h>
