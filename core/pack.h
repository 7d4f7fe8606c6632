/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One pack: a file with the contents of many small objects and an index by digest.
 * Byte by byte: doc/formats.md, "Packs". All of it is untrusted, the index too: it says
 * where an object may be, and only the object's own digest says that it is. Reads what
 * it is asked for and keeps nothing; maps nothing. Reference-counted, thread-safe.
 */
#pragma once

#include "core/digest.h"
#include "core/fd.h"
#include "core/object.h"

#define VTREE_PACK_MAGIC "VTREEPAK" /* 8 bytes, no NUL */
#define VTREE_PACK_VERSION 1
#define VTREE_PACK_HEADER_SIZE 64
/* What stands in the index besides the digest: offset and size. */
#define VTREE_PACK_ENTRY_EXTRA 12
/* Bytes; larger objects are in no pack. */
#define VTREE_PACK_OBJECT_MAX 65536

typedef struct VtreePack VtreePack;

/* A line of the index, in range: all its bytes are inside the pack's data. */
typedef struct {
  VtreeDigest digest;
  uint64_t offset; /* from the start of the file, bytes */
  uint32_t size;   /* 1 to VTREE_PACK_OBJECT_MAX */
} VtreePackEntry;

/* Takes FD (read-only, a regular file) in any case; NAME is what the pack's own digest
 * is said to be. Reads the header alone, and asks the kernel for its measurement.
 * Errors: VTREE_ERROR_CORRUPT (no pack, or one with contradictions),
 * VTREE_ERROR_UNSUPPORTED (a version or feature that this program does not have),
 * VTREE_ERRNO_ERROR. */
VtreePack *vtree_pack_new_take (int fd, const VtreeDigest *name, GError **error);
VtreePack *vtree_pack_ref (VtreePack *pack);
void vtree_pack_unref (VtreePack *pack);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreePack, vtree_pack_unref)

/* Its name; its file's size, and that of all contents in it, in bytes; how many objects
 * it has; the size of the largest of them. */
const VtreeDigest *vtree_pack_name (const VtreePack *pack);
uint64_t vtree_pack_size (const VtreePack *pack);
uint64_t vtree_pack_data_size (const VtreePack *pack);
uint64_t vtree_pack_count (const VtreePack *pack);
uint32_t vtree_pack_largest (const VtreePack *pack);
/* Whether the kernel enforces it: what it measured is its name. */
bool vtree_pack_is_enforced (const VtreePack *pack);
/* Borrowed. */
int vtree_pack_peek_fd (const VtreePack *pack);

/* Entry INDEX (below the count), which is sorted by digest. Errors:
 * VTREE_ERROR_CORRUPT, VTREE_ERRNO_ERROR. */
bool vtree_pack_entry (const VtreePack *pack, uint64_t index, VtreePackEntry *entry,
                       GError **error);

/* Calls EACH for every entry, in their order, until it returns false. Errors: EACH's,
 * those of vtree_pack_entry(); digests that are out of order, or there twice, are
 * VTREE_ERROR_CORRUPT. */
typedef bool (*VtreePackEach) (void *context, uint64_t index,
                               const VtreePackEntry *entry, GError **error);
bool vtree_pack_foreach (const VtreePack *pack, VtreePackEach each, void *context,
                         GError **error);

/* Looks for DIGEST: *FOUND, then *INDEX and *ENTRY. A few reads of at most 4 KiB, as
 * digests are spread evenly; at most the logarithm of the count of them whatever the
 * index says. Errors: as vtree_pack_entry(). */
bool vtree_pack_find (const VtreePack *pack, const VtreeDigest *digest, bool *found,
                      uint64_t *index, VtreePackEntry *entry, GError **error);

/* Reads entry INDEX, which is *ENTRY, into DATA (entry->size bytes of private memory)
 * and believes nothing before these very bytes have the entry's digest. Where the
 * kernel enforces the pack that is computed once for each entry as long as PACK lives;
 * otherwise each time. POLICY off: not at all; require: only where the kernel does.
 * Errors: VTREE_ERROR_CORRUPT, VTREE_ERROR_UNSUPPORTED (require),
 * VTREE_ERRNO_ERROR. */
bool vtree_pack_read (VtreePack *pack, uint64_t index, const VtreePackEntry *entry,
                      VtreeVerityPolicy policy, void *data, GError **error);

/* An entry on its way into DATA (entry.size bytes of private memory). */
typedef struct {
  uint64_t index;
  VtreePackEntry entry;
  void *data;
  bool read; /* the answer: DATA has what the entry's digest says */
} VtreePackSlice;

/* At most so many slices in one run. */
#define VTREE_PACK_RUN_MAX 256
/* Between two of them at most so many bytes, which are read for nothing. */
#define VTREE_PACK_GAP_MAX 4096

/* Reads COUNT slices with one read of the pack, each as vtree_pack_read() would. They
 * are in the order of their offsets, none begins before the one before it ends, and
 * what lies between is at most VTREE_PACK_GAP_MAX. A slice that can't be read, or is
 * not what it should be, stays unread: reading it alone tells why. */
void vtree_pack_read_run (VtreePack *pack, VtreePackSlice *slices, unsigned count,
                          VtreeVerityPolicy policy);

/* --- writing ---------------------------------------------------------------------- */

/* An object to be packed: SIZE bytes at SOURCE of whatever READ reads. */
typedef struct {
  VtreeDigest digest;
  uint32_t size;
  uint64_t source;
} VtreePackItem;

typedef struct {
  VtreeDigestAlg alg;
  const VtreePackItem *items; /* in the order that their contents shall have; no two of
                                 one digest */
  uint32_t count;             /* at least 1 */
  bool (*read) (void *context, const VtreePackItem *item, void *data, GError **error);
  void *context;
} VtreePackPlan;

/* Writes a pack into FD (empty, readable and writable): the same bytes for the same
 * items in the same order. *NAME: its digest; *SIZE: of the file, bytes. What READ
 * hands out is not verified. Errors: READ's, VTREE_ERRNO_ERROR. */
bool vtree_pack_write (int fd, const VtreePackPlan *plan, VtreeDigest *name,
                       uint64_t *size, GError **error);
