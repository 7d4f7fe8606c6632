/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest/device.h"
#include "tests/lib/test.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

typedef struct {
  const char *title;
  unsigned major, minor;
  bool fits;
  uint32_t rdev;
} DeviceRow;

static const DeviceRow rows[] = {
  { "whiteout", 0, 0, true, 0 },
  { "null", 1, 3, true, 0x103 },
  { "last short minor", 8, 255, true, 0x8ff },
  { "first long minor", 8, 256, true, 0x100800 },
  { "largest", 4095, 1048575, true, 0xffffffff },
  { "major too large", 4096, 0, false, 0 },
  { "minor too large", 0, 1048576, false, 0 },
};

static void
test_encode (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    uint32_t rdev = 0;
    g_test_message ("%s", rows[i].title);
    dev_t device = makedev (rows[i].major, rows[i].minor);
    g_assert_cmpint (vtree_device_encode (device, &rdev), ==, rows[i].fits);
    g_assert_cmpuint (rdev, ==, rows[i].rdev);
    if (rows[i].fits)
      g_assert_cmpuint (vtree_device_decode (rdev), ==, device);
  }
}

static void
test_every_bit (void)
{
  for (unsigned bit = 0; bit < 32; bit++) {
    uint32_t rdev = 0;
    g_assert_true (vtree_device_encode (vtree_device_decode (1u << bit), &rdev));
    g_assert_cmpuint (rdev, ==, 1u << bit);
  }
}

/* What the kernel says of a device that every system has. */
static void
test_dev_null (void)
{
  struct stat st;
  uint32_t rdev = 0;
  g_assert_cmpint (stat ("/dev/null", &st), ==, 0);
  g_assert_true (vtree_device_encode (st.st_rdev, &rdev));
  g_assert_cmpuint (rdev, ==, 0x103);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/manifest/device/encode", test_encode);
  g_test_add_func ("/manifest/device/every-bit", test_every_bit);
  g_test_add_func ("/manifest/device/dev-null", test_dev_null);
  return vtree_test_run ();
}
