/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file system's semantics: what the status ioctl says. Reads counters; opens
 * nothing.
 */
#include "fuse/fs-private.h"

#include "manifest/view.h"

#include <unistd.h>

static uint64_t
load (atomic_uint_fast64_t *counter)
{
  return atomic_load_explicit (counter, memory_order_relaxed);
}

static void
fill_requests (VtreeFs *fs, struct vtree_status *status)
{
  uint64_t counts[VTREE_REQUEST_KINDS];
  for (size_t i = 0; i < VTREE_REQUEST_KINDS; i++) {
    counts[i] = load (&fs->requests[i]);
    status->requests += counts[i];
  }
  status->requests_open = counts[VTREE_REQUEST_OPEN];
  status->requests_opendir = counts[VTREE_REQUEST_OPENDIR];
  status->requests_read = counts[VTREE_REQUEST_READ];
  status->requests_readdir = counts[VTREE_REQUEST_READDIR];
  status->requests_lookup = counts[VTREE_REQUEST_LOOKUP];
  status->requests_getattr = counts[VTREE_REQUEST_GETATTR];
  status->requests_getxattr = counts[VTREE_REQUEST_GETXATTR];
  status->requests_listxattr = counts[VTREE_REQUEST_LISTXATTR];
  status->requests_readlink = counts[VTREE_REQUEST_READLINK];
  status->requests_release = counts[VTREE_REQUEST_RELEASE];
}

static void
fill_objects (VtreeFs *fs, struct vtree_status *status)
{
  VtreeCacheStats stats;
  vtree_cache_stats (fs->cache, &stats);
  status->objects_kernel = stats.opened_kernel;
  status->objects_daemon = stats.opened_daemon;
  status->objects_unverified = stats.opened_unverified;
  status->measures = stats.opened_kernel + stats.opened_daemon;
  status->cached = stats.held;
  status->hits = stats.hits;
  status->failures = load (&fs->failures);
  status->bytes_read = load (&fs->bytes_read);
  status->reads_spliced = load (&fs->reads_spliced);
  status->reads_ahead = load (&fs->reads_ahead);
  status->manifest_loaded = vtree_pages_loaded (vtree_view_peek_pages (fs->view));
}

static bool
has_failed (VtreeFs *fs, uint32_t object)
{
  bool failed = false;
  g_mutex_lock (&fs->failed_lock);
  for (size_t i = 0; i < VTREE_FS_FAILED_MAX; i++)
    failed |= fs->failed[i] == object + 1;
  g_mutex_unlock (&fs->failed_lock);
  return failed;
}

static void
fill_file (VtreeFs *fs, const VtreeInode *inode, struct vtree_status *status)
{
  VtreeDigest digest;
  if (!S_ISREG (inode->mode) || vtree_fs_digest (fs, inode, &digest) != 0)
    return;
  vtree_digest_format (&digest, status->object);
  if (inode->object == VTREE_VIEW_NO_OBJECT)
    return;
  g_autoptr (VtreeObject) object = vtree_cache_peek (fs->cache, inode->object);
  if (object != NULL && vtree_object_is_measured (object)) {
    status->object_enforcer = vtree_object_enforcer (object);
    status->object_state = VTREE_STATUS_OBJECT_VERIFIED;
  } else if (has_failed (fs, inode->object)) {
    status->object_state = VTREE_STATUS_OBJECT_FAILED;
  }
}

int
vtree_fs_status (VtreeFs *fs, uint64_t node, struct vtree_status *status)
{
  VtreeInode inode;
  *status = fs->status;
  status->node_id = node;
  status->pid = (uint64_t) getpid ();
  if (status->expires != 0 && g_get_real_time () / G_USEC_PER_SEC >= status->expires)
    status->flags |= VTREE_STATUS_EXPIRED;
  fill_requests (fs, status);
  fill_objects (fs, status);
  /* Always answered, also where the inode itself can't be read. */
  if (vtree_fs_inode (fs, node, &inode) == 0)
    fill_file (fs, &inode, status);
  return 0;
}
