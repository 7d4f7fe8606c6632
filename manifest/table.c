/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the records that inodes share, while a manifest is made. */
#include "manifest/table.h"

#include "core/error.h"
#include "manifest/format.h"
#include "manifest/index.h"
#include <errno.h>
#include <string.h>

struct VtreeTable {
  VtreeIndex *index;
  uint8_t *data;
  size_t size, room; /* bytes */
  size_t unit, key_offset;
};

#define FIRST_ROOM ((size_t) 4096)

VtreeTable *
vtree_table_new (size_t unit, size_t key_offset)
{
  VtreeTable *table = g_new0 (VtreeTable, 1);
  table->index = vtree_index_new (unit, key_offset, 0);
  table->unit = unit;
  table->key_offset = key_offset;
  return table;
}

void
vtree_table_free (VtreeTable *table)
{
  vtree_index_free (table->index);
  g_free (table->data);
  g_free (table);
}

static bool
make_room (VtreeTable *table, size_t size, GError **error)
{
  if (size <= table->room - table->size)
    return true;
  size_t room = MAX (table->room * 2, table->size + MAX (size, FIRST_ROOM));
  uint8_t *data = g_try_realloc (table->data, room);
  if (data == NULL)
    return vtree_error_set_errno (error, ENOMEM, "table of %zu bytes", room);
  table->data = data;
  table->room = room;
  return true;
}

bool
vtree_table_intern (VtreeTable *table, VtreeSpan record, uint32_t *position,
                    GError **error)
{
  bool added = false;
  uint64_t count = vtree_table_count (table);
  if (count >= VTREE_VTM_INODES_MAX)
    return vtree_error_set (error, VTREE_ERROR_LIMIT,
                            "table of records: more than a manifest can hold");
  if (!make_room (table, record.size, error))
    return false;
  uint32_t at = (uint32_t) count;
  VtreeSpan key = { record.data + table->key_offset, record.size - table->key_offset };
  if (!vtree_index_add (table->index, vtree_table_peek (table), key, &at, &added,
                        error))
    return false;
  if (added) {
    memcpy (table->data + table->size, record.data, record.size);
    table->size += record.size;
  }
  *position = at;
  return true;
}

VtreeSpan
vtree_table_peek (const VtreeTable *table)
{
  return (VtreeSpan){ table->data, table->size };
}

uint64_t
vtree_table_count (const VtreeTable *table)
{
  return table->size / table->unit;
}
