/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the decision who checks an object, and reading it so that no unchecked byte
 * leaves. Opens nothing by name but a temporary file; finds no objects: see store.c.
 */
#include "core/object.h"

#include "core/lock.h"
#include "core/merkle.h"
#include "core/temporary.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

/* Bytes read before they are verified: still in the processor's cache by then. */
#define RUN_SIZE ((size_t) 128 * 1024)
/* Bytes of a slice in memory that count as much as a descriptor. */
#define SLICE_WEIGHT 8192

struct VtreeObject {
  atomic_uint refs;
  VtreeFd fd;    /* -1: a slice of a pack, then */
  uint8_t *data; /* has all of the contents, checked before they came here */
  VtreeObjectSpec spec;
  VtreeEnforcer enforcer;
  /* Where the daemon verifies; NULL until a small object has been measured, or a
   * deferred one prepared, then set once. */
  VtreeMerkle *_Atomic merkle;
  GMutex rebuild_lock; /* for computing a Merkle file; held long */
  /* What became of that for a damaged one; changed under the lock. */
  _Atomic (enum { NOT_TRIED = 0, REBUILT, FAILED }) rebuild;
};

static bool
is_small (const VtreeObjectSpec *spec)
{
  return spec->size <= (uint64_t) VTREE_MERKLE_MIN_BLOCKS * VTREE_BLOCK_SIZE;
}

static void
prefix_digest (GError **error, const VtreeObjectSpec *spec)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  g_prefix_error (error, "object %s: ", vtree_digest_format (&spec->digest, text));
}

static bool
check_size (int fd, uint64_t expected, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return vtree_error_set_errno (error, errno, "fstat");
  if (!S_ISREG (st.st_mode))
    return vtree_error_set (error, VTREE_ERROR_CORRUPT, "not a regular file");
  if ((uint64_t) st.st_size != expected)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "expected %" G_GUINT64_FORMAT
                            " bytes, found %" G_GUINT64_FORMAT,
                            expected, (uint64_t) st.st_size);
  return true;
}

/* What the kernel measured has to be the object: verity with other parameters is
 * another file. */
static bool
check_measured (const VtreeObjectSpec *spec, const VtreeDigest *measured,
                GError **error)
{
  if (vtree_digest_equal (&spec->digest, measured))
    return true;
  char text[VTREE_DIGEST_TEXT_MAX];
  return vtree_error_set (error, VTREE_ERROR_CORRUPT, "the kernel measured %s",
                          vtree_digest_format (measured, text));
}

/* Who checks what is read from FD. */
static bool
decide_enforcer (int fd, const VtreeObjectSpec *spec, VtreeEnforcer *enforcer,
                 GError **error)
{
  if (spec->policy == VTREE_VERITY_OFF) {
    *enforcer = VTREE_ENFORCER_NONE;
    return true;
  }
  bool enforced;
  VtreeDigest measured;
  if (!vtree_kernel_measure (fd, &enforced, &measured, error))
    return false;
  if (enforced && !check_measured (spec, &measured, error))
    return false;
  if (!enforced && spec->policy == VTREE_VERITY_REQUIRE) {
    g_autofree char *name = vtree_filesystem_name (fd);
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "the kernel does not enforce fs-verity on it (%s), and "
                            "verity=require",
                            name);
  }
  *enforcer = enforced ? VTREE_ENFORCER_KERNEL : VTREE_ENFORCER_DAEMON;
  return true;
}

/* Computes the Merkle file of the contents, unlinked; an owned descriptor or -1. */
static int
compute_merkle_file (const VtreeObject *object, const VtreeWhile *wanted,
                     GError **error)
{
  const VtreeObjectSpec *spec = &object->spec;
  g_auto (VtreeFd) tree_fd = vtree_temporary_file (error);
  if (tree_fd < 0)
    return -1;
  VtreeVerityHelpers helpers = { 0 };
  VtreeVerityParams params = { spec->digest.alg, spec->size, tree_fd, &helpers };
  VtreeDigest digest;
  if (!vtree_verity_compute_fd_while (&params, object->fd, wanted, &digest, error))
    return -1;
  if (vtree_digest_equal (&digest, &spec->digest))
    return vtree_fd_steal (&tree_fd);
  char text[VTREE_DIGEST_TEXT_MAX];
  vtree_error_set (error, VTREE_ERROR_CORRUPT, "found %s",
                   vtree_digest_format (&digest, text));
  return -1;
}

