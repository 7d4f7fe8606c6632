/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines of mountinfo: ours, others', and broken ones. */
#include "core/mounts.h"
#include "tests/lib/test.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char mountinfo[]
  = "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
    "30 22 0:40 / /mnt/a ro,nosuid,nodev - fuse.vtree /repo:a ro,user_id=0,group_id=0\n"
    "31 22 0:41 / /mnt/with\\040space\\134 ro shared:7 master:2 - fuse.vtree "
    "/repo\\040x:b ro,user_id=1000,group_id=1000,default_permissions\n"
    "32 22 0:42 / /mnt/other ro - fuse.sshfs host: ro,user_id=1000\n"
    "33 22 0:43 / /mnt/a ro - fuse.vtree /repo:newer ro,user_id=7\n"
    "34 22 0:44 / /mnt/cut ro - fuse.vtree\n"
    "rubbish\n"
    "\n"
    "35 22 0:45 / /mnt/bad\\04x ro - fuse.vtree src ro\n";

static void
test_parse (void)
{
  static const struct {
    const char *dir;
    const char *source;
    uid_t user;
  } rows[] = {
    { "/mnt/a", "/repo:a", 0 },
    { "/mnt/with space\\", "/repo x:b", 1000 },
    { "/mnt/a", "/repo:newer", 7 },
    { "/mnt/bad\\04x", "src", 0 },
  };
  g_autoptr (GPtrArray) mounts = vtree_mounts_parse (mountinfo);

  g_assert_cmpuint (mounts->len, ==, G_N_ELEMENTS (rows));
  for (guint i = 0; i < mounts->len; i++) {
    const VtreeMount *mount = mounts->pdata[i];

    g_assert_cmpstr (mount->dir, ==, rows[i].dir);
    g_assert_cmpstr (mount->source, ==, rows[i].source);
    g_assert_cmpuint (mount->user, ==, rows[i].user);
  }
}

static void
test_find (void)
{
  g_autoptr (GPtrArray) mounts = vtree_mounts_parse (mountinfo);

  g_assert_cmpstr (vtree_mounts_find (mounts, "/mnt/a")->source, ==, "/repo:newer");
  g_assert_null (vtree_mounts_find (mounts, "/mnt/other"));
  g_assert_null (vtree_mounts_find (mounts, "/mnt"));
}

static void
test_canonical (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *real = g_build_filename (dir, "real", NULL);
  g_autofree char *link = g_build_filename (dir, "link", NULL);
  g_autofree char *absent = g_build_filename (link, "absent", NULL);
  g_autofree char *beneath = g_build_filename (link, "no", "such", NULL);
  g_autofree char *expected = g_build_filename (real, "absent", NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *through = NULL;
  g_autofree char *missing = NULL;

  g_assert_cmpint (mkdir (real, 0700), ==, 0);
  g_assert_cmpint (symlink ("real", link), ==, 0);
  through = vtree_mounts_canonical (link, &error);
  g_assert_cmpstr (through, ==, real);
  missing = vtree_mounts_canonical (absent, &error);
  g_assert_cmpstr (missing, ==, expected);
  g_assert_null (vtree_mounts_canonical (beneath, &error));
  g_assert_nonnull (error);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/mounts/parse", test_parse);
  g_test_add_func ("/core/mounts/find", test_find);
  g_test_add_func ("/core/mounts/canonical", test_canonical);
  return vtree_test_run ();
}
