/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file system's semantics: names, attributes and directories. Owns the meaning of
 * node ids and cookies, and how a failure is told. Never speaks to libfuse.
 */
#include "fuse/fs-private.h"

#include "fuse/errno.h"
#include "manifest/device.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_SIZE 4096
#define NAME_MAX_BYTES 255
/* Cookies: 0 is ".", 1 is "..", entry N of the directory is N + 2. */
#define COOKIE_ENTRIES 2

static void
fill_identity (struct vtree_status *status, const VtreeFsIdentity *identity)
{
  status->struct_version = VTREE_STATUS_VERSION;
  status->struct_size = sizeof *status;
  status->version = identity->version;
  status->created = identity->created;
  status->expires = identity->expires;
  status->mounted = g_get_real_time () / G_USEC_PER_SEC;
  if (!identity->is_signed)
    status->flags |= VTREE_STATUS_UNSIGNED;
  if (identity->enforcer == VTREE_ENFORCER_KERNEL)
    status->flags |= VTREE_STATUS_MANIFEST_KERNEL;
  if (vtree_kernel_is_simulated ())
    status->flags |= VTREE_STATUS_SIMULATED;
  g_strlcpy (status->ref, identity->ref, sizeof status->ref);
  g_strlcpy (status->key, identity->key, sizeof status->key);
  g_strlcpy (status->source, identity->source, sizeof status->source);
  vtree_digest_format (&identity->manifest, status->manifest);
}

static void
fill_tree (struct vtree_status *status, const VtreeViewTotals *totals,
           const VtreeFsOptions *options)
{
  status->inodes = totals->inodes;
  status->verity = options->verity;
  if (options->open_checked)
    status->flags |= VTREE_STATUS_OPEN_CHECKED;
  if ((totals->flags & VTREE_VIEW_HAS_XATTR) != 0)
    status->flags |= VTREE_STATUS_HAS_XATTR;
  if ((totals->flags & VTREE_VIEW_HAS_ACL) != 0)
    status->flags |= VTREE_STATUS_HAS_ACL;
}

VtreeFs *
vtree_fs_new (VtreeView *view, const VtreeStore *store, VtreeLog *log,
              const VtreeFsIdentity *identity, const VtreeFsOptions *options)
{
  VtreeFs *fs = g_new0 (VtreeFs, 1);
  fs->view = vtree_view_ref (view);
  fs->totals = vtree_view_totals (view);
  fs->log = log;
  fs->cache = vtree_cache_new (store, options->descriptors);
  fs->options = *options;
  fill_identity (&fs->status, identity);
  fill_tree (&fs->status, fs->totals, options);
  g_mutex_init (&fs->failed_lock);
  return fs;
}

void
vtree_fs_free (VtreeFs *fs)
{
  vtree_cache_free (fs->cache);
  vtree_view_unref (fs->view);
  g_mutex_clear (&fs->failed_lock);
  g_free (fs);
}

bool
vtree_fs_has_xattrs (const VtreeFs *fs)
{
  return fs->options.magic || (fs->totals->flags & VTREE_VIEW_HAS_XATTR) != 0;
}

bool
vtree_fs_has_acls (const VtreeFs *fs)
{
  return (fs->totals->flags & VTREE_VIEW_HAS_ACL) != 0;
}

bool
vtree_fs_open_checked (const VtreeFs *fs)
{
  return fs->options.open_checked;
}

void
vtree_fs_count (VtreeFs *fs, VtreeRequestKind kind)
{
  atomic_fetch_add_explicit (&fs->requests[kind], 1, memory_order_relaxed);
}

/* True if OBJECT is one of the last that failed; it is afterwards. */
static bool
remember_failure (VtreeFs *fs, uint32_t object)
{
  bool known = false;
  g_mutex_lock (&fs->failed_lock);
  for (size_t i = 0; i < VTREE_FS_FAILED_MAX; i++)
    known |= fs->failed[i] == object + 1;
  if (!known) {
    fs->failed[fs->failed_next] = object + 1;
    fs->failed_next = (fs->failed_next + 1) % VTREE_FS_FAILED_MAX;
  }
  g_mutex_unlock (&fs->failed_lock);
  return known;
}

/* MESSAGE without the words before the digest TEXT, and the digest, if it begins so. */
static const char *
skip_digest (const char *message, const char *text)
{
  static const char *const forms[][2] = { { "object ", ": " }, { "expected ", ", " } };
  for (size_t i = 0; i < G_N_ELEMENTS (forms); i++) {
    g_autofree char *prefix = g_strconcat (forms[i][0], text, forms[i][1], NULL);
    if (g_str_has_prefix (message, prefix))
      message += strlen (prefix);
  }
  return message;
}

