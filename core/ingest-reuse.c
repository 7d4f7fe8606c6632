/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the question whether an object that is already there may be used. A name proves
 * nothing: the kernel's measurement does, or equality with the contents at hand.
 * Writes nothing; where the kernel could enforce an object and does not yet, that is
 * changed.
 */
#include "core/beneath.h"
#include "core/ingest-private.h"
#include "core/object-fault.h"
#include "core/seal.h"

#include <string.h>

#define RUN_SIZE ((size_t) 256 * 1024)

/* After a step on the file that failed with FAILED (taken): *REUSE is bad, or it is an
 * error of ours. */
static bool
judge_failure (GError *failed, VtreeReuse *reuse, GError **error)
{
  if (!vtree_object_fault (failed)) {
    g_propagate_error (error, failed);
    return false;
  }
  g_error_free (failed);
  *reuse = VTREE_REUSE_BAD;
  return true;
}

/* The next SIZE bytes of what it has to be: in memory, or read from FD into BUFFER. */
typedef struct {
  const uint8_t *data;
  int fd;
  uint8_t *buffer;
} Expected;

static bool
expect (const Expected *expected, size_t size, uint64_t offset, const uint8_t **bytes,
        GError **error)
{
  size_t got;
  if (expected->data != NULL) {
    *bytes = expected->data + offset;
    return true;
  }
  g_assert (expected->buffer != NULL);
  *bytes = expected->buffer;
  if (!vtree_fd_pread (expected->fd, expected->buffer, size, offset, &got, error))
    return false;
  return got == size
         || vtree_error_set (error, VTREE_ERROR_FAILED, "a file in tmp was cut short");
}

/* Compares SIZE bytes of FD. An error of reading FD goes to FAILED, any other to
 * ERROR. */
static bool
compare (int fd, uint64_t size, const Expected *expected, bool *equal, GError **failed,
         GError **error)
{
  g_autofree uint8_t *buffer = g_malloc ((gsize) MIN (size, RUN_SIZE));
  *equal = false;
  for (uint64_t offset = 0; offset < size;) {
    size_t run = (size_t) MIN (size - offset, RUN_SIZE);
    size_t got;
    const uint8_t *bytes;
    if (!expect (expected, run, offset, &bytes, error))
      return false;
    if (!vtree_fd_pread (fd, buffer, run, offset, &got, failed))
      return true;
    if (got < run || memcmp (buffer, bytes, run) != 0)
      return true;
    offset += run;
  }
  *equal = true;
  return true;
}

static bool
compare_contents (int fd, uint64_t size, Expected expected, VtreeReuse *reuse,
                  GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autofree uint8_t *buffer
    = expected.data == NULL ? g_malloc ((gsize) MIN (size, RUN_SIZE)) : NULL;
  bool equal;
  expected.buffer = buffer;
  if (!compare (fd, size, &expected, &equal, &failed, error))
    return false;
  if (failed != NULL)
    return judge_failure (g_steal_pointer (&failed), reuse, error);
  *reuse = equal ? VTREE_REUSE_GOOD : VTREE_REUSE_BAD;
  return true;
}

/* Opens NAME of the store; *FD is -1 where *REUSE has the answer. */
static bool
open_existing (int top, const VtreeDigest *digest, uint64_t size, VtreeFd *fd,
               VtreeReuse *reuse, GError **error)
{
  char path[VTREE_DIGEST_PATH_MAX];
  struct stat st = { 0 };
  g_auto (VtreeFd) opened = -1;
  GError *failed = NULL;
  *fd = -1;
  *reuse = VTREE_REUSE_ABSENT;
  if (!vtree_beneath_open_file (top, vtree_digest_path (digest, path), &opened, &st,
                                &failed))
    return judge_failure (failed, reuse, error);
  if (opened < 0)
    return true;
  if ((uint64_t) st.st_size != size)
    *reuse = VTREE_REUSE_BAD;
  else
    *fd = vtree_fd_steal (&opened);
  return true;
}

/* What is measured and right may still lack a signature. */
static bool
check_signature (const VtreeIngest *ingest, int fd, VtreeReuse *reuse, GError **error)
{
  bool lacks = false;
  if (ingest->signer != NULL && !vtree_seal_lacks_signature (fd, &lacks, error))
    return false;
  *reuse = lacks ? VTREE_REUSE_WEAK : VTREE_REUSE_ENFORCED;
  return true;
}

/* The kernel's word, where it enforces: *MEASURED. It has read no block for that. */
static bool
measure (const VtreeIngest *ingest, int fd, const VtreeDigest *digest, bool *measured,
         VtreeReuse *reuse, GError **error)
{
  VtreeDigest found;
  GError *failed = NULL;
  *measured = true;
  if (!vtree_kernel_measure (fd, measured, &found, &failed))
    return judge_failure (failed, reuse, error);
  if (!*measured)
    return true;
  if (vtree_digest_equal (digest, &found))
    return check_signature (ingest, fd, reuse, error);
  *reuse = VTREE_REUSE_BAD;
  return true;
}

/* Any failure will do: then what is staged is sealed, and takes its place. */
static VtreeReuse
strengthen (const VtreeIngest *ingest, int fd, const VtreeDigest *digest)
{
  g_autoptr (GError) failed = NULL;
  if (vtree_seal_in_place (fd, 0444, digest, ingest->signer, &failed))
    return VTREE_REUSE_SEALED;
  return g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_CORRUPT) ? VTREE_REUSE_BAD
                                                                    : VTREE_REUSE_WEAK;
}

/* What lies in the object's place, FD, which the kernel has MEASURED as *REUSE says, or
 * has not. */
static bool
judge_contents (const VtreeIngest *ingest, const VtreeStaged *staged, int fd,
                bool measured, VtreeReuse *reuse, GError **error)
{
  VtreeReuse found;
  Expected expected = { .data = staged->data, .fd = staged->fd };
  if (!compare_contents (fd, staged->size, expected, &found, error))
    return false;
  if (!measured && ingest->kernel && found == VTREE_REUSE_GOOD)
    *reuse = strengthen (ingest, fd, &staged->digest);
  else if (!measured || found == VTREE_REUSE_BAD)
    *reuse = found;
  return true;
}

bool
vtree_reuse_object (const VtreeIngest *ingest, const VtreeStaged *staged,
                    VtreeReuse *reuse, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  bool measured = false;
  if (!open_existing (ingest->objects_fd, &staged->digest, staged->size, &fd, reuse,
                      error))
    return false;
  if (fd < 0)
    return true;
  if (!measure (ingest, fd, &staged->digest, &measured, reuse, error))
    return false;
  if (measured && (!ingest->reads_enforced || *reuse == VTREE_REUSE_BAD))
    return true;
  return judge_contents (ingest, staged, fd, measured, reuse, error);
}

bool
vtree_reuse_merkle (const VtreeIngest *ingest, const VtreeStaged *staged,
                    VtreeReuse *reuse, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  uint64_t size = vtree_merkle_file_size (ingest->alg, staged->size);
  if (!open_existing (ingest->merkle_fd, &staged->digest, size, &fd, reuse, error))
    return false;
  Expected expected = { .fd = staged->merkle_fd };
  return fd < 0 || compare_contents (fd, size, expected, reuse, error);
}
