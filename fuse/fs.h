/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the mounted tree answers, without libfuse: node ids in, plain structs out, 0 (or
 * a count) or -errno. Holds no state for any inode or open file; thread-safe.
 *
 * A node id is the inode's index in the manifest + 1, with an epoch of 0 in its high 32
 * bits. Any other is -ESTALE. What can't be verified is -EIO, with one rate-limited
 * line in the log. Every function of a node can fail in these two ways, and with
 * -ENOMEM.
 */
#pragma once

#include "core/status.h"
#include "core/store.h"
#include "fuse/ahead.h"
#include "fuse/cache.h"
#include "fuse/log.h"
#include "fuse/splice.h"
#include "manifest/view.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

typedef struct VtreeFs VtreeFs;

/* Where everything about the mount as such is said, for status and magic xattrs. All
 * strings are copied; "" where there is none. */
typedef struct {
  const char *ref;
  const char *key; /* id of the key that signed */
  const char *source;
  VtreeDigest manifest;
  bool is_signed;
  uint64_t version;
  int64_t created, expires; /* 0: none */
  VtreeEnforcer enforcer;   /* of the manifest */
} VtreeFsIdentity;

typedef struct {
  VtreeVerityPolicy verity;
  bool open_checked;
  bool magic;            /* serve user.vtree.* */
  bool has_uid, has_gid; /* show this owner in place of the signed one */
  uint32_t uid, gid;
  unsigned descriptors; /* for open objects, see vtree_cache_capacity() */
} VtreeFsOptions;

/* VIEW gets a reference; STORE and LOG are borrowed. */
VtreeFs *vtree_fs_new (VtreeView *view, const VtreeStore *store, VtreeLog *log,
                       const VtreeFsIdentity *identity, const VtreeFsOptions *options);
void vtree_fs_free (VtreeFs *fs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeFs, vtree_fs_free)

/* Whether the tree can answer GETXATTR and LISTXATTR at all, and whether POSIX ACLs are
 * to be negotiated. */
bool vtree_fs_has_xattrs (const VtreeFs *fs);
bool vtree_fs_has_acls (const VtreeFs *fs);
bool vtree_fs_open_checked (const VtreeFs *fs);

/* What requests are counted as. */
typedef enum {
  VTREE_REQUEST_OPEN,
  VTREE_REQUEST_OPENDIR,
  VTREE_REQUEST_READ,
  VTREE_REQUEST_READDIR,
  VTREE_REQUEST_LOOKUP,
  VTREE_REQUEST_GETATTR,
  VTREE_REQUEST_GETXATTR,
  VTREE_REQUEST_LISTXATTR,
  VTREE_REQUEST_READLINK,
  VTREE_REQUEST_RELEASE,
  VTREE_REQUEST_OTHER,
  VTREE_REQUEST_KINDS
} VtreeRequestKind;

/* Adds one request of KIND to what status tells. */
void vtree_fs_count (VtreeFs *fs, VtreeRequestKind kind);

/* Every field that FUSE has; st_ino is the node id. */
int vtree_fs_getattr (VtreeFs *fs, uint64_t node, struct stat *st);

/* -ENOENT, -ENOTDIR, -ENAMETOOLONG. "." is answered for every kind of inode and ".."
 * for directories: what NFS export asks. */
int vtree_fs_lookup (VtreeFs *fs, uint64_t parent, const char *name, struct stat *st);

#define VTREE_FS_TARGET_SIZE 4096

/* TARGET is NUL-terminated. -EINVAL if NODE is no symlink. */
int vtree_fs_readlink (VtreeFs *fs, uint64_t node, char target[VTREE_FS_TARGET_SIZE]);

typedef struct {
  const char *name;
  struct stat st;
  uint64_t next; /* cookie of what follows */
  bool is_dot;   /* "." or ".." */
} VtreeDirent;

/* Takes one entry; false: there is no room for it. */
typedef bool (*VtreeFsEmit) (void *context, const VtreeDirent *entry);

/* Hands out the entries from COOKIE on (0: the beginning; else an entry's next). After
 * an error what was emitted before is good. -ENOTDIR. */
int vtree_fs_readdir (VtreeFs *fs, uint64_t node, uint64_t cookie, VtreeFsEmit emit,
                      void *context);

