/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the pass that makes files: all of a new directory in their places, and what is
 * missing or wrong in an existing one in the staging directory. Gives no existing name
 * to anything.
 */
#include "manifest/checkout-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_EVERY 256

typedef struct {
  VtreeCheckoutPlan *plan;
  VtreeJobs *jobs;
  bool refers; /* the new directory that is being made has a file that does */
  uint64_t entries;
} Stage;

/* What a worker does. */
typedef struct {
  VtreeInode inode;
  uint32_t entry;
  enum {
    MAKE,   /* it at its place */
    FILL,   /* its l<inode> */
    UPDATE, /* compare, and stage it */
  } kind;
  bool exact;   /* the place's directory has that very name, or there is no telling */
  bool further; /* it is one more name of an inode, where there are no hard links */
} Work;

/* Whether a boot loader, or who follows a symlink, finds others by this name. */
static bool
refers (const char *name, const VtreeInode *inode)
{
  size_t length = strlen (name);
  return S_ISLNK (inode->mode)
         || (length > 5 && g_ascii_strcasecmp (name + length - 5, ".conf") == 0)
         || (length > 4 && g_ascii_strcasecmp (name + length - 4, ".cfg") == 0);
}

/* --- single names ----------------------------------------------------------------- */

/* What is at PLACE now. */
typedef struct {
  bool there;
  bool keep; /* it is INODE already, and no other name outside can see it */
} Found;

