/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device numbers as the format holds them: 32 bits, 12 of major and 20 of minor, laid
 * out like the kernel's new_encode_dev() (include/linux/kdev_t.h): minor bits 0-7,
 * major bits 0-11, minor bits 8-19, from the lowest bit on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* *RDEV from st_rdev; false where major or minor does not fit. */
bool vtree_device_encode (dev_t device, uint32_t *rdev);

/* For mknod(2) and st_rdev; every RDEV is valid. */
dev_t vtree_device_decode (uint32_t rdev);
