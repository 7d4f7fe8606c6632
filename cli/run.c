/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `vtree run`: the active version of a deployment, leased and mounted, and a command in
 * it. Where fusermount3 can't mount, that happens in namespaces of this run's own.
 */
#include "cli/context-words.h"
#include "cli/deployed.h"
#include "cli/mounter.h"
#include "cli/overrides.h"
#include "cli/runtimes.h"
#include "cli/sandbox.h"
#include "cli/supervise.h"
#include "cli/verbs.h"
#include "cli/writable.h"
#include "core/settings.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define U64 "%" G_GUINT64_FORMAT
/* How often an upgrade may come in between. */
#define ATTEMPTS 10

typedef struct {
  VtreeContextWords context;
  gboolean private;
  gboolean system;
  gboolean rebase;
  bool writable;
  char *upper; /* the directory of the changes; NULL: they end with the run */
} RunWords;

static void
run_words_clear (RunWords *words)
{
  vtree_context_words_clear (&words->context);
  g_free (words->upper);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RunWords, run_words_clear)

typedef struct {
  VtreeDeployed deployed;
  VtreeDeployment *deployment;
  const VtreeDeployOrigin *origin; /* of the active version */
  char *files;
  VtreeFd lease;
  VtreeSandbox *sandbox;
  VtreeRuntime runtime; /* if it stands on one */
} Run;

static void
run_clear (Run *run)
{
  vtree_runtime_clear (&run->runtime);
  vtree_sandbox_free (run->sandbox);
  vtree_fd_close (run->lease);
  g_free (run->files);
  g_clear_pointer (&run->deployment, vtree_deployment_free);
  vtree_deployed_clear (&run->deployed);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

/* --- the lease -------------------------------------------------------------------- */

static bool
load_active (Run *run, const char *name, GError **error)
{
  const VtreeDeployedVersion *active;

  g_clear_pointer (&run->deployment, vtree_deployment_free);
  run->deployment = vtree_deployments_load (run->deployed.all, name, error);
  if (run->deployment == NULL)
    return false;
  if (!run->deployment->has_active)
    return vtree_error_set (error, VTREE_ERROR_MISSING,
                            "'%s' has no active version; deploy it again", name);
  active = vtree_deployment_find (run->deployment, run->deployment->active);
  run->origin = active->origin;
  return true;
}

/* Leases the active version; it may change until we have it. */
static bool
take_lease (Run *run, const char *name, GError **error)
{
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    uint64_t version;

    if (!load_active (run, name, error))
      return false;
    version = run->origin->version;
    if (!vtree_deployments_lease (run->deployed.all, name, version, &run->lease, error))
      return false;
    if (run->lease >= 0 && load_active (run, name, error)
        && run->origin->version == version)
      return true;
    vtree_fd_replace_take (&run->lease, -1);
    g_clear_error (error);
  }
  return vtree_error_set (error, VTREE_ERROR_BUSY,
                          "'%s' changes all the time: try again", name);
}

/* --- the mount -------------------------------------------------------------------- */

/* Only root's own program, with root's rights, mounts for others. */
static bool
can_fusermount (void)
{
  g_autofree char *path = g_find_program_in_path ("fusermount3");
  struct stat st;

  return geteuid () == 0
         || (path != NULL && stat (path, &st) == 0 && st.st_uid == 0
             && (st.st_mode & S_ISUID) != 0);
}

static bool
mount_version (const Run *run, GError **error)
{
  const VtreeDeployOrigin *origin = run->origin;
  char digest[VTREE_DIGEST_TEXT_MAX];
  g_autofree char *source
    = g_strdup_printf ("%s:%s@" U64, origin->repository, origin->ref, origin->version);
  /* What was deployed may be older than the mark, and may have expired since. */
  g_autofree char *options = g_strdup_printf (
    "digest=%s,force", vtree_digest_format (&origin->manifest, digest));

  /* The helper does not know where it comes from. */
  g_autoptr (VtreeRepo) repo
    = vtree_deployed_open_origin (run->deployment->name, origin, error);

  if (repo != NULL
      && vtree_mounter_mount (run->deployed.cli, source, run->files, options, error))
    return true;
  g_prefix_error (error, "mount version " U64 ": ", origin->version);
  return false;
}

/* Mounts it unless it is mounted; in the namespace that everybody sees. */
static bool
mount_shared (const Run *run, GError **error)
{
  bool mounted;
  g_auto (VtreeFd) lock = -1;

  if (!vtree_deployments_lock_version (run->deployed.all, run->deployment->name,
                                       run->origin->version, run->deployed.cli->wait,
                                       &lock, error))
    return false;
  return vtree_mounter_look (run->deployed.cli, run->files, &mounted, error)
         && (mounted || mount_version (run, error))
         && vtree_mounter_check (run->files, &run->origin->manifest, error);
}

