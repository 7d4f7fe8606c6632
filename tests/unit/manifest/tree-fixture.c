/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/manifest/tree-fixture.h"

#include "core/verity.h"
#include "manifest/remove.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* A system call that has to work. */
#define MUST(call)                                                                     \
  G_STMT_START                                                                         \
  {                                                                                    \
    if ((call) < 0)                                                                    \
      g_error ("%s: %s", #call, g_strerror (errno));                                   \
  }                                                                                    \
  G_STMT_END

char *
tree_fixture_path (const char *dir, const char *path)
{
  return g_strconcat (dir, "/", path, NULL);
}

static char *
path_with_parents (const char *dir, const char *path)
{
  char *full = tree_fixture_path (dir, path);
  g_autofree char *parent = g_path_get_dirname (full);
  MUST (g_mkdir_with_parents (parent, 0755));
  return full;
}

static void
write_file (const char *path, const char *bytes, size_t size)
{
  g_auto (VtreeFd) fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  MUST (fd);
  g_autoptr (GError) error = NULL;
  vtree_fd_pwrite (fd, bytes, size, 0, &error);
  g_assert_no_error (error);
}

void
tree_fixture_text (const char *dir, const char *path, const char *text)
{
  g_autofree char *full = path_with_parents (dir, path);
  write_file (full, text, strlen (text));
}

void
tree_fixture_file (const char *dir, const char *path, size_t size, unsigned seed)
{
  g_autofree char *full = path_with_parents (dir, path);
  g_autofree char *bytes = g_malloc (size + 1);
  g_autoptr (GRand) random = g_rand_new_with_seed (seed);
  for (size_t i = 0; i < size; i++)
    bytes[i] = (char) (g_rand_int (random) | 1);
  write_file (full, bytes, size);
}

void
tree_fixture_directory (const char *dir, const char *path)
{
  g_autofree char *full = path_with_parents (dir, path);
  MUST (mkdir (full, 0755));
}

void
tree_fixture_symlink (const char *dir, const char *path, const char *target)
{
  g_autofree char *full = path_with_parents (dir, path);
  MUST (symlink (target, full));
}

void
tree_fixture_link (const char *dir, const char *path, const char *from)
{
  g_autofree char *full = path_with_parents (dir, path);
  g_autofree char *old = tree_fixture_path (dir, from);
  MUST (linkat (AT_FDCWD, old, AT_FDCWD, full, 0));
}

void
tree_fixture_mode (const char *dir, const char *path, unsigned mode)
{
  g_autofree char *full = tree_fixture_path (dir, path);
  MUST (chmod (full, mode));
}

void
tree_fixture_time (const char *dir, const char *path, int64_t seconds,
                   unsigned nanoseconds)
{
  g_autofree char *full = tree_fixture_path (dir, path);
  struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
                               { .tv_sec = seconds, .tv_nsec = (long) nanoseconds } };
  MUST (utimensat (AT_FDCWD, full, times, AT_SYMLINK_NOFOLLOW));
}

void
tree_fixture_xattr (const char *dir, const char *path, const char *name,
                    const void *value, size_t size)
{
  g_autofree char *full = tree_fixture_path (dir, path);
  MUST (lsetxattr (full, name, value, size, 0));
}

int
tree_fixture_open (const char *dir)
{
  return tree_fixture_open_at (AT_FDCWD, dir);
}