/* The verifier for an object that has none, is not small and has no good Merkle file:
 * that is computed. */
static bool
make_merkle (VtreeObject *object, const VtreeWhile *wanted, GError **error)
{
  const VtreeObjectSpec *spec = &object->spec;
  int fd = compute_merkle_file (object, wanted, error);
  if (fd < 0)
    return false;
  VtreeMerkle *merkle = vtree_merkle_new_take (fd, &spec->digest, spec->size, error);
  atomic_store (&object->merkle, merkle);
  return merkle != NULL;
}

static bool
set_up (VtreeObject *object, VtreeFd *merkle_fd, GError **error)
{
  const VtreeObjectSpec *spec = &object->spec;
  if (!check_size (object->fd, spec->size, error)
      || !decide_enforcer (object->fd, spec, &object->enforcer, error))
    return false;
  if (object->enforcer != VTREE_ENFORCER_DAEMON || is_small (spec))
    return true;
  if (*merkle_fd >= 0)
    atomic_store (&object->merkle,
                  vtree_merkle_new_take (vtree_fd_steal (merkle_fd), &spec->digest,
                                         spec->size, NULL));
  return atomic_load (&object->merkle) != NULL || spec->deferred
         || make_merkle (object, NULL, error);
}

/* Takes FD. */
static VtreeObject *
object_new (int fd, const VtreeObjectSpec *spec)
{
  VtreeObject *object = g_new0 (VtreeObject, 1);
  atomic_init (&object->refs, 1);
  atomic_init (&object->merkle, NULL);
  object->fd = fd;
  object->spec = *spec;
  g_mutex_init (&object->rebuild_lock);
  return object;
}

VtreeObject *
vtree_object_new_from_data_take (void *data, const VtreeObjectSpec *spec,
                                 VtreeEnforcer enforcer)
{
  VtreeObject *object = object_new (-1, spec);
  object->data = data;
  object->enforcer = enforcer;
  return object;
}

VtreeObject *
vtree_object_new_take (int fd, int merkle_fd, const VtreeObjectSpec *spec,
                       GError **error)
{
  g_auto (VtreeFd) owned_merkle_fd = merkle_fd;
  g_autoptr (VtreeObject) object = object_new (fd, spec);
  if (set_up (object, &owned_merkle_fd, error))
    return g_steal_pointer (&object);
  prefix_digest (error, spec);
  return NULL;
}

VtreeObject *
vtree_object_ref (VtreeObject *object)
{
  atomic_fetch_add (&object->refs, 1);
  return object;
}

void
vtree_object_unref (VtreeObject *object)
{
  if (object == NULL || atomic_fetch_sub (&object->refs, 1) > 1)
    return;
  vtree_merkle_free (atomic_load (&object->merkle));
  g_mutex_clear (&object->rebuild_lock);
  vtree_fd_close (object->fd);
  g_free (object->data);
  g_free (object);
}

/* Reads exactly SIZE bytes, which the contents have. */
static bool
read_plain (const VtreeObject *object, void *data, size_t size, uint64_t offset,
            GError **error)
{
  size_t got;
  if (!vtree_fd_pread (object->fd, data, size, offset, &got, error))
    return false;
  if (got == size)
    return true;
  return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                          "expected %" G_GUINT64_FORMAT
                          " bytes, the file ends at %" G_GUINT64_FORMAT,
                          object->spec.size, offset + got);
}

/* Reads all of a small object into DATA and measures these very bytes. */
static bool
read_and_measure (VtreeObject *object, void *data, GError **error)
{
  const VtreeObjectSpec *spec = &object->spec;
  if (!read_plain (object, data, (size_t) spec->size, 0, error)
      || !check_size (object->fd, spec->size, error))
    return false;
  VtreeMerkle *merkle
    = vtree_merkle_new_from_data (data, spec->size, &spec->digest, error);
  if (merkle == NULL)
    return false;
  VtreeMerkle *none = NULL;
  if (!atomic_compare_exchange_strong (&object->merkle, &none, merkle))
    vtree_merkle_free (merkle); /* another first reader has been faster */
  return true;
}