/* --- the command ------------------------------------------------------------------ */

static bool
add_word (void *data, VtreeContextKind kind, const char *word, GError **error)
{
  return vtree_context_add (data, kind, word, error);
}

/* What vtree.ini, overrides and options say, in this order. The tree is as it was
 * signed yet: what a run has written into a layer on it can't ask for anything. */
static bool
load_words (Run *run, const RunWords *words, GError **error)
{
  VtreeContext *context;

  run->sandbox = vtree_sandbox_new (run->files);
  context = vtree_sandbox_context (run->sandbox);
  if (!vtree_sandbox_load (run->sandbox, error)
      || !vtree_overrides_load (run->deployed.paths, run->deployment->name, context,
                                error)
      || !vtree_context_words_each (&words->context, add_word, context, error))
    return false;
  return !vtree_sandbox_is_root (run->sandbox)
         || vtree_context_runtime (context) == NULL
         || vtree_error_set (error, VTREE_ERROR_INVALID,
                             "--runtime=%s: the tree has its own /usr and is the root; "
                             "only one that is /app stands on a runtime",
                             vtree_context_runtime (context));
}

/* Finds out what the sandbox is to be, and mounts what that needs. */
static bool
prepare (Run *run, const RunWords *words, bool private, GError **error)
{
  const VtreeRuntimeMode mode
    = { &run->deployed, run->deployment->name, run->origin, private };
  const char *ref;

  if (!load_words (run, words, error))
    return false;
  ref = vtree_context_runtime (vtree_sandbox_context (run->sandbox));
  if (ref == NULL)
    return true;
  if (!vtree_runtime_mount (&mode, ref, &run->runtime, error))
    return false;
  if (vtree_sandbox_set_runtime (run->sandbox, run->runtime.files, error))
    return true;
  g_prefix_error (error, "runtime %s: ", ref);
  return false;
}

static bool
start (const Run *run, const RunWords *words, char **command, int *status,
       GError **error)
{
  g_autofree char *bwrap = g_find_program_in_path ("bwrap");
  g_auto (GStrv) argv = NULL;

  if (words->writable)
    vtree_sandbox_set_writable (run->sandbox);
  if (bwrap == NULL)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "bwrap is not installed (package bubblewrap)");
  argv = vtree_sandbox_argv (run->sandbox, command, error);
  return argv != NULL && vtree_supervise (argv, status, error);
}

/* --writable[=DIR] */
static gboolean
parse_writable (const char *name G_GNUC_UNUSED, const char *value, gpointer data,
                GError **error G_GNUC_UNUSED)
{
  RunWords *words = data;

  words->writable = true;
  g_free (words->upper);
  words->upper = value != NULL && value[0] != '\0' ? g_strdup (value) : NULL;
  return TRUE;
}

/* GOption would take the word behind a bare --writable for its value. */
static void
end_bare_writable (VtreeCli *cli)
{
  for (char **word = cli->words; *word != NULL && strcmp (*word, "--") != 0; word++)
    if (strcmp (*word, "--writable") == 0) {
      g_free (*word);
      *word = g_strdup ("--writable=");
    }
}

/* The layer of this run, before the tree hides FILES. */
static bool
open_layer (const Run *run, const RunWords *words, VtreeWritable *layer, GError **error)
{
  if (!words->writable)
    return true;
  return words->upper != NULL
           ? vtree_writable_open (layer, words->upper, error)
           : vtree_writable_open_temporary (layer, run->files, error);
}

/* Puts the layer on the tree, in the namespaces of this run. */
static bool
mount_layer (const Run *run, const RunWords *words, VtreeWritable *layer,
             GError **error)
{
  return !words->writable
         || (vtree_writable_claim (layer, run->origin->repository,
                                   &run->origin->manifest, words->rebase != FALSE,
                                   error)
             && vtree_writable_mount (layer, run->files, run->files, true, error));
}

/* Trust, settings and overrides, before the owners of their files can't be seen any
 * more; inside it is read again. */
static bool
check_outside (const Run *run, GError **error)
{
  const VtreeDeployOrigin *origin = run->origin;
  const VtreePaths *paths = run->deployed.paths;
  const VtreeRefSpec spec
    = { .name = origin->ref, .has_version = true, .version = origin->version };
  const VtreeResolveOptions options
    = { .paths = paths, .digest = &origin->manifest, .force = true };
  g_autoptr (VtreeRepo) repo
    = vtree_deployed_open_origin (run->deployment->name, origin, error);
  g_autoptr (VtreeContext) context = vtree_context_new ();
  g_autoptr (GPtrArray) settings = NULL;
  g_autoptr (VtreeResolved) resolved = NULL;

  if (repo == NULL)
    return false;
  settings = vtree_settings_mount_options (paths, error);
  resolved = settings != NULL ? vtree_resolve (repo, &spec, &options, error) : NULL;
  if (resolved == NULL) {
    g_prefix_error (error, "mount version " U64 ": ", origin->version);
    return false;
  }
  return vtree_overrides_load (paths, run->deployment->name, context, error);
}

