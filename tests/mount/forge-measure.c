/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hostile file system: forge-measure SOURCE MOUNTPOINT OBJECT
 *
 * Shows SOURCE, and answers FS_IOC_MEASURE_VERITY for an object with the digest that
 * its name promises, which is what a verifier would hope for. OBJECT is the end of
 * one's hex name:
 *
 * While SOURCE.forging exists, the first byte of every other object's contents is
 * another one. While SOURCE.stalling exists and holds a number, reads of OBJECT from
 * that offset on wait; the first one makes SOURCE.stalled.
 */
#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <glib.h>
#include <linux/fsverity.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define DIGEST_SIZE 32

typedef struct {
  int source;                         /* directory */
  char *forging, *stalling, *stalled; /* paths */
  const char *object;
} Forger;

static const Forger *
forger (void)
{
  return fuse_get_context ()->private_data;
}

/* PATH below the source. */
static const char *
relative (const char *path)
{
  return path[1] == '\0' ? "." : path + 1;
}

static int
forge_getattr (const char *path, struct stat *st, struct fuse_file_info *fi)
{
  (void) fi;
  return fstatat (forger ()->source, relative (path), st, AT_SYMLINK_NOFOLLOW) == 0
           ? 0
           : -errno;
}

static int
forge_readdir (const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
               struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
  (void) offset;
  (void) fi;
  (void) flags;
  g_autofree char *place
    = g_strdup_printf ("/proc/self/fd/%d/%s", forger ()->source, relative (path));
  g_autoptr (GDir) dir = g_dir_open (place, 0, NULL);
  const char *name;
  if (dir == NULL)
    return -EIO;
  while ((name = g_dir_read_name (dir)) != NULL)
    fill (buffer, name, NULL, 0, 0);
  return 0;
}

static int
forge_open (const char *path, struct fuse_file_info *fi)
{
  int fd = openat (forger ()->source, relative (path), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  fi->fh = (uint64_t) fd;
  /* Every read comes to us: the forgery can begin at any time. */
  fi->direct_io = 1;
  return 0;
}

static int
forge_release (const char *path, struct fuse_file_info *fi)
{
  (void) path;
  close ((int) fi->fh);
  return 0;
}

static bool
is_forged (const char *path)
{
  return g_str_has_prefix (path, "/objects/")
         && !g_str_has_suffix (path, forger ()->object)
         && access (forger ()->forging, F_OK) == 0;
}

static bool
is_stalled (const char *path, off_t end)
{
  g_autofree char *text = NULL;
  return g_str_has_prefix (path, "/objects/")
         && g_str_has_suffix (path, forger ()->object)
         && g_file_get_contents (forger ()->stalling, &text, NULL, NULL)
         && end > g_ascii_strtoll (text, NULL, 10);
}

static int
forge_read (const char *path, char *data, size_t size, off_t offset,
            struct fuse_file_info *fi)
{
  for (bool first = true; is_stalled (path, offset + (off_t) size); first = false) {
    if (first)
      close (open (forger ()->stalled, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    g_usleep (10000);
  }
  ssize_t got = pread ((int) fi->fh, data, size, offset);
  if (got < 0)
    return -errno;
  if (got > 0 && offset == 0 && is_forged (path))
    data[0] ^= 1;
  return (int) got;
}

/* The digest in "/objects/ab/cdef…". */
static bool
parse_name (const char *path, uint8_t digest[DIGEST_SIZE])
{
  g_autofree char *hex = g_strdup (path + strlen ("/objects/"));
  g_autofree char *rest = g_strdup (strlen (hex) > 3 ? hex + 3 : "");
  memmove (hex + 2, rest, strlen (rest) + 1);
  if (strlen (hex) != 2 * (size_t) DIGEST_SIZE)
    return false;
  for (size_t i = 0; i < DIGEST_SIZE; i++)
    digest[i] = (uint8_t) (g_ascii_xdigit_value (hex[2 * i]) * 16
                           + g_ascii_xdigit_value (hex[2 * i + 1]));
  return true;
}

static int
forge_ioctl (const char *path, unsigned cmd, void *arg, struct fuse_file_info *fi,
             unsigned flags, void *data)
{
  struct fsverity_digest *answer = data;
  (void) arg;
  (void) fi;
  (void) flags;
  if (cmd != (unsigned) FS_IOC_MEASURE_VERITY || !g_str_has_prefix (path, "/objects/"))
    return -ENOTTY;
  if (answer->digest_size < DIGEST_SIZE || !parse_name (path, answer->digest))
    return -EOVERFLOW;
  answer->digest_algorithm = FS_VERITY_HASH_ALG_SHA256;
  answer->digest_size = DIGEST_SIZE;
  return 0;
}

int
main (int argc, char **argv)
{
  static const struct fuse_operations operations = {
    .getattr = forge_getattr,
    .readdir = forge_readdir,
    .open = forge_open,
    .release = forge_release,
    .read = forge_read,
    .ioctl = forge_ioctl,
  };
  if (argc != 4) {
    fprintf (stderr, "usage: forge-measure SOURCE MOUNTPOINT OBJECT\n");
    return 1;
  }
  Forger state = { .source = open (argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                   .forging = g_strconcat (argv[1], ".forging", NULL),
                   .stalling = g_strconcat (argv[1], ".stalling", NULL),
                   .stalled = g_strconcat (argv[1], ".stalled", NULL),
                   .object = argv[3] };
  if (state.source < 0) {
    perror (argv[1]);
    return 1;
  }
  char *arguments[]
    = { argv[0], argv[2], (char *) "-oallow_other,default_permissions", NULL };
  int status = fuse_main (3, arguments, &operations, &state);
  close (state.source);
  g_free (state.forging);
  g_free (state.stalling);
  g_free (state.stalled);
  return status;
}
