/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the file: a header, records sorted by device and inode, a checksum. In the
 * machine's own byte order: it never leaves it.
 */
#include "manifest/stat-cache.h"

#include "core/fd.h"
#include "core/publish.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define MAGIC UINT64_C (0x3245484341435456) /* "VTCACHE2" */
/* bytes; more files than that are not remembered */
#define SIZE_MAX_SAVED ((size_t) 4 << 30)
/* Filesystems keep times of up to two seconds' resolution. */
#define SETTLED_SECONDS 3
#define PLAIN 1

typedef struct {
  uint64_t magic;
  uint64_t alg;
  uint64_t filter; /* hash of the text */
  uint64_t count;
} Header;

typedef struct {
  uint64_t dev, ino, filesystem;
  int64_t ctime, mtime; /* seconds */
  uint32_t ctime_nsec, mtime_nsec;
  uint64_t size;
  uint64_t flags;
  uint8_t digest[VTREE_DIGEST_MAX_SIZE];
} Record;

struct VtreeStatCache {
  char *directory;
  char name[65];
  VtreeDigestAlg alg;
  Header header;
  GBytes *bytes; /* what was saved; NULL: nothing */
  const Record *records;
  uint64_t count;
  bool same_filter;
  bool *used;          /* of each record */
  GHashTable *present; /* borrowed; NULL: not known yet */
  bool ended;          /* nothing is found */
  time_t began;
  uint64_t hits;

  GMutex lock; /* for the rest */
  GArray *noted;
};

/* --- where ------------------------------------------------------------------------ */

static void
set_name (VtreeStatCache *cache, const char *repo, const char *ref)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  char *real = realpath (repo, NULL);
  const char *path = real != NULL ? real : repo;
  g_checksum_update (sum, (const guchar *) path, (gssize) strlen (path) + 1);
  g_checksum_update (sum, (const guchar *) ref, (gssize) strlen (ref) + 1);
  g_strlcpy (cache->name, g_checksum_get_string (sum), sizeof cache->name);
  free (real);
}

/* --- loading ---------------------------------------------------------------------- */

static bool
is_whole (const VtreeStatCache *cache, const uint8_t *data, size_t size)
{
  Header header;
  if (size < sizeof header + sizeof (XXH64_hash_t))
    return false;
  memcpy (&header, data, sizeof header);
  size_t body = size - sizeof (XXH64_hash_t);
  XXH64_hash_t expected, found = XXH3_64bits (data, body);
  memcpy (&expected, data + body, sizeof expected);
  return header.magic == MAGIC && header.alg == (uint64_t) cache->alg
         && header.count == (body - sizeof header) / sizeof (Record)
         && (body - sizeof header) % sizeof (Record) == 0 && expected == found;
}

static void
use_bytes (VtreeStatCache *cache, GBytes *bytes)
{
  size_t size;
  const uint8_t *data = g_bytes_get_data (bytes, &size);
  Header header;
  if (!is_whole (cache, data, size))
    return;
  memcpy (&header, data, sizeof header);
  cache->bytes = g_bytes_ref (bytes);
  cache->records = (const Record *) (const void *) (data + sizeof header);
  cache->count = header.count;
  cache->used = g_new0 (bool, header.count);
  cache->same_filter = header.filter == cache->header.filter;
}