/* Of _open and _read: the object can't be read before vtree_fs_prepare(), which takes
 * long; then again. Nothing is wrong with it so far. No errno for the kernel. */
#define VTREE_FS_LATER (-EAGAIN)

/* Computes what NODE's object lacks, as long as WANTED says so; else -EINTR. Others use
 * the file system meanwhile. */
int vtree_fs_prepare (VtreeFs *fs, uint64_t node, const VtreeWhile *wanted);

/* open=checked: the object is there and measured. *OBJECT (unless OBJECT is NULL) is a
 * new reference to it; NULL where the file is empty. -EISDIR. */
int vtree_fs_open (VtreeFs *fs, uint64_t node, VtreeObject **object);

/* Verified bytes into DATA, private memory of the caller; the number of bytes, which is
 * short only at the end of the file. -EISDIR, -EINVAL. */
ssize_t vtree_fs_read (VtreeFs *fs, uint64_t node, void *data, size_t size,
                       uint64_t offset);

/* The same bytes by way of one of PIPES, where the daemon has nothing to verify in them
 * itself: that pipe, with *GOT bytes (more than 0) in it. NULL: not this way, which
 * includes all failures; _read works, or has the error. */
VtreePipe *vtree_fs_splice (VtreeFs *fs, uint64_t node, VtreePipes *pipes, size_t size,
                            uint64_t offset, size_t *got);

/* What a READ of these bytes is to the reading ahead (ahead.h). False: nothing, since
 * it is no large file that somebody verifies. */
bool vtree_fs_wants_ahead (VtreeFs *fs, uint64_t node, size_t size, uint64_t offset,
                           VtreeAheadWanted *wanted);
/* SIZE verified bytes of an object that the daemon verifies, by themselves: nobody has
 * asked for them yet, so nothing is logged or counted. */
VtreeAheadResult vtree_fs_read_ahead (VtreeFs *fs, uint64_t node, void *data,
                                      size_t size, uint64_t offset);
/* SIZE such bytes have been handed out. */
void vtree_fs_count_ahead (VtreeFs *fs, size_t size);

/* --- ahead of who reads a directory, for prefetch.h: hints, so no errno ----------- */

/* How many inodes there are: node ids are 1 to that. */
uint32_t vtree_fs_inodes (const VtreeFs *fs);

/* As vtree_view_place(): about where NODE's name stands. */
bool vtree_fs_place (VtreeFs *fs, uint64_t node, VtreeDirectory *directory,
                     uint32_t *entry);

/* The entries of NODE; false: it has none. */
bool vtree_fs_children (VtreeFs *fs, uint64_t node, VtreeDirectory *directory);

/* A regular file that is not empty. */
typedef struct {
  uint64_t node;
  VtreeDigest digest;
  uint32_t size; /* bytes */
} VtreeFsSmall;

/* Whether entry N (below the count) of DIRECTORY is a regular file of 1 to MAX bytes:
 * then *SMALL. */
bool vtree_fs_small (VtreeFs *fs, const VtreeDirectory *directory, uint32_t n,
                     uint32_t max, VtreeFsSmall *small);

/* vtree_store_load() of STORE, by the mount's policy. */
void vtree_fs_load (const VtreeFs *fs, const VtreeStore *store, VtreeStoreLoad *loads,
                    unsigned count);

/* ---------------------------------------------------------------------------------- */

/* SIZE 0: only the length is asked for. -ENODATA, -ERANGE. */
ssize_t vtree_fs_getxattr (VtreeFs *fs, uint64_t node, const char *name, void *value,
                           size_t size);
ssize_t vtree_fs_listxattr (VtreeFs *fs, uint64_t node, char *list, size_t size);

/* Real totals; nothing is free. */
int vtree_fs_statfs (VtreeFs *fs, struct statvfs *st);

/* For VTREE_IOC_STATUS and FS_IOC_MEASURE_VERITY (regular files: else -ENOTTY; -ENODATA
 * where nobody verifies). */
int vtree_fs_status (VtreeFs *fs, uint64_t node, struct vtree_status *status);
int vtree_fs_measure (VtreeFs *fs, uint64_t node, VtreeDigest *digest);
