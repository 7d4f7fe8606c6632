/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Open files with io=passthrough. Owns: how many opens each inode has, and its backing
 * id. Objects are opened, and files registered, without the lock.
 */
#include "fuse/passthrough.h"

#include <errno.h>

/* An inode that is open. */
typedef struct {
  uint64_t node; /* the key, in here */
  uint64_t opens;
  int32_t backing; /* 0: the daemon serves it */
} Entry;

struct VtreePassthrough {
  const VtreeBackingCalls *calls;
  int device;
  VtreeFs *fs;
  VtreeLog *log;
  GMutex lock;         /* all below */
  GHashTable *entries; /* Entry.node -> Entry, which it owns */
  bool given_up;
  uint64_t opens; /* with a backing file, so far */
  uint64_t held;  /* backing files now */
};

VtreePassthrough *
vtree_passthrough_new (const VtreeBackingCalls *calls, int device, VtreeFs *fs,
                       VtreeLog *log)
{
  VtreePassthrough *passthrough = g_new0 (VtreePassthrough, 1);
  passthrough->calls = calls;
  passthrough->device = device;
  passthrough->fs = fs;
  passthrough->log = log;
  g_mutex_init (&passthrough->lock);
  passthrough->entries
    = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, g_free);
  return passthrough;
}

void
vtree_passthrough_free (VtreePassthrough *passthrough)
{
  if (passthrough == NULL)
    return;
  g_hash_table_unref (passthrough->entries);
  g_mutex_clear (&passthrough->lock);
  g_free (passthrough);
}

void
vtree_passthrough_give_up (VtreePassthrough *passthrough, const char *why)
{
  g_mutex_lock (&passthrough->lock);
  bool first = !passthrough->given_up;
  passthrough->given_up = true;
  g_mutex_unlock (&passthrough->lock);
  if (first)
    vtree_log_write (passthrough->log, VTREE_LOG_WARNING,
                     "io=passthrough: %s; the daemon serves the files", why);
}

bool
vtree_passthrough_is_on (VtreePassthrough *passthrough)
{
  g_mutex_lock (&passthrough->lock);
  bool is_on = !passthrough->given_up;
  g_mutex_unlock (&passthrough->lock);
  return is_on;
}

/* With the lock: one more open of ENTRY; its backing id. */
static int32_t
join (VtreePassthrough *passthrough, Entry *entry)
{
  entry->opens++;
  if (entry->backing != 0)
    passthrough->opens++;
  return entry->backing;
}

/* Joins those who have NODE open; false where nobody has. */
static bool
join_others (VtreePassthrough *passthrough, uint64_t node, int32_t *backing)
{
  g_mutex_lock (&passthrough->lock);
  Entry *entry = g_hash_table_lookup (passthrough->entries, &node);
  if (entry != NULL)
    *backing = join (passthrough, entry);
  g_mutex_unlock (&passthrough->lock);
  return entry != NULL;
}

/* What the kernel may serve OBJECT by, which may be NULL: a new id, or 0. */
static int32_t
register_object (VtreePassthrough *passthrough, const VtreeObject *object)
{
  int32_t id = 0;
  if (object == NULL || vtree_object_peek_fd (object) < 0
      || vtree_object_enforcer (object) != VTREE_ENFORCER_KERNEL
      || !vtree_passthrough_is_on (passthrough))
    return 0;
  int result = passthrough->calls->open (passthrough->device,
                                         vtree_object_peek_fd (object), &id);
  if (result == 0)
    return id;
  /* Short of something now is not short of it for ever. */
  if (result != -ENOMEM && result != -ENFILE) {
    g_autofree char *why
      = g_strdup_printf ("register a file: %s", g_strerror (-result));
    vtree_passthrough_give_up (passthrough, why);
  }
  return 0;
}

/* With the lock: NODE is open from here on. */
static Entry *
insert (VtreePassthrough *passthrough, uint64_t node, int32_t backing)
{
  Entry *entry = g_new0 (Entry, 1);
  entry->node = node;
  entry->backing = backing;
  if (backing != 0)
    passthrough->held++;
  g_hash_table_insert (passthrough->entries, &entry->node, entry);
  return entry;
}

/* Opens NODE, which nobody had open, by NEW_ID or (0) by the daemon. Who has been
 * faster has decided. */
static int32_t
enter (VtreePassthrough *passthrough, uint64_t node, int32_t new_id)
{
  g_mutex_lock (&passthrough->lock);
  Entry *entry = g_hash_table_lookup (passthrough->entries, &node);
  bool is_late = entry != NULL;
  if (!is_late)
    entry = insert (passthrough, node, new_id);
  int32_t backing = join (passthrough, entry);
  g_mutex_unlock (&passthrough->lock);
  if (is_late && new_id != 0)
    passthrough->calls->close (passthrough->device, new_id);
  return backing;
}

int
vtree_passthrough_open (VtreePassthrough *passthrough, uint64_t node, int32_t *backing)
{
  g_autoptr (VtreeObject) object = NULL;
  bool joined = join_others (passthrough, node, backing);
  /* What the kernel serves already needs no other look. */
  if (joined && *backing != 0)
    return 0;
  int result = vtree_fs_open (passthrough->fs, node, &object);
  if (result != 0 && joined)
    vtree_passthrough_release (passthrough, node);
  if (result == 0 && !joined)
    *backing = enter (passthrough, node, register_object (passthrough, object));
  return result;
}

void
vtree_passthrough_release (VtreePassthrough *passthrough, uint64_t node)
{
  int32_t unused = 0;
  g_mutex_lock (&passthrough->lock);
  Entry *entry = g_hash_table_lookup (passthrough->entries, &node);
  if (entry != NULL && --entry->opens == 0) {
    unused = entry->backing;
    if (unused != 0)
      passthrough->held--;
    g_hash_table_remove (passthrough->entries, &node);
  }
  g_mutex_unlock (&passthrough->lock);
  if (unused != 0)
    passthrough->calls->close (passthrough->device, unused);
}

void
vtree_passthrough_status (VtreePassthrough *passthrough, struct vtree_status *status)
{
  uint64_t node = status->node_id;
  g_mutex_lock (&passthrough->lock);
  const Entry *entry = g_hash_table_lookup (passthrough->entries, &node);
  if (entry != NULL && entry->backing != 0) {
    status->object_enforcer = VTREE_ENFORCER_KERNEL;
    status->object_state = VTREE_STATUS_OBJECT_VERIFIED;
  }
  status->passthrough_opens = passthrough->opens;
  status->passthrough_held = passthrough->held;
  if (!passthrough->given_up)
    status->flags |= VTREE_STATUS_PASSTHROUGH;
  g_mutex_unlock (&passthrough->lock);
}