/* The first read of a small object: it is read and hashed once, and what is handed out
 * are the bytes that were hashed. */
static bool
read_first (VtreeObject *object, void *data, size_t size, uint64_t offset,
            GError **error)
{
  if (size == object->spec.size)
    return read_and_measure (object, data, error);
  g_autofree uint8_t *whole = g_malloc ((gsize) object->spec.size);
  if (!read_and_measure (object, whole, error))
    return false;
  memcpy (data, whole + offset, size);
  return true;
}

/* A damaged Merkle file is as good as none: it is computed from the contents, once in
 * an object's life. With the lock. False where it was given up; bad contents say so
 * themselves when they are read. */
static bool
rebuild_merkle (VtreeObject *object, const VtreeWhile *wanted, GError **error)
{
  g_autoptr (GError) failed = NULL;
  if (object->rebuild != NOT_TRIED)
    return true;
  int fd = compute_merkle_file (object, wanted, &failed);
  if (g_error_matches (failed, VTREE_ERRNO_ERROR, EINTR)) {
    g_propagate_error (error, g_steal_pointer (&failed));
    return false;
  }
  if (fd >= 0)
    vtree_merkle_replace_take (atomic_load (&object->merkle), fd);
  object->rebuild = fd >= 0 ? REBUILT : FAILED;
  return true;
}

/* With the lock. */
static bool
prepare (VtreeObject *object, const VtreeWhile *wanted, GError **error)
{
  VtreeMerkle *merkle = atomic_load (&object->merkle);
  if (merkle == NULL)
    return make_merkle (object, wanted, error);
  return !vtree_merkle_is_damaged (merkle) || rebuild_merkle (object, wanted, error);
}

bool
vtree_object_prepare (VtreeObject *object, const VtreeWhile *wanted, GError **error)
{
  if (object->enforcer != VTREE_ENFORCER_DAEMON || is_small (&object->spec))
    return true; /* as is every slice */
  g_mutex_lock (&object->rebuild_lock);
  bool ok = prepare (object, wanted, error);
  g_mutex_unlock (&object->rebuild_lock);
  if (!ok)
    prefix_digest (error, &object->spec);
  return ok;
}

static bool
set_busy (GError **error)
{
  return vtree_error_set (error, VTREE_ERROR_BUSY,
                          "its Merkle file has to be computed first");
}

static bool
verify (VtreeObject *object, uint64_t first, const uint8_t *data, size_t count,
        GError **error)
{
  VtreeMerkle *merkle = atomic_load (&object->merkle);
  g_autoptr (GError) failed = NULL;
  if (vtree_merkle_verify (merkle, first, data, count, &failed))
    return true;
  bool damaged = vtree_merkle_is_damaged (merkle);
  if (damaged && object->spec.deferred && object->rebuild == NOT_TRIED)
    return set_busy (error);
  if (damaged && vtree_object_prepare (object, NULL, NULL)
      && object->rebuild == REBUILT)
    return vtree_merkle_verify (merkle, first, data, count, error);
  g_propagate_error (error, g_steal_pointer (&failed));
  return false;
}

/* Reads whole blocks straight into DATA and verifies them there. */
static bool
read_blocks (VtreeObject *object, uint8_t *data, size_t size, uint64_t offset,
             GError **error)
{
  while (size > 0) {
    size_t n = MIN (size, RUN_SIZE);
    if (!read_plain (object, data, n, offset, error)
        || !verify (object, offset / VTREE_BLOCK_SIZE, data, n / VTREE_BLOCK_SIZE,
                    error))
      return false;
    data += n;
    offset += n;
    size -= n;
  }
  return true;
}

/* Reads SIZE bytes that are part of one block. */
static bool
read_part (VtreeObject *object, uint8_t *data, size_t size, uint64_t offset,
           GError **error)
{
  uint8_t block[VTREE_BLOCK_SIZE];
  size_t skip = (size_t) (offset % VTREE_BLOCK_SIZE);
  uint64_t start = offset - skip;
  size_t length = (size_t) MIN (object->spec.size - start, VTREE_BLOCK_SIZE);
  if (!read_plain (object, block, length, start, error))
    return false;
  memset (block + length, 0, sizeof block - length);
  if (!verify (object, start / VTREE_BLOCK_SIZE, block, 1, error))
    return false;
  memcpy (data, block + skip, size);
  return true;
}

