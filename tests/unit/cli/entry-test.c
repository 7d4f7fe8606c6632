/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Modes, times and device numbers as they are shown. */
#include "cli/entry.h"
#include "tests/lib/test.h"

#include <sys/stat.h>

static void
test_mode (void)
{
  static const struct {
    uint32_t mode;
    const char *text;
    const char *type;
  } rows[] = {
    { S_IFREG | 0644, "-rw-r--r--", "file" },
    { S_IFDIR | 01777, "drwxrwxrwt", "directory" },
    { S_IFDIR | 01776, "drwxrwxrwT", "directory" },
    { S_IFLNK | 0777, "lrwxrwxrwx", "symlink" },
    { S_IFREG | 04755, "-rwsr-xr-x", "file" },
    { S_IFREG | 04655, "-rwSr-xr-x", "file" },
    { S_IFREG | 02755, "-rwxr-sr-x", "file" },
    { S_IFREG | 02745, "-rwxr-Sr-x", "file" },
    { S_IFCHR | 0600, "crw-------", "character-device" },
    { S_IFBLK | 0060, "b---rw----", "block-device" },
    { S_IFIFO | 0006, "p------rw-", "fifo" },
    { S_IFSOCK | 0111, "s--x--x--x", "socket" },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    char text[11];

    g_assert_cmpstr (vtree_entry_mode (rows[i].mode, text), ==, rows[i].text);
    g_assert_cmpstr (vtree_entry_type (rows[i].mode), ==, rows[i].type);
  }
}

/* new_encode_dev() of the kernel: the low 8 bits of the minor, 12 of the major, the
 * high 12 of the minor. */
static void
test_device (void)
{
  static const struct {
    uint32_t rdev;
    uint32_t major, minor;
  } rows[] = {
    { 0, 0, 0 },
    { 0x103, 1, 3 },
    { 0xfff00, 0xfff, 0 },
    { 0xfff000ff, 0, 0xfffff },
    { UINT32_MAX, 0xfff, 0xfffff },
    { 0x00108101, 0x81, 0x101 },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_assert_cmphex (vtree_entry_major (rows[i].rdev), ==, rows[i].major);
    g_assert_cmphex (vtree_entry_minor (rows[i].rdev), ==, rows[i].minor);
  }
}

static void
check_time (int64_t seconds, const char *expected)
{
  g_autofree char *text = vtree_entry_time (seconds);

  g_assert_cmpstr (text, ==, expected);
}

static void
test_time (void)
{
  check_time (0, "1970-01-01 00:00:00");
  check_time (-1, "1969-12-31 23:59:59");
  check_time (INT64_C (1795456800), "2026-11-23 18:00:00");
  check_time (INT64_MAX, "@9223372036854775807");
  check_time (INT64_MIN, "@-9223372036854775808");
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/cli/entry/mode", test_mode);
  g_test_add_func ("/cli/entry/device", test_device);
  g_test_add_func ("/cli/entry/time", test_time);
  return vtree_test_run ();
}