/* In namespaces of its own; outside of them there is nothing to do but to wait. */
static bool
run_private (Run *run, const RunWords *words, char **command, int *status,
             GError **error)
{
  g_auto (VtreeWritable) layer = VTREE_WRITABLE_INIT;
  bool outside;

  if (!check_outside (run, error)
      || !vtree_supervise_namespace (&outside, status, error))
    return false;
  if (outside)
    return true;
  g_setenv (VTREE_PATHS_CHECKED_ENV, "1", TRUE);
  return open_layer (run, words, &layer, error)
         && vtree_supervise_allow_mount (true, error) && mount_version (run, error)
         && prepare (run, words, true, error)
         && vtree_supervise_allow_mount (false, error)
         && mount_layer (run, words, &layer, error)
         && start (run, words, command, status, error);
}

/* The system's mount point is root's: a user takes what root has mounted there. */
static bool
is_private (const Run *run, const RunWords *words)
{
  if (words->private || words->writable || !can_fusermount ())
    return true;
  return geteuid () != 0 && run->deployed.system
         && !vtree_mounter_check (run->files, &run->origin->manifest, NULL);
}

/* What is leased, by the way of mounting that there is. */
static bool
run_version (Run *run, const RunWords *words, VtreeCli *cli, GError **error)
{
  char **command = cli->args + 1;

  if (is_private (run, words)
        ? run_private (run, words, command, &cli->status, error)
        : mount_shared (run, error) && prepare (run, words, false, error)
            && start (run, words, command, &cli->status, error))
    return true;
  g_prefix_error (error, "%s: ", run->deployment->name);
  return false;
}

static bool
check_words (VtreeCli *cli, const RunWords *words, GError **error)
{
  if (!words->rebase || words->upper != NULL)
    return true;
  cli->misused = true;
  return vtree_error_set (error, VTREE_ERROR_INVALID,
                          "--rebase is for the changes of --writable=DIR");
}

/* False: what is not NAME of this user's may be the system's. */
static bool
hint_system (const char *name, GError **error)
{
  g_autoptr (VtreePaths) root = vtree_paths_new_for_system ("");

  if (!g_error_matches (*error, VTREE_ERROR, VTREE_ERROR_MISSING)
      || !vtree_deployed_has (vtree_paths_deploy (root), name))
    return false;
  g_clear_error (error);
  return vtree_error_set (error, VTREE_ERROR_MISSING,
                          "'%s' is a deployment of the system: `vtree run --system %s`",
                          name, name);
}

bool
vtree_verb_run (VtreeCli *cli, GError **error)
{
  g_auto (RunWords) words = { .private = FALSE };
  g_autoptr (GArray) entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  const GOptionEntry own[]
    = { { "private-mount", 0, 0, G_OPTION_ARG_NONE, &words.private,
          "Mount in a namespace of this run's own, without fusermount3", NULL },
        { "system", 0, 0, G_OPTION_ARG_NONE, &words.system,
          "A deployment of the system (root's default)", NULL },
        { "writable", 0, G_OPTION_FLAG_OPTIONAL_ARG, G_OPTION_ARG_CALLBACK,
          (gpointer) parse_writable,
          "Let the command change the tree: kept in DIR, or without =DIR till it ends",
          "DIR" },
        { "rebase", 0, 0, G_OPTION_ARG_NONE, &words.rebase,
          "Put DIR's changes on this tree, although they were made to another",
          NULL } };
  g_auto (Run) run = { .lease = -1, .runtime = VTREE_RUNTIME_INIT };

  cli->option_data = &words;
  end_bare_writable (cli);
  g_array_append_vals (entries, own, G_N_ELEMENTS (own));
  vtree_context_words_add (&words.context, entries);
  if (!vtree_cli_parse (cli, (const GOptionEntry *) entries->data, error)
      || !check_words (cli, &words, error)
      || !vtree_deployed_open (cli, words.system != FALSE, VTREE_DEPLOYMENTS_LOOK,
                               &run.deployed, error))
    return false;
  if (!take_lease (&run, cli->args[0], error))
    return !run.deployed.system && hint_system (cli->args[0], error);
  run.files
    = vtree_deployments_files (run.deployed.all, cli->args[0], run.origin->version);
  vtree_context_words_note_missing (&words.context, cli);
  return run_version (&run, &words, cli, error);
}
