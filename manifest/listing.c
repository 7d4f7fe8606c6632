/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns getdents64(2). Opens nothing and looks at no file.
 */
#include "manifest/listing.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#define BUFFER_SIZE 32768

struct VtreeListing {
  GStringChunk *names;
  GArray *entries; /* VtreeListingEntry */
};

static void
add_entry (VtreeListing *listing, const struct dirent64 *entry)
{
  const char *name = entry->d_name;
  if (g_str_equal (name, ".") || g_str_equal (name, ".."))
    return;
  VtreeListingEntry added = { .name = g_string_chunk_insert (listing->names, name),
                              .ino = entry->d_ino,
                              .type = entry->d_type };
  g_array_append_val (listing->entries, added);
}

static int
compare_inodes (gconstpointer a, gconstpointer b)
{
  uint64_t left = ((const VtreeListingEntry *) a)->ino;
  uint64_t right = ((const VtreeListingEntry *) b)->ino;
  return left < right ? -1 : left > right;
}

VtreeListing *
vtree_listing_read (int fd, GError **error)
{
  g_autoptr (VtreeListing) listing = g_new0 (VtreeListing, 1);
  listing->names = g_string_chunk_new (1024);
  listing->entries = g_array_new (FALSE, FALSE, sizeof (VtreeListingEntry));
  union {
    struct dirent64 first; /* for the alignment */
    char bytes[BUFFER_SIZE];
  } buffer;
  if (lseek (fd, 0, SEEK_SET) < 0) {
    vtree_error_set_errno (error, errno, "rewind a directory");
    return NULL;
  }
  ssize_t got;
  while ((got = getdents64 (fd, buffer.bytes, sizeof buffer)) > 0) {
    const struct dirent64 *entry;
    for (ssize_t at = 0; at < got; at += entry->d_reclen) {
      entry = (const struct dirent64 *) (const void *) (buffer.bytes + at);
      add_entry (listing, entry);
    }
  }
  if (got < 0) {
    vtree_error_set_errno (error, errno, "list a directory");
    return NULL;
  }
  g_array_sort (listing->entries, compare_inodes);
  return g_steal_pointer (&listing);
}

void
vtree_listing_free (VtreeListing *listing)
{
  if (listing == NULL)
    return;
  g_array_unref (listing->entries);
  g_string_chunk_free (listing->names);
  g_free (listing);
}

size_t
vtree_listing_count (const VtreeListing *listing)
{
  return listing->entries->len;
}

const VtreeListingEntry *
vtree_listing_peek (const VtreeListing *listing, size_t index)
{
  return &g_array_index (listing->entries, VtreeListingEntry, index);
}