int
tree_fixture_open_at (int fd, const char *name)
{
  int opened = openat (fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  MUST (opened);
  return opened;
}

int
tree_fixture_create_at (int fd, const char *name)
{
  int made = openat (fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  MUST (made);
  return made;
}

void
tree_fixture_empty (const char *dir)
{
  g_auto (VtreeFd) fd = tree_fixture_open (dir);
  g_autoptr (GError) error = NULL;
  vtree_remove_contents (fd, &error);
  g_assert_no_error (error);
}

static void
make_special (const char *dir, const char *path, mode_t mode, dev_t device)
{
  g_autofree char *full = path_with_parents (dir, path);
  MUST (mknod (full, mode, device));
}

static void
set_owner (const char *dir, const char *path, uid_t uid, gid_t gid)
{
  g_autofree char *full = tree_fixture_path (dir, path);
  MUST (lchown (full, uid, gid));
}

/* user::rwx user:1000:r-- group::r-x group:50:-wx mask::rwx other::--- */
static const uint8_t acl[] = {
  2,  0, 0, 0,                         /* version */
  1,  0, 7, 0, 0xff, 0xff, 0xff, 0xff, /* owner */
  2,  0, 4, 0, 0xe8, 3,    0,    0,    /* user 1000 */
  4,  0, 5, 0, 0xff, 0xff, 0xff, 0xff, /* group */
  8,  0, 3, 0, 50,   0,    0,    0,    /* group 50 */
  16, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, /* mask */
  32, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, /* others */
};

/* cap_net_raw+ep, revision 2. */
static const uint8_t capability[20] = { 1, 0, 0, 2, 0, 0x20 };

static void
fill_for_root (const char *dir)
{
  make_special (dir, "dev/sda", S_IFBLK | 0660, makedev (8, 0));
  make_special (dir, "dev/odd", S_IFCHR | 0600, makedev (0xabc, 0x12345));
  make_special (dir, "dev/whiteout", S_IFCHR, makedev (0, 0));
  set_owner (dir, "dev/sda", 0, 6);
  tree_fixture_link (dir, "dev/sda-too", "dev/sda");
  tree_fixture_file (dir, "bin/owned", 10, 1);
  set_owner (dir, "bin/owned", 1234, 4294967294u);
  tree_fixture_file (dir, "bin/sudo", 5000, 2);
  set_owner (dir, "bin/sudo", 7, 8);
  tree_fixture_mode (dir, "bin/sudo", 06755);
  tree_fixture_file (dir, "bin/ping", 100, 3);
  tree_fixture_xattr (dir, "bin/ping", "security.capability", capability,
                      sizeof capability);
  tree_fixture_symlink (dir, "bin/alias", "ping");
  set_owner (dir, "bin/alias", 9, 10);
  tree_fixture_directory (dir, "home");
  set_owner (dir, "home", 1000, 1000);
}

static void
fill_names (const char *dir)
{
  g_autofree char *longest = g_strnfill (255, 'n');
  tree_fixture_text (dir, longest, "a name of 255 bytes");
  tree_fixture_text (dir, "a\nnewline", "1");
  tree_fixture_text (dir, "\xff\xfe not UTF-8", "2");
  tree_fixture_text (dir, " ", "a space");
  tree_fixture_text (dir, "-", "a dash");
  tree_fixture_text (dir, "\\x41", "a backslash");
  tree_fixture_text (dir, "...", "dots");
}

static void
fill_contents (const char *dir)
{
  static const size_t sizes[] = {
    0, 1, 4095, 4096, 4097, 128 * 4096, 128 * 4096 + 1, (1 << 20) - 1, (1 << 20) + 1
  };
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autofree char *name = g_strdup_printf ("sizes/%zu", sizes[i]);
    tree_fixture_file (dir, name, sizes[i], (unsigned) i);
  }
  tree_fixture_file (dir, "sizes/sparse", 5000, 77);
  g_autofree char *sparse = tree_fixture_path (dir, "sizes/sparse");
  MUST (truncate (sparse, 3 << 20));
  tree_fixture_text (dir, "sizes/all-hole", "");
  g_autofree char *hole = tree_fixture_path (dir, "sizes/all-hole");
  MUST (truncate (hole, 1234567));
}

static void
fill_kinds (const char *dir)
{
  make_special (dir, "run/fifo", S_IFIFO | 0640, 0);
  make_special (dir, "run/socket", S_IFSOCK | 0755, 0);
  tree_fixture_link (dir, "run/fifo-too", "run/fifo");
  tree_fixture_symlink (dir, "run/absolute", "/etc/passwd");
  tree_fixture_symlink (dir, "run/dangling", "../no\nthing");
  tree_fixture_link (dir, "run/dangling-too", "run/dangling");
  g_autofree char *target = g_strnfill (4095, 't');
  tree_fixture_symlink (dir, "run/long", target);
  tree_fixture_file (dir, "links/a/one", 600 * 1024, 5);
  tree_fixture_link (dir, "links/b/two", "links/a/one");
  tree_fixture_link (dir, "links/three", "links/a/one");
  tree_fixture_file (dir, "links/empty", 0, 5);
  tree_fixture_link (dir, "links/empty-too", "links/empty");
  tree_fixture_directory (dir, "empty");
}

static void
fill_attributes (const char *dir)
{
  static const unsigned modes[] = { 0, 0400, 0111, 0777, 01644, 02755, 04755, 07777 };
  for (size_t i = 0; i < G_N_ELEMENTS (modes); i++) {
    g_autofree char *name = g_strdup_printf ("modes/%04o", modes[i]);
    tree_fixture_file (dir, name, 20, (unsigned) i);
    tree_fixture_mode (dir, name, geteuid () == 0 ? modes[i] : modes[i] | 0400);
  }
  tree_fixture_directory (dir, "modes/sticky");
  tree_fixture_mode (dir, "modes/sticky", 01777);
  tree_fixture_directory (dir, "modes/group");
  tree_fixture_mode (dir, "modes/group", 02750);
  tree_fixture_text (dir, "xattrs/some", "x");
  tree_fixture_xattr (dir, "xattrs/some", "user.first", "value", 5);
  tree_fixture_xattr (dir, "xattrs/some", "user.empty", "", 0);
  tree_fixture_xattr (dir, "xattrs/some", "user.binary", "a\0\xff\n", 4);
  tree_fixture_xattr (dir, "xattrs", "user.directory", "d", 1);
  tree_fixture_text (dir, "xattrs/acl", "x");
  tree_fixture_mode (dir, "xattrs/acl", 0600);
  tree_fixture_xattr (dir, "xattrs/acl", "system.posix_acl_access", acl, sizeof acl);
  tree_fixture_directory (dir, "xattrs/dir");
  tree_fixture_xattr (dir, "xattrs/dir", "system.posix_acl_access", acl, sizeof acl);
  tree_fixture_xattr (dir, "xattrs/dir", "system.posix_acl_default", acl, sizeof acl);
  tree_fixture_text (dir, "xattrs/dir/inherits", "x");
  make_special (dir, "xattrs/dir/fifo", S_IFIFO | 0666, 0);
  /* A mode that forbids its owner to write the xattr again. */
  tree_fixture_text (dir, "xattrs/read-only", "x");
  tree_fixture_xattr (dir, "xattrs/read-only", "user.x", "y", 1);
  tree_fixture_mode (dir, "xattrs/read-only", 0444);
}

static void
fill_times (const char *dir)
{
  static const int64_t times[] = { 0, -1, -86400 * 365, INT64_C (1) << 31, 5000000000 };
  for (size_t i = 0; i < G_N_ELEMENTS (times); i++) {
    g_autofree char *name = g_strdup_printf ("times/%zu", i);
    tree_fixture_text (dir, name, "t");
    tree_fixture_time (dir, name, times[i], 123456789);
  }
  tree_fixture_time (dir, "run/dangling", 99, 1);
  tree_fixture_time (dir, "run/fifo", 98, 999999999);
  tree_fixture_time (dir, "empty", 97, 0);
  tree_fixture_time (dir, "times", -5, 5);
}

void
tree_fixture_fill (const char *dir)
{
  fill_names (dir);
  fill_contents (dir);
  fill_kinds (dir);
  fill_attributes (dir);
  if (geteuid () == 0)
    fill_for_root (dir);
  fill_times (dir);
  tree_fixture_mode (dir, ".", 0751);
  tree_fixture_time (dir, ".", 1700000000, 7);
}

bool
tree_fixture_become_user (const char *dir)
{
  if (geteuid () != 0)
    return false;
  g_autofree char *top = g_path_get_dirname (dir);
  MUST (chmod (top, 01777));
  MUST (chown (dir, TREE_FIXTURE_USER, TREE_FIXTURE_USER));
  MUST (setegid (TREE_FIXTURE_USER));
  MUST (seteuid (TREE_FIXTURE_USER));
  return true;
}

void
tree_fixture_become_root (bool became_user)
{
  if (!became_user)
    return;
  MUST (seteuid (0));
  MUST (setegid (0));
}

GBytes *
tree_fixture_capture (const char *dir, const VtreeCaptureOptions *options,
                      VtreeIngest *ingest, GError **error)
{
  g_auto (VtreeFd) fd = tree_fixture_open (dir);
  g_autoptr (VtreeBuilder) builder = vtree_capture (fd, "tree", options, ingest, error);
  return builder != NULL ? vtree_builder_finish (builder, error) : NULL;
}

GBytes *
tree_fixture_capture_ok (const char *dir, const VtreeCaptureOptions *options)
{
  VtreeCaptureOptions defaults;
  vtree_capture_options_init (&defaults);
  g_autoptr (GError) error = NULL;
  GBytes *manifest
    = tree_fixture_capture (dir, options != NULL ? options : &defaults, NULL, &error);
  g_assert_no_error (error);
  return manifest;
}

char *
tree_fixture_digest (GBytes *manifest)
{
  g_autoptr (GError) error = NULL;
  size_t size;
  const void *data = g_bytes_get_data (manifest, &size);
  VtreeVerityParams params
    = { .alg = VTREE_DIGEST_SHA256, .size = size, .merkle_fd = -1 };
  VtreeDigest digest;
  vtree_verity_compute_data (&params, data, &digest, &error);
  g_assert_no_error (error);
  char *text = g_malloc (VTREE_DIGEST_TEXT_MAX);
  return vtree_digest_format (&digest, text);
}

VtreeView *
tree_fixture_view (GBytes *manifest)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreePages) pages = vtree_pages_new_for_bytes (manifest);
  VtreeView *view = vtree_view_new (pages, &error);
  g_assert_no_error (error);
  return view;
}

VtreeInode
tree_fixture_inode (GBytes *manifest, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeView) view = tree_fixture_view (manifest);
  VtreeInode inode = { 0 };
  vtree_view_resolve (view, path, &inode, &error);
  g_assert_no_error (error);
  return inode;
}

bool
tree_fixture_has (GBytes *manifest, const char *path)
{
  g_autoptr (VtreeView) view = tree_fixture_view (manifest);
  VtreeInode inode;
  return vtree_view_resolve (view, path, &inode, NULL);
}
