/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the encoding of device numbers; pure arithmetic. */
#include "manifest/device.h"

#include <sys/sysmacros.h>

#define MAJOR_MAX 0xfffu
#define MINOR_MAX 0xfffffu

bool
vtree_device_encode (dev_t device, uint32_t *rdev)
{
  unsigned major_number = major (device);
  unsigned minor_number = minor (device);
  if (major_number > MAJOR_MAX || minor_number > MINOR_MAX)
    return false;
  *rdev = (minor_number & 0xff) | (major_number << 8) | ((minor_number & ~0xffu) << 12);
  return true;
}

dev_t
vtree_device_decode (uint32_t rdev)
{
  return makedev ((rdev >> 8) & MAJOR_MAX, (rdev & 0xff) | ((rdev >> 12) & 0xfff00));
}