static bool
look (VtreeCheckoutState *state, VtreePlace place, const VtreeInode *inode, bool exact,
      Found *found, GError **error)
{
  struct stat st;
  *found = (Found){ .there = false };
  if (fstatat (place.dirfd, place.name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT || vtree_error_set_errno (error, errno, "look at it");
  found->there = true;
  if (!exact)
    return true;
  if (!vtree_checkout_is_linked (state, &st, inode, &found->keep, error))
    return false;
  bool shared = vtree_checkout_is_shared (state, inode);
  if (found->keep || st.st_nlink != (shared ? inode->nlink : 1))
    return true;
  return vtree_checkout_is_equal (state, place, &st, inode, &found->keep, error);
}

static uint8_t
choose_round (const char *name, const VtreeInode *inode, bool there)
{
  return there || refers (name, inode) ? VTREE_ROUND_LAST : VTREE_ROUND_NEW;
}

static bool
make (VtreeCheckoutState *state, VtreePlace place, const Work *work, GError **error)
{
  if (!vtree_checkout_make (state, place, &work->inode, error))
    return false;
  if (work->further)
    atomic_fetch_add (&state->copies, 1);
  return true;
}

static bool
update (VtreeCheckoutPlan *plan, VtreePlace place, const Work *work, GError **error)
{
  Found found;
  if (!look (plan->state, place, &work->inode, work->exact, &found, error))
    return false;
  if (found.keep) {
    atomic_fetch_add (&plan->state->kept, 1);
    return true;
  }
  char text[VTREE_CHECKOUT_STAGED_MAX];
  plan->rounds[work->entry] = choose_round (place.name, &work->inode, found.there);
  return make (plan->state, vtree_checkout_staged (plan, 't', work->entry, text), work,
               error);
}

static bool
do_one (VtreeCheckoutPlan *plan, VtreePlace place, const Work *work, GError **error)
{
  if (work->kind == UPDATE)
    return update (plan, place, work, error);
  if (work->kind == MAKE)
    return make (plan->state, place, work, error);
  char text[VTREE_CHECKOUT_STAGED_MAX];
  return vtree_checkout_fill (
    plan->state, vtree_checkout_staged (plan, 'l', work->inode.index, text),
    &work->inode, error);
}

static bool
do_work (void *context, const VtreeJob *job, GError **error)
{
  Stage *stage = context;
  VtreePlace place = { .dirfd = vtree_handle_fd (job->dir), .name = job->name };
  if (do_one (stage->plan, place, job->data, error))
    return true;
  g_autofree char *shown = vtree_error_escape (job->path, -1);
  g_prefix_error (error, "%s: ", shown);
  return false;
}

/* False with no error once a worker has failed. */
static bool
hand_over (Stage *stage, VtreeCheckoutWalk *walk, const VtreeCheckoutName *name,
           const Work *work)
{
  return vtree_jobs_add (stage->jobs, vtree_trail_peek (walk->trail), name->path,
                         g_memdup2 (work, sizeof *work), work->inode.size);
}

/* --- inodes with several names ---------------------------------------------------- */

static bool
link_to (VtreePlace from, VtreePlace to, GError **error)
{
  return linkat (from.dirfd, from.name, to.dirfd, to.name, 0) == 0
         || vtree_error_set_errno (error, errno, "link it");
}

/* Makes the inode's l<inode>: by a link to what is at NAME's place, if that is it. */
static bool
stage_inode (Stage *stage, VtreeCheckoutWalk *walk, const VtreeCheckoutName *name,
             VtreePlace staged, const Work *work, GError **error)
{
  Found found = { .keep = false };
  if (work->kind == UPDATE
      && !look (walk->state, name->place, &name->inode, work->exact, &found, error))
    return false;
  if (found.keep)
    return link_to (name->place, staged, error);
  VtreeCheckoutLinked made = { .inode = name->inode, .path = g_strdup (name->path) };
  g_array_append_val (stage->plan->linked_made, made);
  if (!S_ISREG (name->inode.mode))
    return vtree_checkout_make (walk->state, staged, &name->inode, error);
  Work fill = { .inode = name->inode, .kind = FILL };
  return vtree_checkout_reserve (staged, error) && hand_over (stage, walk, name, &fill);
}

/* Gives it a further name: at once where nobody looks. */
static bool
stage_name (VtreeCheckoutPlan *plan, const VtreeCheckoutName *name, VtreePlace staged,
            const Work *work, GError **error)
{
  if (work->kind == MAKE)
    return link_to (staged, name->place, error);
  struct stat st;
  struct stat old;
  if (fstatat (staged.dirfd, staged.name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return vtree_error_set_errno (error, errno, "look at it");
  bool there
    = fstatat (name->place.dirfd, name->place.name, &old, AT_SYMLINK_NOFOLLOW) == 0;
  if (there && work->exact && old.st_ino == st.st_ino && old.st_dev == st.st_dev) {
    atomic_fetch_add (&plan->state->kept, 1);
    return true;
  }
  char text[VTREE_CHECKOUT_STAGED_MAX];
  plan->rounds[name->entry] = choose_round (name->place.name, &name->inode, there);
  return link_to (staged, vtree_checkout_staged (plan, 't', name->entry, text), error);
}

static bool
stage_shared (Stage *stage, VtreeCheckoutWalk *walk, const VtreeCheckoutName *name,
              const Work *work, GError **error)
{
  char text[VTREE_CHECKOUT_STAGED_MAX];
  VtreePlace staged = vtree_checkout_staged (stage->plan, 'l', name->inode.index, text);
  gpointer key = GUINT_TO_POINTER (name->inode.index);
  if (g_hash_table_add (stage->plan->linked, key)
      && !stage_inode (stage, walk, name, staged, work, error))
    return false;
  return stage_name (stage->plan, name, staged, work, error);
}

/* --- the steps of the walks ------------------------------------------------------- */

static void
tell_progress (Stage *stage)
{
  const VtreeCheckoutState *state = stage->plan->state;
  if (state->options->progress != NULL && stage->entries++ % PROGRESS_EVERY == 0)
    state->options->progress (state->options->progress_context,
                              atomic_load (&state->files), atomic_load (&state->bytes));
}

static bool
stage_file (VtreeCheckoutWalk *walk, const VtreeCheckoutName *name, Work *work,
            GError **error)
{
  Stage *stage = walk->context;
  tell_progress (stage);
  work->inode = name->inode;
  work->entry = name->entry;
  if (vtree_checkout_is_shared (walk->state, &name->inode))
    return stage_shared (stage, walk, name, work, error);
  work->further
    = name->inode.nlink > 1
      && !g_hash_table_add (stage->plan->linked, GUINT_TO_POINTER (name->inode.index));
  if (S_ISREG (name->inode.mode))
    return hand_over (stage, walk, name, work);
  return do_one (stage->plan, name->place, work, error);
}

static bool
build_file (VtreeCheckoutWalk *walk, const VtreeCheckoutName *name, GError **error)
{
  Stage *stage = walk->context;
  Work work = { .kind = MAKE };
  stage->refers = stage->refers || refers (name->place.name, &name->inode);
  return stage_file (walk, name, &work, error);
}

static bool
make_directory (VtreeCheckoutState *state, VtreePlace place, GError **error)
{
  if (mkdirat (place.dirfd, place.name, 0700) != 0)
    return vtree_error_set_errno (error, errno, "make the directory");
  atomic_fetch_add (&state->files, 1);
  return true;
}

static bool
build_directory (VtreeCheckoutWalk *walk, const VtreeCheckoutName *name, bool *into,
                 GError **error)
{
  *into = true;
  return make_directory (walk->state, name->place, error);
}

static const VtreeCheckoutSteps build_steps
  = { .file = build_file, .directory = build_directory };

static bool
update_file (VtreeCheckoutWalk *walk, const VtreeCheckoutName *name, GError **error)
{
  Work work = { .kind = UPDATE, .exact = name->exact };
  return stage_file (walk, name, &work, error);
}

/* The directory that is there, its owner's to write in. */
static bool
permit (const VtreeCheckoutState *state, VtreePlace place, const struct stat *st,
        GError **error)
{
  if (state->euid == 0 || !state->ability.modes || (st->st_mode & S_IRWXU) == S_IRWXU)
    return true;
  mode_t mode = (st->st_mode & 07777) | S_IRWXU;
  return fchmodat (place.dirfd, place.name, mode, AT_SYMLINK_NOFOLLOW) == 0
         || vtree_error_set_errno (error, errno, "make it writable");
}

/* A directory that is not there, with all that is in it. */
static bool
stage_directory (VtreeCheckoutWalk *walk, const VtreeCheckoutName *name, bool there,
                 GError **error)
{
  Stage *stage = walk->context;
  char text[VTREE_CHECKOUT_STAGED_MAX];
  VtreePlace staged = vtree_checkout_staged (stage->plan, 't', name->entry, text);
  VtreeCheckoutWalk inner
    = { .state = walk->state, .steps = &build_steps, .context = stage };
  stage->refers = false;
  if (!make_directory (walk->state, staged, error)
      || !vtree_checkout_walk_staged (stage->plan, &inner, name))
    return false;
  stage->plan->rounds[name->entry]
    = there || stage->refers ? VTREE_ROUND_LAST : VTREE_ROUND_NEW;
  return true;
}

static bool
update_directory (VtreeCheckoutWalk *walk, const VtreeCheckoutName *name, bool *into,
                  GError **error)
{
  VtreePlace place = name->place;
  struct stat st = { .st_mode = 0 };
  bool there = fstatat (place.dirfd, place.name, &st, AT_SYMLINK_NOFOLLOW) == 0;
  if (!there && errno != ENOENT)
    return vtree_error_set_errno (error, errno, "look at it");
  *into = S_ISDIR (st.st_mode) && name->exact;
  return *into ? permit (walk->state, place, &st, error)
               : stage_directory (walk, name, there, error);
}

static const VtreeCheckoutSteps update_steps
  = { .file = update_file, .directory = update_directory };

bool
vtree_checkout_stage (VtreeCheckoutPlan *plan, GError **error)
{
  Stage stage = { .plan = plan };
  VtreeCheckoutWalk walk = { .state = plan->state,
                             .steps = plan->state->fresh ? &build_steps : &update_steps,
                             .context = &stage,
                             .compare = !plan->state->fresh };
  g_autoptr (GError) failure = NULL;
  stage.jobs = vtree_jobs_new (plan->state->options->threads, do_work, g_free, &stage);
  bool walked = vtree_checkout_walk (&walk, plan->fd, plan->top, "", &failure);
  bool ok = vtree_checkout_end_walk (plan, &stage.jobs, walked, &failure, error);
  return ok;
}