/* What was expected of OBJECT, and what came instead, with no digest said twice. */
static char *
describe_failure (VtreeFs *fs, uint32_t object, const char *message)
{
  VtreeDigest digest;
  uint64_t size;
  char text[VTREE_DIGEST_TEXT_MAX];
  if (object == VTREE_VIEW_NO_OBJECT
      || !vtree_view_object (fs->view, object, &digest, &size, NULL))
    return g_strdup_printf ("expected metadata: %s", message);
  vtree_digest_format (&digest, text);
  return g_strdup_printf ("expected object %s of %" G_GUINT64_FORMAT " bytes: %s", text,
                          (guint64) size, skip_digest (message, text));
}

int
vtree_fs_fail (VtreeFs *fs, uint32_t index, uint32_t object, const GError *error)
{
  int errnum = vtree_errno_from_error (error);
  if (errnum == EIO)
    atomic_fetch_add_explicit (&fs->failures, 1, memory_order_relaxed);
  bool repeated
    = errnum == EIO && object != VTREE_VIEW_NO_OBJECT && remember_failure (fs, object);
  if (vtree_log_admit (fs->log, repeated)) {
    g_autofree char *path = vtree_view_path (fs->view, index);
    g_autofree char *what = describe_failure (fs, object, error->message);
    vtree_log_write (fs->log, VTREE_LOG_ERROR, "%s: %s", path, what);
  }
  return -errnum;
}

int
vtree_fs_inode (VtreeFs *fs, uint64_t node, VtreeInode *inode)
{
  g_autoptr (GError) error = NULL;
  if (node == 0 || node > fs->totals->inodes)
    return -ESTALE;
  uint32_t index = (uint32_t) (node - 1);
  if (!vtree_view_inode (fs->view, index, inode, &error))
    return vtree_fs_fail (fs, index, VTREE_VIEW_NO_OBJECT, error);
  return 0;
}

static void
fill_stat (const VtreeFs *fs, const VtreeInode *inode, struct stat *st)
{
  *st = (struct stat){ 0 };
  st->st_ino = (ino_t) inode->index + 1;
  st->st_mode = inode->mode;
  st->st_nlink = inode->nlink;
  st->st_uid = fs->options.has_uid ? fs->options.uid : inode->uid;
  st->st_gid = fs->options.has_gid ? fs->options.gid : inode->gid;
  if (S_ISCHR (inode->mode) || S_ISBLK (inode->mode))
    st->st_rdev = vtree_device_decode (inode->rdev);
  st->st_size = (off_t) inode->size;
  st->st_blksize = BLOCK_SIZE;
  st->st_blocks = (blkcnt_t) (inode->size / 512 + (inode->size % 512 != 0));
  st->st_mtim.tv_sec = inode->mtime;
  st->st_mtim.tv_nsec = inode->nsec;
  st->st_atim = st->st_mtim;
  st->st_ctim = st->st_mtim;
}

int
vtree_fs_getattr (VtreeFs *fs, uint64_t node, struct stat *st)
{
  VtreeInode inode;
  int result = vtree_fs_inode (fs, node, &inode);
  if (result == 0)
    fill_stat (fs, &inode, st);
  return result;
}

static int
get_directory (VtreeFs *fs, uint64_t node, VtreeInode *inode, VtreeDirectory *directory)
{
  g_autoptr (GError) error = NULL;
  int result = vtree_fs_inode (fs, node, inode);
  if (result != 0)
    return result;
  if (!S_ISDIR (inode->mode))
    return -ENOTDIR;
  if (!vtree_view_directory (fs->view, inode, directory, &error))
    return vtree_fs_fail (fs, inode->index, VTREE_VIEW_NO_OBJECT, error);
  return 0;
}

/* Attributes of what an entry of DIRECTORY names. An entry that leads nowhere, to a
 * directory of another's or back up is the manifest's fault, not a stale handle. */
static int
get_child (VtreeFs *fs, const VtreeDirectory *directory, uint32_t index,
           struct stat *st)
{
  g_autoptr (GError) error = NULL;
  VtreeInode inode;
  if (!vtree_view_child (fs->view, directory, index, &inode, &error))
    return vtree_fs_fail (fs, index, VTREE_VIEW_NO_OBJECT, error);
  fill_stat (fs, &inode, st);
  return 0;
}

