/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the set of packs: the directory's listing, which of them are open, and the order
 * in which they are asked. Reads no contents. Paths come from digests alone.
 *
 * Of a few packs the one that had the last answer is asked first: what lies in one
 * directory of a tree lies in one pack, as a rule. For many there is an index over all
 * of them.
 */
#include "core/packs.h"

#include "core/beneath.h"
#include "core/directory.h"
#include "core/object-fault.h"
#include "core/packs-index.h"
#include "core/staging.h"
#include "core/verity.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Descriptors; beyond that the one that was opened first is closed. */
#define OPEN_MAX_PACKS 64
/* So many are asked one after the other. */
#define ASKED_MAX 4
/* A directory that has changed so shortly before it was looked at may change again
 * without another time: clocks of filesystems tick every few milliseconds. */
#define RACY_NS INT64_C (50000000)
/* …and those of some every second, or every other one, without nanoseconds. */
#define RACY_COARSE_NS INT64_C (2500000000)

/* A name in the directory, and what tells whether another file has taken its place. */
typedef struct {
  VtreeDigest name;
  ino_t inode; /* 0: unknown */
  struct timespec changed;
} Listed;

typedef struct {
  Listed listed;   /* first: compare_listed() */
  VtreePack *pack; /* NULL: not open */
  bool bad;        /* it is no pack that can be read */
} Slot;

struct VtreePacks {
  VtreeFd top; /* -1: none */
  VtreeDigestAlg alg;

  GMutex lock;      /* for all below */
  GPtrArray *slots; /* Slot *, sorted by name */
  bool listed;
  struct timespec changed; /* when the directory had, as it was looked at */
  bool racy;
  guint generation;       /* grows when the slots change */
  VtreePacksIndex *index; /* NULL: none is needed, or not yet, or it is too large */
  bool no_index;          /* it is too large */
  guint last;             /* the slot that had the last answer */
  guint open;             /* slots with an open pack */
  guint hand;             /* where to look for one to be closed */
};

static void
slot_free (gpointer data)
{
  Slot *slot = data;
  vtree_pack_unref (slot->pack);
  g_free (slot);
}

VtreePacks *
vtree_packs_new_take (int top_fd, VtreeDigestAlg alg)
{
  VtreePacks *packs = g_new0 (VtreePacks, 1);
  packs->top = top_fd;
  packs->alg = alg;
  packs->slots = g_ptr_array_new_with_free_func (slot_free);
  g_mutex_init (&packs->lock);
  return packs;
}

int
vtree_packs_peek_fd (const VtreePacks *packs)
{
  return packs->top;
}

void
vtree_packs_free (VtreePacks *packs)
{
  if (packs == NULL)
    return;
  vtree_fd_close (packs->top);
  g_ptr_array_unref (packs->slots);
  vtree_packs_index_free (packs->index);
  g_mutex_clear (&packs->lock);
  g_free (packs);
}

/* --- listing ---------------------------------------------------------------------- */

static gint
compare_listed (gconstpointer a, gconstpointer b)
{
  return vtree_digest_compare (&((const Listed *) a)->name,
                               &((const Listed *) b)->name);
}

