/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the plan that the passes of a checkout share, their order, and the staging
 * directory: nothing of it is left. What a pass does is in a file of its own.
 */
#include "manifest/checkout-tree.h"

#include "manifest/checkout-staging.h"
#include "manifest/listing.h"
#include "manifest/remove.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- what passes share ------------------------------------------------------------ */

VtreePlace
vtree_checkout_staged (const VtreeCheckoutPlan *plan, char kind, uint32_t number,
                       char text[VTREE_CHECKOUT_STAGED_MAX])
{
  snprintf (text, VTREE_CHECKOUT_STAGED_MAX, "%c%u", kind, number);
  return (VtreePlace){ .dirfd = vtree_handle_fd (plan->staging), .name = text };
}

static int
open_staged (const VtreeCheckoutPlan *plan, const VtreeCheckoutName *name,
             GError **error)
{
  char text[VTREE_CHECKOUT_STAGED_MAX];
  VtreePlace staged = vtree_checkout_staged (plan, 't', name->entry, text);
  int fd = openat (staged.dirfd, staged.name,
                   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    vtree_error_set_errno (error, errno, "open the new directory");
  return fd;
}

bool
vtree_checkout_walk_staged (VtreeCheckoutPlan *plan, VtreeCheckoutWalk *walk,
                            const VtreeCheckoutName *name)
{
  g_auto (VtreeFd) fd = open_staged (plan, name, &plan->failure);
  return fd >= 0
         && vtree_checkout_walk (walk, fd, &name->inode, name->path, &plan->failure);
}

bool
vtree_checkout_end_walk (VtreeCheckoutPlan *plan, VtreeJobs **jobs, bool walked,
                         GError **failure, GError **error)
{
  g_autoptr (GError) work_failure = NULL;
  bool worked = vtree_jobs_finish (jobs, &work_failure);
  if (*failure != NULL)
    g_propagate_error (error, g_steal_pointer (failure));
  else if (plan->failure != NULL)
    g_propagate_error (error, g_steal_pointer (&plan->failure));
  else if (work_failure != NULL)
    g_propagate_error (error, g_steal_pointer (&work_failure));
  return walked && worked;
}

bool
vtree_checkout_is_lost_and_found (int fd, const char *name)
{
  struct statx stx;
  struct stat st;
  return strcmp (name, "lost+found") == 0 && statx (fd, "", AT_EMPTY_PATH, 0, &stx) == 0
         && (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0
         && fstatat (fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR (st.st_mode);
}

bool
vtree_checkout_sync (int fd, GError **error)
{
  return syncfs (fd) == 0
         || vtree_error_set_errno (error, errno, "sync the filesystem");
}

/* --- the plan --------------------------------------------------------------------- */

static bool
has_name (void *context, const char *name)
{
  const VtreeCheckoutPlan *plan = context;
  VtreeDirectory directory;
  VtreeSpan span = { (const uint8_t *) name, strlen (name) };
  bool found = false;
  uint32_t inode;
  return vtree_view_directory (plan->state->view, plan->top, &directory, NULL)
         && vtree_view_lookup (plan->state->view, &directory, span, &found, &inode,
                               NULL)
         && found;
}

/* In a target that is there, all abandoned staging directories go first: a small
 * filesystem may need their room. */
static bool
make_staging (VtreeCheckoutPlan *plan, GError **error)
{
  if (!plan->state->fresh)
    vtree_checkout_staging_clean (plan->fd, has_name, plan);
  int fd
    = vtree_checkout_staging_make (plan->fd, has_name, plan, plan->staging_name, error);
  if (fd < 0)
    return false;
  plan->staging = vtree_handle_new_take (fd);
  return true;
}

static bool
make_rounds (VtreeCheckoutPlan *plan, GError **error)
{
  uint32_t entries = vtree_view_totals (plan->state->view)->entries;
  plan->rounds = plan->state->fresh ? NULL : g_try_malloc0 ((gsize) entries + 1);
  return plan->state->fresh || plan->rounds != NULL
         || vtree_error_set (error, VTREE_ERROR_LIMIT, "no memory for %u names",
                             entries);
}

static void
clear_linked (gpointer data)
{
  g_free (((VtreeCheckoutLinked *) data)->path);
}

static bool
write_all (VtreeCheckoutPlan *plan, GError **error)
{
  VtreeCheckoutState *state = plan->state;
  if (!vtree_checkout_prepare (state, vtree_handle_fd (plan->staging), error)
      || !vtree_checkout_admit (state, plan->top, error)
      || !vtree_checkout_stage (plan, error))
    return false;
  bool made = atomic_load (&state->files) > 0;
  if (made && (state->seal || !plan->state->fresh)
      && !vtree_checkout_sync (plan->fd, error))
    return false;
  return (!made || !state->seal || vtree_checkout_enable (plan, error))
         && (plan->state->fresh || vtree_checkout_place (plan, error));
}

static bool
run (VtreeCheckoutPlan *plan, GError **error)
{
  bool ok = make_rounds (plan, error) && make_staging (plan, error)
            && write_all (plan, error);
  /* The error that stopped the work is worth more than one of the tidying. */
  if (plan->staging != NULL
      && !vtree_remove (plan->fd, plan->staging_name, ok ? error : NULL))
    return false;
  return ok && vtree_checkout_finish (plan, error);
}

bool
vtree_checkout_tree (VtreeCheckoutState *state, int fd, const VtreeInode *top,
                     GError **error)
{
  VtreeCheckoutPlan plan = { .state = state, .top = top, .fd = fd };
  plan.linked = g_hash_table_new (g_direct_hash, g_direct_equal);
  plan.linked_made = g_array_new (FALSE, FALSE, sizeof (VtreeCheckoutLinked));
  g_array_set_clear_func (plan.linked_made, clear_linked);
  bool ok = run (&plan, error);
  vtree_handle_unref (plan.staging);
  g_free (plan.rounds);
  g_hash_table_unref (plan.linked);
  g_array_unref (plan.linked_made);
  g_clear_error (&plan.failure);
  return ok;
}
