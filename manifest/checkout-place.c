/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the passes that are seen: names for what was staged, in rounds with a sync after
 * each, then removals and the attributes of directories. Writes no contents.
 */
#include "manifest/checkout-tree.h"

#include "manifest/listing.h"
#include "manifest/remove.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  VtreeCheckoutPlan *plan;
  VtreeCheckoutRound round;
  uint64_t placed;
} Round;

/* --- names ------------------------------------------------------------------------ */

static bool
move (VtreePlace from, VtreePlace to, GError **error)
{
  return renameat (from.dirfd, from.name, to.dirfd, to.name) == 0
         || vtree_error_set_errno (error, errno, "rename it into its place");
}

/* A directory in the place of what is none: they change places, where that is
 * possible. */
static bool
exchange (VtreePlace from, VtreePlace to, GError **error)
{
  if (renameat2 (from.dirfd, from.name, to.dirfd, to.name, RENAME_EXCHANGE) == 0)
    return true;
  if (unlinkat (to.dirfd, to.name, 0) != 0)
    return vtree_error_set_errno (error, errno, "remove what is in its place");
  return move (from, to, error);
}

/* Moves FROM over whatever is at TO. */
static bool
replace (VtreePlace from, VtreePlace to, GError **error)
{
  if (renameat (from.dirfd, from.name, to.dirfd, to.name) == 0)
    return true;
  if (errno == ENOTDIR)
    return exchange (from, to, error);
  if (errno != EISDIR && errno != ENOTEMPTY && errno != EEXIST)
    return vtree_error_set_errno (error, errno, "rename it into its place");
  return vtree_remove (to.dirfd, to.name, error) && move (from, to, error);
}

/* A file that this filesystem takes for the same, but whose name is another, would keep
 * its name. */
static bool
move_aside (Round *round, const VtreeCheckoutName *name, GError **error)
{
  VtreePlace place = name->place;
  char text[VTREE_CHECKOUT_STAGED_MAX];
  if (name->exact
      || faccessat (place.dirfd, place.name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
    return true;
  return move (place, vtree_checkout_staged (round->plan, 'a', name->entry, text),
               error);
}

static bool
place_name (Round *round, const VtreeCheckoutName *name, GError **error)
{
  VtreeCheckoutPlan *plan = round->plan;
  char text[VTREE_CHECKOUT_STAGED_MAX];
  if (plan->rounds[name->entry] != round->round)
    return true;
  VtreePlace staged = vtree_checkout_staged (plan, 't', name->entry, text);
  if (!move_aside (round, name, error) || !replace (staged, name->place, error))
    return false;
  plan->rounds[name->entry] = VTREE_ROUND_NONE;
  round->placed++;
  return true;
}

static bool
place_file (VtreeCheckoutWalk *walk, const VtreeCheckoutName *name, GError **error)
{
  return place_name (walk->context, name, error);
}

/* What is in a new directory has its names already. */
static bool
place_directory (VtreeCheckoutWalk *walk, const VtreeCheckoutName *name, bool *into,
                 GError **error)
{
  Round *round = walk->context;
  *into = round->plan->rounds[name->entry] == VTREE_ROUND_NONE;
  return *into || place_name (round, name, error);
}

static const VtreeCheckoutSteps place_steps
  = { .file = place_file, .directory = place_directory };

static bool
place_round (VtreeCheckoutPlan *plan, VtreeCheckoutRound which, GError **error)
{
  Round round = { .plan = plan, .round = which };
  VtreeCheckoutWalk walk = {
    .state = plan->state, .steps = &place_steps, .context = &round, .compare = true
  };
  bool ok = vtree_checkout_walk (&walk, plan->fd, plan->top, "", error);
  return ok && (round.placed == 0 || vtree_checkout_sync (plan->fd, error));
}

bool
vtree_checkout_place (VtreeCheckoutPlan *plan, GError **error)
{
  return place_round (plan, VTREE_ROUND_NEW, error)
         && place_round (plan, VTREE_ROUND_LAST, error);
}

/* --- removals and directories ----------------------------------------------------- */

/* A filesystem's own directory, which fsck(8) makes again. */
static bool
is_lost_and_found (const VtreeCheckoutWalk *walk, const char *name)
{
  return vtree_checkout_walk_depth (walk) == 0
         && vtree_checkout_is_lost_and_found (vtree_trail_fd (walk->trail), name);
}

/* Whether the manifest's directory has NAME, and it is not left out here. */
static bool
is_wanted (const VtreeCheckoutWalk *walk, const char *name, bool *wanted,
           GError **error)
{
  VtreeView *view = walk->state->view;
  const VtreeDirectory *directory = vtree_checkout_walk_directory (walk);
  VtreeSpan span = { (const uint8_t *) name, strlen (name) };
  VtreeInode inode;
  uint32_t index;
  bool found;
  *wanted = false;
  if (!vtree_view_lookup (view, directory, span, &found, &index, error))
    return false;
  if (!found)
    return true;
  if (!vtree_view_child (view, directory, index, &inode, error))
    return false;
  *wanted = !vtree_checkout_leaves_out (walk->state, &inode);
  return true;
}

static bool
remove_other (VtreeCheckoutWalk *walk, const char *name, GError **error)
{
  bool wanted;
  if (!is_wanted (walk, name, &wanted, error))
    return false;
  if (wanted || is_lost_and_found (walk, name))
    return true;
  if (!vtree_remove (vtree_trail_fd (walk->trail), name, error))
    return false;
  atomic_fetch_add (&walk->state->removed, 1);
  return true;
}

/* Removes what is in the real directory but not in the manifest's. */
static bool
finish_enter (VtreeCheckoutWalk *walk, GError **error)
{
  if (!walk->state->options->update)
    return true;
  g_autoptr (VtreeListing) listing
    = vtree_listing_read (vtree_trail_fd (walk->trail), error);
  if (listing == NULL)
    return false;
  for (size_t i = 0; i < vtree_listing_count (listing); i++) {
    if (!remove_other (walk, vtree_listing_peek (listing, i)->name, error))
      return false;
  }
  return true;
}

static bool
finish_leave (VtreeCheckoutWalk *walk, int fd, const VtreeInode *inode, GError **error)
{
  return vtree_checkout_finish_directory (walk->state, fd, inode, error);
}

static const VtreeCheckoutSteps finish_steps
  = { .enter = finish_enter, .leave = finish_leave };

bool
vtree_checkout_finish (VtreeCheckoutPlan *plan, GError **error)
{
  VtreeCheckoutWalk walk = { .state = plan->state, .steps = &finish_steps };
  return vtree_checkout_walk (&walk, plan->fd, plan->top, "", error)
         && vtree_checkout_sync (plan->fd, error);
}