static bool
load (VtreeStatCache *cache, GError **error)
{
  bool missing;
  g_auto (VtreeFd) dir
    = vtree_paths_open_directory (cache->directory, false, &missing, error);
  if (dir < 0)
    return missing;
  g_auto (VtreeFd) fd
    = openat (dir, cache->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  bool own = fd >= 0 && vtree_paths_check_owner (fd, cache->name, NULL);
  g_autoptr (GBytes) bytes = own ? vtree_fd_load (fd, SIZE_MAX_SAVED, NULL) : NULL;
  if (bytes != NULL)
    use_bytes (cache, bytes);
  return true;
}

VtreeStatCache *
vtree_stat_cache_load (const VtreePaths *paths, const char *repo, const char *ref,
                       VtreeDigestAlg alg, const char *filter, GError **error)
{
  g_autoptr (VtreeStatCache) cache = g_new0 (VtreeStatCache, 1);
  cache->directory = g_build_filename (vtree_paths_cache (paths), "stat", NULL);
  cache->alg = alg;
  cache->header = (Header){ .magic = MAGIC,
                            .alg = (uint64_t) alg,
                            .filter = XXH3_64bits (filter, strlen (filter)) };
  cache->began = time (NULL);
  cache->noted = g_array_new (FALSE, FALSE, sizeof (Record));
  g_mutex_init (&cache->lock);
  set_name (cache, repo, ref);
  if (load (cache, error))
    return g_steal_pointer (&cache);
  g_prefix_error (error, "trust stat: ");
  return NULL;
}

void
vtree_stat_cache_free (VtreeStatCache *cache)
{
  if (cache == NULL)
    return;
  vtree_stat_cache_clear (cache);
  g_array_unref (cache->noted);
  g_mutex_clear (&cache->lock);
  g_free (cache->directory);
  g_free (cache);
}

bool
vtree_stat_cache_is_empty (const VtreeStatCache *cache)
{
  return cache->count == 0;
}

void
vtree_stat_cache_clear (VtreeStatCache *cache)
{
  cache->count = 0;
  cache->records = NULL;
  g_clear_pointer (&cache->used, g_free);
  g_clear_pointer (&cache->bytes, g_bytes_unref);
}

static bool
is_present (const VtreeStatCache *cache, const Record *record)
{
  VtreeDigest digest;
  vtree_digest_init (&digest, cache->alg, record->digest);
  return record->size == 0 || g_hash_table_contains (cache->present, &digest);
}

bool
vtree_stat_cache_restrict (VtreeStatCache *cache, GHashTable *present)
{
  bool ok = true;
  cache->present = present;
  for (uint64_t i = 0; ok && i < cache->count; i++)
    ok = !cache->used[i] || is_present (cache, &cache->records[i]);
  if (ok)
    return true;
  memset (cache->used, 0, cache->count);
  g_array_set_size (cache->noted, 0);
  cache->hits = 0;
  return false;
}

void
vtree_stat_cache_end (VtreeStatCache *cache)
{
  cache->present = NULL;
  cache->ended = true;
}

/* --- asking and telling ----------------------------------------------------------- */

static Record
record_of (const struct stat *stat, uint64_t filesystem)
{
  return (Record){ .dev = stat->st_dev,
                   .ino = stat->st_ino,
                   .filesystem = filesystem,
                   .ctime = stat->st_ctim.tv_sec,
                   .mtime = stat->st_mtim.tv_sec,
                   .ctime_nsec = (uint32_t) stat->st_ctim.tv_nsec,
                   .mtime_nsec = (uint32_t) stat->st_mtim.tv_nsec,
                   .size = (uint64_t) stat->st_size };
}

static int
compare_records (const void *a, const void *b)
{
  const Record *x = a;
  const Record *y = b;
  if (x->dev != y->dev)
    return x->dev < y->dev ? -1 : 1;
  return (x->ino > y->ino) - (x->ino < y->ino);
}

static bool
same_state (const Record *a, const Record *b)
{
  return a->ctime == b->ctime && a->mtime == b->mtime && a->ctime_nsec == b->ctime_nsec
         && a->mtime_nsec == b->mtime_nsec && a->size == b->size
         && a->filesystem == b->filesystem;
}

bool
vtree_stat_cache_find (const VtreeStatCache *cache, const struct stat *stat,
                       uint64_t filesystem, VtreeStatKnown *known)
{
  Record key = record_of (stat, filesystem);
  bool may_be = !cache->ended && cache->count > 0 && filesystem != 0;
  const Record *found
    = may_be ? bsearch (&key, cache->records, cache->count, sizeof key, compare_records)
             : NULL;
  if (found == NULL || !same_state (found, &key)
      || (cache->present != NULL && !is_present (cache, found)))
    return false;
  vtree_digest_init (&known->digest, cache->alg, found->digest);
  known->plain = cache->same_filter && (found->flags & PLAIN) != 0;
  known->index = (uint64_t) (found - cache->records);
  return true;
}

void
vtree_stat_cache_note (VtreeStatCache *cache, const struct stat *stat,
                       uint64_t filesystem, const VtreeStatKnown *known)
{
  Record record = record_of (stat, filesystem);
  if (filesystem == 0 || record.ctime > cache->began - SETTLED_SECONDS
      || record.mtime > cache->began - SETTLED_SECONDS)
    return;
  record.flags = known->plain ? PLAIN : 0;
  if (record.size > 0)
    memcpy (record.digest, known->digest.value, sizeof record.digest);
  g_mutex_lock (&cache->lock);
  g_array_append_val (cache->noted, record);
  g_mutex_unlock (&cache->lock);
}

void
vtree_stat_cache_use (VtreeStatCache *cache, const VtreeStatKnown *known)
{
  cache->used[known->index] = true;
  cache->hits++;
}

uint64_t
vtree_stat_cache_hits (const VtreeStatCache *cache)
{
  return cache->hits;
}

/* --- saving ----------------------------------------------------------------------- */

/* Whether what was noted, sorted, is what was loaded. */
static bool
is_saved (const VtreeStatCache *cache)
{
  return cache->bytes != NULL && cache->same_filter && cache->count == cache->noted->len
         && memcmp (cache->records, cache->noted->data, cache->count * sizeof (Record))
              == 0;
}

bool
vtree_stat_cache_save (VtreeStatCache *cache, GError **error)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  size_t records = cache->noted->len * sizeof (Record);
  g_array_sort (cache->noted, compare_records);
  if (is_saved (cache))
    return true;
  if (records > SIZE_MAX_SAVED - sizeof (Header) - sizeof (XXH64_hash_t))
    return true;
  g_auto (VtreeFd) dir
    = vtree_paths_open_directory (cache->directory, true, NULL, error);
  if (dir < 0)
    return false;
  cache->header.count = cache->noted->len;
  g_byte_array_append (bytes, (const guint8 *) &cache->header, sizeof cache->header);
  g_byte_array_append (bytes, (const guint8 *) cache->noted->data, (guint) records);
  XXH64_hash_t sum = XXH3_64bits (bytes->data, bytes->len);
  g_byte_array_append (bytes, (const guint8 *) &sum, sizeof sum);
  if (vtree_publish (dir, cache->name, bytes->data, bytes->len, 0600,
                     VTREE_PUBLISH_NO_SYNC, error))
    return true;
  g_prefix_error (error, "trust stat: save %s: ", cache->name);
  return false;
}
