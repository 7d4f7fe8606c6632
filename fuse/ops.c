/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The callback table: each callback counts its request, asks fs and has reply.c answer.
 * No state of any inode, nor of an open file but passthrough.c's and what ahead.c
 * guesses of readers; no FLUSH or FORGET, since there is nothing to do for them. OPEN,
 * READ and RELEASE are in ops-file.c.
 */
#include "fuse/ops-private.h"

#include "fuse/backing.h"
#include "fuse/reply.h"

#include <errno.h>
#include <linux/fsverity.h>
#include <string.h>

/* What the kernel shall do for us. No AUTO_INVAL_DATA (nothing changes), no
 * READDIRPLUS_AUTO (attributes are as cheap as names). Of what we
 * call SPLICE_WRITE concerns fuse_reply_data() alone; SPLICE_MOVE would take the pages
 * of the objects' own cache out of it, or try to. */
#define WANTED                                                                         \
  (FUSE_CAP_ASYNC_READ | FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_IOCTL_DIR                  \
   | FUSE_CAP_READDIRPLUS | FUSE_CAP_ASYNC_DIO | FUSE_CAP_NO_OPEN_SUPPORT              \
   | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_NO_OPENDIR_SUPPORT  \
   | FUSE_CAP_SPLICE_WRITE)
#define BACKGROUND_MAX 64
/* Nothing is written: this is what a request's buffer, and so refuse.c's, is as large
 * as, whatever the size of a page. */
#define WRITE_MAX (1024 * 1024)
/* Larger ones are refused: a reply to GETXATTR or LISTXATTR (the kernel asks for no
 * more than XATTR_SIZE_MAX and XATTR_LIST_MAX, 64 KiB) or READDIR. */
#define REPLY_MAX (1024 * 1024)

VtreeOps *
vtree_ops_count (fuse_req_t req, VtreeRequestKind kind)
{
  VtreeOps *ops = fuse_req_userdata (req);
  vtree_uring_enter ();
  vtree_fs_count (ops->fs, kind);
  return ops;
}

static void
op_init (void *userdata, struct fuse_conn_info *conn)
{
  VtreeOps *ops = userdata;
  unsigned wanted = WANTED;
  if (vtree_fs_has_acls (ops->fs))
    wanted |= FUSE_CAP_POSIX_ACL;
  conn->want = conn->capable & wanted;
  conn->max_write = MIN (conn->max_write, WRITE_MAX);
  conn->max_background = BACKGROUND_MAX;
  conn->congestion_threshold = BACKGROUND_MAX * 3 / 4;
  ops->no_opendir = (conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT) != 0;
  ops->splices = (conn->want & FUSE_CAP_SPLICE_WRITE) != 0;
  const char *lacking
    = ops->passthrough != NULL ? vtree_backing_negotiate (conn) : NULL;
  if (lacking != NULL)
    vtree_passthrough_give_up (ops->passthrough, lacking);
  /* A ring's thread is there when this is answered, and then privileges are given up
   * that it would keep. */
  bool rings = ops->uring != NULL && lacking == NULL && vtree_uring_negotiate (conn);
  /* Nobody could answer what a killed daemon's rings leave: see push.h. */
  if (rings)
    ops->prefetch = NULL;
  /* And nothing is spliced into them. */
  ops->splices &= !rings;
}

static void
op_lookup (fuse_req_t req, fuse_ino_t parent, const char *name)
{
  VtreeOps *ops = vtree_ops_count (req, VTREE_REQUEST_LOOKUP);
  struct stat st;
  int result = vtree_fs_lookup (ops->fs, parent, name, &st);
  if (result == 0) {
    vtree_prefetch_known (ops->prefetch, st.st_ino);
    vtree_reply_entry (req, &st);
  } else if (result == -ENOENT)
    vtree_reply_no_entry (req);
  else
    vtree_reply_result (req, result);
}

static void
op_getattr (fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
  VtreeOps *ops = vtree_ops_count (req, VTREE_REQUEST_GETATTR);
  struct stat st;
  (void) fi;
  int result = vtree_fs_getattr (ops->fs, node, &st);
  if (result == 0)
    vtree_reply_attr (req, &st);
  else
    vtree_reply_result (req, result);
}

