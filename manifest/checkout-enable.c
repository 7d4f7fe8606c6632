/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the pass that seals what the first pass has made, by workers. Which files those
 * are it learns from the plan; a file that the update keeps is not looked at.
 */
#include "manifest/checkout-tree.h"

/* What a worker seals. */
typedef struct {
  VtreeInode inode;
  uint32_t number;
  char kind; /* 't' or 'l' and NUMBER in the staging directory; 0: it is in its place */
} Work;

typedef struct {
  VtreeCheckoutPlan *plan;
  VtreeJobs *jobs;
} Enable;

static bool
do_work (void *context, const VtreeJob *job, GError **error)
{
  Enable *enable = context;
  const Work *work = job->data;
  char text[VTREE_CHECKOUT_STAGED_MAX];
  VtreePlace place = { .dirfd = vtree_handle_fd (job->dir), .name = job->name };
  if (work->kind != 0)
    place = vtree_checkout_staged (enable->plan, work->kind, work->number, text);
  if (vtree_checkout_seal (enable->plan->state, place, &work->inode, error))
    return true;
  g_autofree char *shown = vtree_error_escape (job->path, -1);
  g_prefix_error (error, "%s: ", shown);
  return false;
}

/* False with no error once a worker has failed. */
static bool
hand_over (Enable *enable, VtreeHandle *dir, const char *path, const Work *work)
{
  return vtree_jobs_add (enable->jobs, dir, path, g_memdup2 (work, sizeof *work),
                         work->inode.size);
}

static bool
is_alone (const VtreeCheckoutWalk *walk, const VtreeInode *inode)
{
  return S_ISREG (inode->mode) && !vtree_checkout_is_shared (walk->state, inode);
}

/* A new directory. */
static bool
new_file (VtreeCheckoutWalk *walk, const VtreeCheckoutName *name, GError **error)
{
  (void) error;
  Work work = { .inode = name->inode };
  return !is_alone (walk, &name->inode)
         || hand_over (walk->context, vtree_trail_peek (walk->trail), name->path,
                       &work);
}

static const VtreeCheckoutSteps new_steps = { .file = new_file };

static bool
old_file (VtreeCheckoutWalk *walk, const VtreeCheckoutName *name, GError **error)
{
  (void) error;
  Enable *enable = walk->context;
  Work work = { .inode = name->inode, .number = name->entry, .kind = 't' };
  return !is_alone (walk, &name->inode)
         || enable->plan->rounds[name->entry] == VTREE_ROUND_NONE
         || hand_over (enable, vtree_trail_peek (walk->trail), name->path, &work);
}

static bool
old_directory (VtreeCheckoutWalk *walk, const VtreeCheckoutName *name, bool *into,
               GError **error)
{
  (void) error;
  Enable *enable = walk->context;
  *into = enable->plan->rounds[name->entry] == VTREE_ROUND_NONE;
  VtreeCheckoutWalk inner
    = { .state = walk->state, .steps = &new_steps, .context = enable };
  return *into || vtree_checkout_walk_staged (enable->plan, &inner, name);
}

static const VtreeCheckoutSteps old_steps
  = { .file = old_file, .directory = old_directory };

/* The inodes that have several names: each once. */
static bool
enable_linked (Enable *enable)
{
  const VtreeCheckoutPlan *plan = enable->plan;
  for (guint i = 0; i < plan->linked_made->len; i++) {
    const VtreeCheckoutLinked *made
      = &g_array_index (plan->linked_made, VtreeCheckoutLinked, i);
    Work work = { .inode = made->inode, .number = made->inode.index, .kind = 'l' };
    if (S_ISREG (work.inode.mode)
        && !hand_over (enable, plan->staging, made->path, &work))
      return false;
  }
  return true;
}

bool
vtree_checkout_enable (VtreeCheckoutPlan *plan, GError **error)
{
  Enable enable = { .plan = plan };
  VtreeCheckoutWalk walk = { .state = plan->state,
                             .steps = plan->state->fresh ? &new_steps : &old_steps,
                             .context = &enable };
  g_autoptr (GError) failure = NULL;
  enable.jobs
    = vtree_jobs_new (plan->state->options->threads, do_work, g_free, &enable);
  bool walked = vtree_checkout_walk (&walk, plan->fd, plan->top, "", &failure)
                && enable_linked (&enable);
  return vtree_checkout_end_walk (plan, &enable.jobs, walked, &failure, error);
}