/* Reads SIZE bytes from OFFSET, all within the contents: a part of the first block,
 * whole blocks, a part of the last. */
static bool
read_verified (VtreeObject *object, uint8_t *data, size_t size, uint64_t offset,
               GError **error)
{
  /* The blocks prove all bytes up to the end, but not that nothing comes after. */
  if (offset + size == object->spec.size
      && !check_size (object->fd, object->spec.size, error))
    return false;
  size_t into = (size_t) (offset % VTREE_BLOCK_SIZE);
  size_t head = into > 0 ? MIN (size, VTREE_BLOCK_SIZE - into) : 0;
  size_t tail = (size - head) % VTREE_BLOCK_SIZE;
  size_t middle = size - head - tail;
  return (head == 0 || read_part (object, data, head, offset, error))
         && read_blocks (object, data + head, middle, offset + head, error)
         && (tail == 0
             || read_part (object, data + head + middle, tail, offset + head + middle,
                           error));
}

static bool
read_range (VtreeObject *object, void *data, size_t size, uint64_t offset,
            GError **error)
{
  if (object->data != NULL) {
    memcpy (data, object->data + offset, size);
    return true;
  }
  if (object->enforcer != VTREE_ENFORCER_DAEMON)
    return read_plain (object, data, size, offset, error);
  bool measured = atomic_load (&object->merkle) != NULL;
  if (!measured && !is_small (&object->spec))
    return set_busy (error);
  if (!measured)
    return read_first (object, data, size, offset, error);
  return read_verified (object, data, size, offset, error);
}

bool
vtree_object_read (VtreeObject *object, void *data, size_t size, uint64_t offset,
                   size_t *got, GError **error)
{
  uint64_t left = offset < object->spec.size ? object->spec.size - offset : 0;
  size_t wanted = (size_t) MIN (size, left);
  if (wanted > 0 && !read_range (object, data, wanted, offset, error)) {
    prefix_digest (error, &object->spec);
    return false;
  }
  *got = wanted;
  return true;
}

bool
vtree_object_is_measured (const VtreeObject *object)
{
  return object->data != NULL || object->enforcer != VTREE_ENFORCER_DAEMON
         || atomic_load (&object->merkle) != NULL;
}

bool
vtree_object_measure (VtreeObject *object, GError **error)
{
  if (vtree_object_is_measured (object))
    return true;
  bool small = is_small (&object->spec);
  g_autofree uint8_t *whole
    = small ? g_malloc ((gsize) MAX (object->spec.size, 1)) : NULL;
  if (small ? read_and_measure (object, whole, error) : set_busy (error))
    return true;
  prefix_digest (error, &object->spec);
  return false;
}

VtreeEnforcer
vtree_object_enforcer (const VtreeObject *object)
{
  return object->enforcer;
}

uint64_t
vtree_object_size (const VtreeObject *object)
{
  return object->spec.size;
}

int
vtree_object_peek_fd (const VtreeObject *object)
{
  return object->fd;
}

unsigned
vtree_object_descriptors (const VtreeObject *object)
{
  if (object->data != NULL)
    return 1 + (unsigned) (object->spec.size / SLICE_WEIGHT);
  bool has_tree
    = object->enforcer == VTREE_ENFORCER_DAEMON && !is_small (&object->spec);
  return has_tree ? 2 : 1;
}

/* A lock on what has no name any more keeps nobody from removing the rest. */
static bool
check_named (int fd, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return vtree_error_set_errno (error, errno, "fstat");
  return st.st_nlink > 0
         || vtree_error_set (error, VTREE_ERROR_MISSING,
                             "it was removed while it was being opened");
}

bool
vtree_object_hold (const VtreeObject *object, int wait, GError **error)
{
  g_return_val_if_fail (object->fd >= 0, false);
  if (vtree_lock_take (object->fd, VTREE_LOCK_SHARED, wait, error)
      && check_named (object->fd, error))
    return true;
  prefix_digest (error, &object->spec);
  return false;
}
