/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns what is known of POSIX ACLs: their bytes, and how their ids are mapped. Touches
 * no file.
 */
#include "manifest/acl.h"

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#define HEADER_SIZE 4
#define ENTRY_SIZE 8
#define NO_ID UINT32_MAX /* ACL_UNDEFINED_ID of unsigned width */
#define PERMISSIONS (ACL_READ | ACL_WRITE | ACL_EXECUTE)

typedef struct {
  unsigned tag;
  unsigned permissions;
  uint32_t id;
} Entry;

bool
vtree_acl_is_name (const char *name)
{
  return g_str_equal (name, VTREE_ACL_ACCESS) || g_str_equal (name, VTREE_ACL_DEFAULT);
}

static size_t
count_entries (VtreeSpan acl)
{
  return (acl.size - HEADER_SIZE) / ENTRY_SIZE;
}

static Entry
get_entry (VtreeSpan acl, size_t index)
{
  size_t offset = HEADER_SIZE + index * ENTRY_SIZE;
  return (Entry){ .tag = vtree_span_u16 (acl, offset),
                  .permissions = vtree_span_u16 (acl, offset + 2),
                  .id = vtree_span_u32 (acl, offset + 4) };
}

static bool
is_named (unsigned tag)
{
  return tag == ACL_USER || tag == ACL_GROUP;
}

/* What is wrong with ENTRY behind one with the tag BEFORE; NULL if nothing is. */
static const char *
find_fault (Entry entry, unsigned before)
{
  switch (entry.tag) {
  case ACL_USER_OBJ:
  case ACL_GROUP_OBJ:
  case ACL_MASK:
  case ACL_OTHER:
    if (entry.id != NO_ID)
      return "an entry has an id that can't have one";
    if (entry.tag <= before)
      return "entries are out of order";
    break;
  case ACL_USER:
  case ACL_GROUP:
    if (entry.id == NO_ID)
      return "a named entry has no id";
    if (entry.tag < before)
      return "entries are out of order";
    break;
  default:
    return "an entry's tag is unknown";
  }
  return entry.permissions & ~(unsigned) PERMISSIONS ? "a permission is unknown" : NULL;
}

/* Whether the tags that occur, or-ed together, make an ACL. */
static bool
is_complete (unsigned tags)
{
  unsigned needed = ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER;
  if (tags & (ACL_USER | ACL_GROUP))
    needed |= ACL_MASK;
  return (tags & needed) == needed;
}

bool
vtree_acl_check (VtreeSpan acl, GError **error)
{
  if (acl.size < HEADER_SIZE || (acl.size - HEADER_SIZE) % ENTRY_SIZE != 0)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "the ACL is malformed: %zu bytes long", acl.size);
  uint32_t version = vtree_span_u32 (acl, 0);
  if (version != POSIX_ACL_XATTR_VERSION)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "the ACL has version %u, not %d", version,
                            POSIX_ACL_XATTR_VERSION);
  unsigned tags = 0;
  unsigned before = 0;
  for (size_t i = 0; i < count_entries (acl); i++) {
    Entry entry = get_entry (acl, i);
    const char *fault = find_fault (entry, before);
    if (fault != NULL)
      return vtree_error_set (error, VTREE_ERROR_INVALID, "the ACL is malformed: %s",
                              fault);
    tags |= entry.tag;
    before = entry.tag;
  }
  if (!is_complete (tags))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "the ACL is malformed: an entry is missing");
  return true;
}

/* The permissions of the single entry TAG; FALLBACK where there is none. */
static unsigned
single (VtreeSpan acl, unsigned tag, unsigned fallback)
{
  for (size_t i = 0; i < count_entries (acl); i++) {
    Entry entry = get_entry (acl, i);
    if (entry.tag == tag)
      return entry.permissions;
  }
  return fallback;
}

/* What all entries with TAG grant; all permissions where there is none. */
static unsigned
intersect (VtreeSpan acl, unsigned tag)
{
  unsigned permissions = PERMISSIONS;
  for (size_t i = 0; i < count_entries (acl); i++) {
    Entry entry = get_entry (acl, i);
    if (entry.tag == tag)
      permissions &= entry.permissions;
  }
  return permissions;
}

static bool
has_tag (VtreeSpan acl, unsigned tag)
{
  return single (acl, tag, NO_ID) != NO_ID;
}

uint32_t
vtree_acl_map_access (VtreeSpan acl)
{
  unsigned mask = single (acl, ACL_MASK, PERMISSIONS);
  unsigned owner = single (acl, ACL_USER_OBJ, 0);
  if (has_tag (acl, ACL_USER))
    owner &= intersect (acl, ACL_USER) & mask;
  unsigned group = single (acl, ACL_GROUP_OBJ, 0) & intersect (acl, ACL_GROUP) & mask;
  return owner << 6 | group << 3 | single (acl, ACL_OTHER, 0);
}

static void
put_entry (GByteArray *out, Entry entry)
{
  uint8_t bytes[ENTRY_SIZE];
  vtree_bytes_put_u16 (bytes, (uint16_t) entry.tag);
  vtree_bytes_put_u16 (bytes + 2, (uint16_t) entry.permissions);
  vtree_bytes_put_u32 (bytes + 4, entry.id);
  g_byte_array_append (out, bytes, sizeof bytes);
}

GByteArray *
vtree_acl_map_default (VtreeSpan acl, uint32_t uid, uint32_t gid)
{
  static const unsigned tags[]
    = { ACL_USER_OBJ, ACL_USER, ACL_GROUP_OBJ, ACL_GROUP, ACL_MASK, ACL_OTHER };
  GByteArray *out = g_byte_array_new ();
  uint8_t version[HEADER_SIZE];
  vtree_bytes_put_u32 (version, POSIX_ACL_XATTR_VERSION);
  g_byte_array_append (out, version, sizeof version);
  for (size_t i = 0; i < G_N_ELEMENTS (tags); i++) {
    if (!has_tag (acl, tags[i]))
      continue;
    uint32_t named = tags[i] == ACL_USER ? uid : gid;
    put_entry (out, (Entry){ .tag = tags[i],
                             .permissions = intersect (acl, tags[i]),
                             .id = is_named (tags[i]) ? named : NO_ID });
  }
  return out;
}