static void
op_readlink (fuse_req_t req, fuse_ino_t node)
{
  VtreeOps *ops = vtree_ops_count (req, VTREE_REQUEST_READLINK);
  char target[VTREE_FS_TARGET_SIZE];
  int result = vtree_fs_readlink (ops->fs, node, target);
  if (result == 0)
    vtree_reply_target (req, target);
  else
    vtree_reply_result (req, result);
}

static void
op_opendir (fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
  VtreeOps *ops = vtree_ops_count (req, VTREE_REQUEST_OPENDIR);
  (void) node;
  if (ops->no_opendir)
    vtree_reply_result (req, -ENOSYS);
  else
    vtree_reply_open (req, fi, 0);
}

/* Entries on their way into an answer that makes them known. */
typedef struct {
  VtreeReplyEntries entries;
  VtreePrefetch *prefetch; /* NULL: nobody has to know */
} Listing;

/* VtreeFsEmit */
static bool
list_entry (void *context, const VtreeDirent *entry)
{
  Listing *listing = context;
  if (!vtree_reply_add_entry (&listing->entries, entry))
    return false;
  vtree_prefetch_known (listing->prefetch, entry->st.st_ino);
  return true;
}

/* Answers with entries of at most SIZE bytes. */
static void
read_directory (fuse_req_t req, fuse_ino_t node, size_t size, off_t cookie, bool plus)
{
  VtreeOps *ops = vtree_ops_count (req, VTREE_REQUEST_READDIR);
  VtreeBuffer *buffer = vtree_buffers_get (ops->buffers, MIN (size, REPLY_MAX));
  if (buffer == NULL || cookie < 0) {
    vtree_reply_result (req, buffer == NULL ? -ENOMEM : -EINVAL);
  } else {
    Listing listing = { { req, buffer->data, MIN (size, REPLY_MAX), 0, plus },
                        plus ? ops->prefetch : NULL };
    int result
      = vtree_fs_readdir (ops->fs, node, (uint64_t) cookie, list_entry, &listing);
    /* What comes before a bad entry is good; the next call starts at the bad one. */
    if (result == 0 || listing.entries.used > 0)
      vtree_reply_data (req, buffer->data, listing.entries.used);
    else
      vtree_reply_result (req, result);
  }
  if (buffer != NULL)
    vtree_buffers_put (ops->buffers, buffer);
  if (plus && cookie == 0)
    vtree_prefetch_listed (ops->prefetch, node);
}

static void
op_readdir (fuse_req_t req, fuse_ino_t node, size_t size, off_t cookie,
            struct fuse_file_info *fi)
{
  (void) fi;
  read_directory (req, node, size, cookie, false);
}

static void
op_readdirplus (fuse_req_t req, fuse_ino_t node, size_t size, off_t cookie,
                struct fuse_file_info *fi)
{
  (void) fi;
  read_directory (req, node, size, cookie, true);
}

/* LENGTH: bytes at DATA, or only the length where the caller gave no room, or
 * -errno. */
static void
reply_xattr (fuse_req_t req, const char *data, size_t size, ssize_t length)
{
  if (length < 0)
    vtree_reply_result (req, (int) length);
  else if (size == 0)
    vtree_reply_length (req, (size_t) length);
  else
    vtree_reply_data (req, data, (size_t) length);
}

/* Room for the answer, *SIZE bytes of it at most; NULL where there is no other answer
 * than the one that has been given. */
static VtreeBuffer *
begin_xattr (VtreeOps *ops, fuse_req_t req, size_t *size)
{
  VtreeBuffer *buffer = NULL;
  bool any = vtree_fs_has_xattrs (ops->fs);
  *size = MIN (*size, REPLY_MAX);
  if (any)
    buffer = vtree_buffers_get (ops->buffers, *size);
  if (buffer == NULL)
    vtree_reply_result (req, any ? -ENOMEM : -ENOSYS);
  return buffer;
}

static void
op_getxattr (fuse_req_t req, fuse_ino_t node, const char *name, size_t size)
{
  VtreeOps *ops = vtree_ops_count (req, VTREE_REQUEST_GETXATTR);
  VtreeBuffer *buffer = begin_xattr (ops, req, &size);
  if (buffer == NULL)
    return;
  ssize_t got = vtree_fs_getxattr (ops->fs, node, name, buffer->data, size);
  reply_xattr (req, buffer->data, size, got);
  vtree_buffers_put (ops->buffers, buffer);
}