static bool
same_listed (const Listed *a, const Listed *b)
{
  return vtree_digest_equal (&a->name, &b->name) && a->inode == b->inode
         && a->changed.tv_sec == b->changed.tv_sec
         && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Whatever stands under them. */
static void
add_names (const VtreePacks *packs, const char *fanout, int fd, const GPtrArray *files,
           GArray *names)
{
  for (guint i = 0; i < files->len; i++) {
    Listed listed = { .inode = 0 };
    struct stat st;
    if (!vtree_digest_from_path (packs->alg, fanout, files->pdata[i], &listed.name))
      continue;
    if (fstatat (fd, files->pdata[i], &st, AT_SYMLINK_NOFOLLOW) == 0) {
      listed.inode = st.st_ino;
      listed.changed = st.st_ctim;
    }
    g_array_append_val (names, listed);
  }
}

/* Adds the names of FANOUT ("ab"). */
static bool
list_fanout (const VtreePacks *packs, const char *fanout, GArray *names, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_auto (VtreeFd) fd = -1;
  if (!vtree_beneath_open_directory (packs->top, fanout, &fd, &failed)) {
    if (vtree_object_fault (failed))
      return true; /* holds no pack, whatever it is */
    g_propagate_error (error, g_steal_pointer (&failed));
    return false;
  }
  if (fd < 0)
    return true;
  g_autoptr (GPtrArray) files = vtree_directory_list (fd, error);
  if (files != NULL)
    add_names (packs, fanout, fd, files, names);
  return files != NULL;
}

/* Listed, sorted by name. */
static GArray *
list_names (const VtreePacks *packs, GError **error)
{
  g_autoptr (GArray) names = g_array_new (FALSE, FALSE, sizeof (Listed));
  g_autoptr (GPtrArray) fanouts = vtree_directory_list (packs->top, error);
  if (fanouts == NULL)
    return NULL;
  for (guint i = 0; i < fanouts->len; i++) {
    const char *fanout = fanouts->pdata[i];
    if (strlen (fanout) == 2 && g_ascii_isxdigit (fanout[0])
        && g_ascii_isxdigit (fanout[1]) && !list_fanout (packs, fanout, names, error))
      return NULL;
  }
  g_array_sort (names, compare_listed);
  return g_steal_pointer (&names);
}

GArray *
vtree_packs_list (VtreePacks *packs, GError **error)
{
  g_autoptr (GArray) names = g_array_new (FALSE, FALSE, sizeof (VtreeDigest));
  if (packs->top < 0)
    return g_steal_pointer (&names);
  g_autoptr (GArray) all = list_names (packs, error);
  if (all == NULL) {
    g_prefix_error (error, "list packs: ");
    return NULL;
  }
  for (guint i = 0; i < all->len; i++)
    g_array_append_val (names, g_array_index (all, Listed, i).name);
  return g_steal_pointer (&names);
}

/* With the lock. */
static bool
same_names (const VtreePacks *packs, const GArray *names)
{
  bool same = packs->slots->len == names->len;
  for (guint i = 0; same && i < names->len; i++) {
    const Slot *slot = packs->slots->pdata[i];
    same = same_listed (&slot->listed, &g_array_index (names, Listed, i));
  }
  return same;
}

/* With the lock: new slots for NAMES; packs that are open stay so, unless another file
 * has taken their place. */
static void
replace_slots (VtreePacks *packs, const GArray *names)
{
  GPtrArray *slots = g_ptr_array_new_with_free_func (slot_free);
  guint old = 0;
  packs->open = 0;
  for (guint i = 0; i < names->len; i++) {
    Slot *slot = g_new0 (Slot, 1);
    slot->listed = g_array_index (names, Listed, i);
    while (old < packs->slots->len
           && compare_listed (packs->slots->pdata[old], &slot->listed) < 0)
      old++;
    Slot *same = old < packs->slots->len ? packs->slots->pdata[old] : NULL;
    if (same != NULL && same_listed (&same->listed, &slot->listed))
      slot->pack = g_steal_pointer (&same->pack);
    packs->open += slot->pack != NULL;
    g_ptr_array_add (slots, slot);
  }
  g_ptr_array_unref (packs->slots);
  packs->slots = slots;
  g_clear_pointer (&packs->index, vtree_packs_index_free);
  packs->no_index = false;
  packs->last = packs->hand = 0;
  packs->generation++;
}

static int64_t
nanoseconds (struct timespec time)
{
  return (int64_t) time.tv_sec * 1000000000 + time.tv_nsec;
}

/* With the lock. */
static bool
refresh (VtreePacks *packs, GError **error)
{
  struct stat st;
  struct timespec now;
  if (packs->top < 0)
    return true;
  if (fstat (packs->top, &st) < 0)
    return vtree_error_set_errno (error, errno, "look at packs/");
  if (packs->listed && !packs->racy
      && nanoseconds (st.st_mtim) == nanoseconds (packs->changed))
    return true;
  clock_gettime (CLOCK_REALTIME, &now);
  g_autoptr (GArray) names = list_names (packs, error);
  if (names == NULL)
    return false;
  packs->racy = nanoseconds (now) - nanoseconds (st.st_mtim)
                < (st.st_mtim.tv_nsec == 0 ? RACY_COARSE_NS : RACY_NS);
  packs->changed = st.st_mtim;
  packs->listed = true;
  if (!same_names (packs, names))
    replace_slots (packs, names);
  return true;
}

bool
vtree_packs_refresh (VtreePacks *packs, GError **error)
{
  g_mutex_lock (&packs->lock);
  bool ok = refresh (packs, error);
  g_mutex_unlock (&packs->lock);
  if (!ok)
    g_prefix_error (error, "list packs: ");
  return ok;
}

guint
vtree_packs_generation (VtreePacks *packs)
{
  g_mutex_lock (&packs->lock);
  guint generation = packs->generation;
  g_mutex_unlock (&packs->lock);
  return generation;
}

/* --- opening ---------------------------------------------------------------------- */

static VtreePack *
open_pack (const VtreePacks *packs, const VtreeDigest *name, GError **error)
{
  char path[VTREE_DIGEST_PATH_MAX];
  g_auto (VtreeFd) fd = -1;
  if (packs->top >= 0
      && !vtree_beneath_open_file (packs->top, vtree_digest_path (name, path), &fd,
                                   NULL, error))
    return NULL;
  if (fd >= 0)
    return vtree_pack_new_take (vtree_fd_steal (&fd), name, error);
  vtree_error_set (error, VTREE_ERROR_MISSING, "pack %s: it is not there", path);
  return NULL;
}

VtreePack *
vtree_packs_open (VtreePacks *packs, const VtreeDigest *name, GError **error)
{
  VtreePack *pack = NULL;
  g_mutex_lock (&packs->lock);
  for (guint i = 0; i < packs->slots->len && pack == NULL; i++) {
    const Slot *slot = packs->slots->pdata[i];
    if (slot->pack != NULL && vtree_digest_equal (&slot->listed.name, name))
      pack = vtree_pack_ref (slot->pack);
  }
  g_mutex_unlock (&packs->lock);
  return pack != NULL ? pack : open_pack (packs, name, error);
}

/* With the lock: closes packs until another may be opened. */
static void
make_room (VtreePacks *packs)
{
  while (packs->open >= OPEN_MAX_PACKS) {
    Slot *slot = packs->slots->pdata[packs->hand];
    packs->hand = (packs->hand + 1) % packs->slots->len;
    packs->open -= slot->pack != NULL;
    g_clear_pointer (&slot->pack, vtree_pack_unref);
  }
}

/* With the lock: SLOT has a pack afterwards, or is bad. A pack that is gone, was never
 * one, or is one that only another program knows, is passed over. */
static bool
open_slot (VtreePacks *packs, Slot *slot, GError **error)
{
  g_autoptr (GError) failed = NULL;
  if (slot->pack != NULL || slot->bad)
    return true;
  make_room (packs);
  slot->pack = open_pack (packs, &slot->listed.name, &failed);
  if (slot->pack != NULL) {
    packs->open++;
    return true;
  }
  slot->bad = failed->domain == VTREE_ERROR || vtree_object_fault (failed);
  if (!slot->bad)
    g_propagate_error (error, g_steal_pointer (&failed));
  return slot->bad;
}

/* --- finding ---------------------------------------------------------------------- */

/* With the lock: takes in SLOT, which is number NUMBER. */
static bool
index_slot (VtreePacks *packs, VtreePacksIndex *index, guint number, bool *full,
            GError **error)
{
  Slot *slot = packs->slots->pdata[number];
  *full = false;
  return open_slot (packs, slot, error)
         && (slot->pack == NULL
             || vtree_packs_index_add (index, number, slot->pack, full, error));
}

/* With the lock: makes the index if there are so many packs that it pays. */
static bool
ensure_index (VtreePacks *packs, GError **error)
{
  if (packs->index != NULL || packs->no_index || packs->slots->len <= ASKED_MAX)
    return true;
  VtreePacksIndex *index = vtree_packs_index_new ();
  bool ok = true;
  for (guint i = 0; ok && !packs->no_index && i < packs->slots->len; i++)
    ok = index_slot (packs, index, i, &packs->no_index, error);
  if (!ok || packs->no_index) {
    vtree_packs_index_free (index);
    return ok;
  }
  vtree_packs_index_finish (index);
  packs->index = index;
  return true;
}

/* One after the other, however the set changes meanwhile. */
typedef struct {
  const VtreeDigest *digest;
  guint start, step, generation;
  uint64_t cursor; /* of the index */
} Tour;

/* With the lock: the number of the next slot to be asked; false if there is none. */
static bool
next_slot (const VtreePacks *packs, Tour *tour, guint *number)
{
  if (packs->index != NULL) {
    uint32_t found;
    bool any
      = vtree_packs_index_next (packs->index, tour->digest, &tour->cursor, &found);
    if (any)
      *number = found;
    return any;
  }
  if (tour->step >= packs->slots->len)
    return false;
  *number = (tour->start + tour->step) % packs->slots->len;
  tour->step++;
  return true;
}

/* *PACK (a reference): the next one, NULL for one to be passed over; *END: there is no
 * next one. */
static bool
next_pack (VtreePacks *packs, Tour *tour, VtreePack **pack, bool *end, GError **error)
{
  guint number;
  *pack = NULL;
  g_mutex_lock (&packs->lock);
  bool ok = ensure_index (packs, error);
  if (tour->generation != packs->generation)
    *tour = (Tour){ tour->digest, packs->last, 0, packs->generation, 0 };
  *end = ok && !next_slot (packs, tour, &number);
  if (ok && !*end) {
    Slot *slot = packs->slots->pdata[number];
    ok = open_slot (packs, slot, error);
    if (ok && slot->pack != NULL)
      *pack = vtree_pack_ref (slot->pack);
  }
  g_mutex_unlock (&packs->lock);
  return ok;
}

/* The slot of TOUR's last step had the answer. */
static void
note_answer (VtreePacks *packs, const Tour *tour)
{
  g_mutex_lock (&packs->lock);
  if (tour->generation == packs->generation)
    packs->last = (tour->start + tour->step - 1) % packs->slots->len;
  g_mutex_unlock (&packs->lock);
}

static bool
is_size (uint64_t wanted, uint64_t size)
{
  return wanted == VTREE_PACKS_ANY_SIZE || wanted == size;
}

/* What is wrong with an index is the pack's affair: it has nothing then, nor has one
 * that is NULL. */
static bool
ask (VtreePack *pack, const VtreeDigest *digest, uint64_t size, uint64_t *index,
     VtreePackEntry *entry, bool *found, GError **error)
{
  g_autoptr (GError) failed = NULL;
  *found = false;
  if (pack == NULL
      || (size != VTREE_PACKS_ANY_SIZE && size > vtree_pack_largest (pack)))
    return true;
  bool there = false;
  if (vtree_pack_find (pack, digest, &there, index, entry, &failed)) {
    *found = there && is_size (size, entry->size);
    return true;
  }
  if (vtree_object_fault (failed))
    return true;
  g_propagate_error (error, g_steal_pointer (&failed));
  return false;
}

static bool
find (VtreePacks *packs, const VtreeDigest *digest, uint64_t size, VtreePacksEach each,
      void *context, GError **error)
{
  Tour tour = { .digest = digest };
  for (;;) {
    g_autoptr (VtreePack) pack = NULL;
    VtreePackEntry entry;
    uint64_t index;
    bool end, found;
    if (!next_pack (packs, &tour, &pack, &end, error))
      return false;
    if (end)
      return true;
    if (!ask (pack, digest, size, &index, &entry, &found, error))
      return false;
    if (!found)
      continue;
    if (tour.step > 1)
      note_answer (packs, &tour);
    if (!each (context, pack, index, &entry))
      return true;
  }
}

bool
vtree_packs_find (VtreePacks *packs, const VtreeDigest *digest, uint64_t size,
                  VtreePacksEach each, void *context, GError **error)
{
  g_mutex_lock (&packs->lock);
  bool ok = packs->listed || refresh (packs, error);
  g_mutex_unlock (&packs->lock);
  return ok && find (packs, digest, size, each, context, error);
}

/* --- going through one ------------------------------------------------------------ */

bool
vtree_packs_scan (VtreePacks *packs, const VtreeDigest *name, VtreePackEach each,
                  void *context, VtreePack **pack, bool *whole, GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (VtreePack) opened = vtree_packs_open (packs, name, &failed);
  *whole = opened != NULL && vtree_pack_foreach (opened, each, context, &failed);
  if (!*whole && failed->domain != VTREE_ERROR && !vtree_object_fault (failed)) {
    g_propagate_error (error, g_steal_pointer (&failed));
    return false;
  }
  if (pack != NULL)
    *pack = g_steal_pointer (&opened);
  return true;
}

/* --- checking --------------------------------------------------------------------- */

/* VtreePackEach */
static bool
look_at (void *context, uint64_t index, const VtreePackEntry *entry, GError **error)
{
  (void) context;
  (void) index;
  (void) entry;
  (void) error;
  return true;
}

bool
vtree_packs_check (VtreePacks *packs, const VtreeDigest *name, GError **error)
{
  VtreeDigest found;
  char text[VTREE_DIGEST_TEXT_MAX];
  g_autoptr (VtreePack) pack = open_pack (packs, name, error);
  if (pack == NULL || !vtree_pack_foreach (pack, look_at, NULL, error))
    return false;
  VtreeVerityHelpers helpers = { 0 };
  VtreeVerityParams params = { .alg = packs->alg,
                               .size = vtree_pack_size (pack),
                               .merkle_fd = -1,
                               .helpers = &helpers };
  if (!vtree_verity_compute_fd (&params, vtree_pack_peek_fd (pack), &found, error))
    g_prefix_error (error, "pack: ");
  else if (!vtree_digest_equal (&found, name))
    vtree_error_set (error, VTREE_ERROR_CORRUPT, "pack: it has the digest %s",
                     vtree_digest_format (&found, text));
  else
    return true;
  return false;
}

/* --- removing --------------------------------------------------------------------- */

bool
vtree_packs_remove (VtreePacks *packs, const VtreeDigest *name, GError **error)
{
  char path[VTREE_DIGEST_PATH_MAX], fanout[3] = { 0 };
  g_auto (VtreeFd) fd = -1;
  if (packs->top < 0)
    return true;
  memcpy (fanout, vtree_digest_path (name, path), 2);
  bool ok = vtree_beneath_open_directory (packs->top, fanout, &fd, error)
            && (fd < 0 || vtree_staging_remove_tree (fd, path + 3, error));
  /* Whoever looks at the directory's time shall see it. */
  if (ok && fd >= 0 && futimens (packs->top, NULL) < 0 && errno != EPERM)
    ok = vtree_error_set_errno (error, errno, "set the time of packs/");
  if (!ok)
    g_prefix_error (error, "remove pack %s: ", path);
  return ok;
}