/* *CHILD = inode of NAME in DIRECTORY. */
static int
find_child (VtreeFs *fs, const VtreeDirectory *directory, const char *name,
            uint32_t *child)
{
  g_autoptr (GError) error = NULL;
  bool found = false;
  size_t length = strlen (name);
  if (length > NAME_MAX_BYTES)
    return -ENAMETOOLONG;
  VtreeSpan span = { (const uint8_t *) name, length };
  if (!vtree_view_lookup (fs->view, directory, span, &found, child, &error))
    return vtree_fs_fail (fs, directory->inode, VTREE_VIEW_NO_OBJECT, error);
  return found ? 0 : -ENOENT;
}

int
vtree_fs_lookup (VtreeFs *fs, uint64_t parent, const char *name, struct stat *st)
{
  VtreeInode inode;
  VtreeDirectory directory;
  uint32_t child = 0;
  if (g_str_equal (name, "."))
    return vtree_fs_getattr (fs, parent, st);
  int result = get_directory (fs, parent, &inode, &directory);
  if (result == 0 && g_str_equal (name, ".."))
    return vtree_fs_getattr (fs, (uint64_t) directory.parent + 1, st);
  if (result == 0)
    result = find_child (fs, &directory, name, &child);
  return result == 0 ? get_child (fs, &directory, child, st) : result;
}

int
vtree_fs_readlink (VtreeFs *fs, uint64_t node, char target[VTREE_FS_TARGET_SIZE])
{
  g_autoptr (GError) error = NULL;
  VtreeInode inode;
  VtreeSpan span;
  int result = vtree_fs_inode (fs, node, &inode);
  if (result != 0)
    return result;
  if (!S_ISLNK (inode.mode))
    return -EINVAL;
  if (!vtree_view_target (fs->view, &inode, &span, &error))
    return vtree_fs_fail (fs, inode.index, VTREE_VIEW_NO_OBJECT, error);
  if (span.size >= VTREE_FS_TARGET_SIZE)
    return -EIO;
  memcpy (target, span.data, span.size);
  target[span.size] = '\0';
  return 0;
}

/* Entry number N of DIRECTORY, with NAME as the place for its name. */
static int
read_entry (VtreeFs *fs, const VtreeDirectory *directory, uint32_t n,
            char name[NAME_MAX_BYTES + 1], VtreeDirent *dirent)
{
  g_autoptr (GError) error = NULL;
  VtreeEntry entry;
  if (!vtree_view_entry (fs->view, directory, n, &entry, &error))
    return vtree_fs_fail (fs, directory->inode, VTREE_VIEW_NO_OBJECT, error);
  if (entry.name.size > NAME_MAX_BYTES)
    return -EIO;
  memcpy (name, entry.name.data, entry.name.size);
  name[entry.name.size] = '\0';
  dirent->name = name;
  return get_child (fs, directory, entry.inode, &dirent->st);
}

/* What stands at COOKIE, which is in range. */
static int
read_position (VtreeFs *fs, const VtreeDirectory *directory, uint64_t cookie,
               char name[NAME_MAX_BYTES + 1], VtreeDirent *dirent)
{
  dirent->next = cookie + 1;
  dirent->is_dot = cookie < COOKIE_ENTRIES;
  if (!dirent->is_dot)
    return read_entry (fs, directory, (uint32_t) (cookie - COOKIE_ENTRIES), name,
                       dirent);
  dirent->name = cookie == 0 ? "." : "..";
  uint32_t index = cookie == 0 ? directory->inode : directory->parent;
  int result = vtree_fs_getattr (fs, (uint64_t) index + 1, &dirent->st);
  return result == -ESTALE ? -EIO : result;
}

int
vtree_fs_readdir (VtreeFs *fs, uint64_t node, uint64_t cookie, VtreeFsEmit emit,
                  void *context)
{
  VtreeInode inode;
  VtreeDirectory directory;
  char name[NAME_MAX_BYTES + 1];
  int result = get_directory (fs, node, &inode, &directory);
  uint64_t end = result == 0 ? (uint64_t) directory.count + COOKIE_ENTRIES : 0;
  while (result == 0 && cookie < end) {
    VtreeDirent dirent;
    result = read_position (fs, &directory, cookie, name, &dirent);
    if (result == 0 && !emit (context, &dirent))
      break;
    cookie++;
  }
  return result;
}

int
vtree_fs_statfs (VtreeFs *fs, struct statvfs *st)
{
  *st = (struct statvfs){ 0 };
  st->f_bsize = BLOCK_SIZE;
  st->f_frsize = BLOCK_SIZE;
  st->f_blocks = fs->totals->blocks;
  st->f_files = fs->totals->inodes;
  st->f_namemax = NAME_MAX_BYTES;
  return 0;
}