static void
op_listxattr (fuse_req_t req, fuse_ino_t node, size_t size)
{
  VtreeOps *ops = vtree_ops_count (req, VTREE_REQUEST_LISTXATTR);
  VtreeBuffer *buffer = begin_xattr (ops, req, &size);
  if (buffer == NULL)
    return;
  ssize_t got = vtree_fs_listxattr (ops->fs, node, buffer->data, size);
  reply_xattr (req, buffer->data, size, got);
  vtree_buffers_put (ops->buffers, buffer);
}

static void
op_statfs (fuse_req_t req, fuse_ino_t node)
{
  VtreeOps *ops = vtree_ops_count (req, VTREE_REQUEST_OTHER);
  struct statvfs st;
  (void) node;
  int result = vtree_fs_statfs (ops->fs, &st);
  if (result == 0)
    vtree_reply_statfs (req, &st);
  else
    vtree_reply_result (req, result);
}

static void
ioctl_status (VtreeOps *ops, fuse_req_t req, fuse_ino_t node, size_t out_size)
{
  struct vtree_status status;
  /* What was pushed is held by nobody; who asks gets today's answer. */
  if (vtree_prefetch_has_done (ops->prefetch, node))
    vtree_fs_open (ops->fs, node, NULL);
  int result = vtree_fs_status (ops->fs, node, &status);
  if (ops->passthrough != NULL)
    vtree_passthrough_status (ops->passthrough, &status);
  vtree_prefetch_status (ops->prefetch, &status);
  if (vtree_uring_carries (req))
    status.flags |= VTREE_STATUS_IO_URING;
  if (out_size < sizeof status)
    result = -EINVAL;
  if (result == 0)
    vtree_reply_ioctl (req, &status, sizeof status);
  else
    vtree_reply_result (req, result);
}

/* As the kernel's fsverity_ioctl_measure(). A kernel that passes the ioctl on without
 * room for the digest (before 6.10) does not know it for FUSE. */
static void
ioctl_measure (VtreeOps *ops, fuse_req_t req, fuse_ino_t node, const void *in,
               size_t out_size)
{
  struct {
    struct fsverity_digest header;
    uint8_t value[VTREE_DIGEST_MAX_SIZE];
  } answer = { 0 };
  VtreeDigest digest;
  int result = vtree_fs_measure (ops->fs, node, &digest);
  size_t size = result == 0 ? vtree_digest_alg_size (digest.alg) : 0;
  memcpy (&answer.header, in, sizeof answer.header);
  if (result == 0 && answer.header.digest_size < size)
    result = -EOVERFLOW;
  if (result == 0 && out_size < sizeof answer.header + size)
    result = -ENOTTY;
  if (result != 0) {
    vtree_reply_result (req, result);
    return;
  }
  answer.header.digest_algorithm = (uint16_t) digest.alg;
  answer.header.digest_size = (uint16_t) size;
  memcpy (answer.value, digest.value, size);
  vtree_reply_ioctl (req, &answer, sizeof answer.header + size);
}

static void
op_ioctl (fuse_req_t req, fuse_ino_t node, unsigned cmd, void *arg,
          struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_size,
          size_t out_size)
{
  VtreeOps *ops = vtree_ops_count (req, VTREE_REQUEST_OTHER);
  (void) arg;
  (void) fi;
  (void) flags;
  if (cmd == (unsigned) VTREE_IOC_STATUS)
    ioctl_status (ops, req, node, out_size);
  else if (cmd == (unsigned) FS_IOC_MEASURE_VERITY
           && in_size >= sizeof (struct fsverity_digest))
    ioctl_measure (ops, req, node, in, out_size);
  else
    vtree_reply_result (req, -ENOTTY);
}

const struct fuse_lowlevel_ops *
vtree_ops_table (void)
{
  static const struct fuse_lowlevel_ops table = {
    .init = op_init,
    .lookup = op_lookup,
    .getattr = op_getattr,
    .readlink = op_readlink,
    .open = vtree_op_open,
    .release = vtree_op_release,
    .opendir = op_opendir,
    .read = vtree_op_read,
    .readdir = op_readdir,
    .readdirplus = op_readdirplus,
    .getxattr = op_getxattr,
    .listxattr = op_listxattr,
    .statfs = op_statfs,
    .ioctl = op_ioctl,
  };
  return &table;
}
