/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How far the kernel reads ahead on a mount: what a reader who goes through a large
 * file waits for is a request each 128 KiB, or each 512 KiB. Only root may set it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What pays: longer ones are too much for the processor's caches, and for splice. */
#define VTREE_READAHEAD_AUTO_KIB 512

/* Sets it for the mounted file system DEVICE (its st_dev), once its INIT has been
 * answered, which is when the kernel sets its own. False: that is what stays. */
bool vtree_readahead_set (dev_t device, uint32_t kib);
