/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The session. Owns: libfuse's objects, its threads and its signal handlers. The
 * callbacks are in ops.c.
 */
#include "fuse/session.h"

#include "core/error.h"
#include "core/pool.h"
#include "fuse/ops.h"
#include "fuse/push.h"
#include "fuse/refuse.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

/* Milliseconds between looks whether the pushing thread has ended. */
#define REFUSE_MOMENT 5

/* One that waits for a disk must not hold up the names that another could answer. */
#define THREADS_MIN 2
/* Each thread that allocates would otherwise have an arena of its own. */
#define ARENAS 2

typedef struct fuse_session Session;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Session, fuse_session_destroy)

typedef struct fuse_loop_config LoopConfig;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopConfig, fuse_loop_cfg_destroy)

/* libfuse's own complaints; its levels are syslog's. */
static void log_library (enum fuse_log_level level, const char *format, va_list args)
  G_GNUC_PRINTF (2, 0);

static void
log_library (enum fuse_log_level level, const char *format, va_list args)
{
  vsyslog ((int) level, format, args);
}

static bool
loop (Session *session, unsigned threads, GError **error)
{
  g_autoptr (LoopConfig) config = fuse_loop_cfg_create ();
  if (config == NULL)
    return vtree_error_set_errno (error, ENOMEM, "serve");
  fuse_loop_cfg_set_clone_fd (config, 0);
  fuse_loop_cfg_set_max_threads (config, threads);
  fuse_loop_cfg_set_idle_threads (config, threads);
  int status = fuse_session_loop_mt (session, config);
  /* Later versions of libfuse return the signal that ended the loop. */
  return status >= 0 || vtree_error_set_errno (error, -status, "serve");
}

/* A signal that whoever started us ignored or blocked ends us all the same. */
static bool
take_signals (Session *session, GError **error)
{
  static const int ends[] = { SIGHUP, SIGINT, SIGTERM };
  sigset_t none;
  for (size_t i = 0; i < G_N_ELEMENTS (ends); i++)
    signal (ends[i], SIG_DFL);
  sigemptyset (&none);
  pthread_sigmask (SIG_SETMASK, &none, NULL);
  return fuse_set_signal_handlers (session) == 0
         || vtree_error_set (error, VTREE_ERROR_FAILED, "serve: no signal handlers");
}

/* Answers the first request, INIT, by ourselves: what it settles decides on privileges,
 * which have to go before there are other threads. */
static bool
initialise (Session *session, const VtreeSessionOptions *options, GError **error)
{
  struct fuse_buf buffer = { 0 };
  int got = fuse_session_receive_buf (session, &buffer);
  if (got > 0)
    fuse_session_process_buf (session, &buffer);
  free (buffer.mem);
  /* Unmounted, or told to end: so the loop will find. */
  return got <= 0 || options->ready (options->ready_context, error);
}

static bool
is_disconnected (int device)
{
  struct pollfd pollfd = { .fd = device };
  return poll (&pollfd, 1, 0) == 1 && (pollfd.revents & POLLERR) != 0;
}

/* The loop's threads may have taken a READ and not answered it, and others wait, for
 * which the pushing thread may wait: what was taken is given up with our descriptor, in
 * whose place another is left for the session to close; the rest is refused. */
static void
end_pushing (VtreePrefetch *prefetch, int device, bool unmounted)
{
  vtree_prefetch_end (prefetch);
  if (unmounted || vtree_prefetch_has_ended (prefetch))
    return;
  g_auto (VtreeFd) own = vtree_refuse_prepare (device);
  g_auto (VtreeFd) null = open ("/dev/null", O_RDWR | O_CLOEXEC);
  if (own < 0 || null < 0 || dup3 (null, device, O_CLOEXEC) < 0)
    return;
  while (!vtree_prefetch_has_ended (prefetch))
    vtree_refuse_next (own, REFUSE_MOMENT);
}

static bool
run (Session *session, const VtreeSessionOptions *options, VtreePrefetch *prefetch,
     bool *unmounted, GError **error)
{
  unsigned threads = MAX (vtree_pool_default_threads (), THREADS_MIN);
  int device = options->device;
  g_autofree char *place = g_strdup_printf ("/dev/fd/%d", device);
  /* From here on the session owns the descriptor. */
  if (fuse_session_mount (session, place) != 0) {
    vtree_fd_close (device);
    return vtree_error_set (error, VTREE_ERROR_FAILED, "serve: libfuse refuses");
  }
  if (!take_signals (session, error))
    return false;
  bool ok = initialise (session, options, error);
  /* The loop alone ends the threads that INIT may have started. */
  if (!ok)
    fuse_session_exit (session);
  ok = loop (session, threads, ok ? error : NULL) && ok;
  *unmounted = is_disconnected (device);
  end_pushing (prefetch, device, *unmounted);
  fuse_remove_signal_handlers (session);
  return ok;
}

static void
later_ends (void *context)
{
  vtree_later_end (context);
}

bool
vtree_session_run_take (const VtreeSessionOptions *options, bool *unmounted,
                        GError **error)
{
  const char *uring = options->io_uring ? vtree_uring_argument () : NULL;
  char *argv[] = { (char *) "vtree", (char *) uring, NULL };
  struct fuse_args args = FUSE_ARGS_INIT (uring != NULL ? 2 : 1, argv);
  g_autoptr (VtreeBuffers) buffers
    = vtree_buffers_new (MAX (vtree_pool_default_threads (), THREADS_MIN));
  g_autoptr (VtreePipes) pipes
    = vtree_pipes_new (MAX (vtree_pool_default_threads (), THREADS_MIN));
  unsigned helpers = vtree_pool_default_threads () - 1;
  g_autoptr (VtreeAhead) ahead
    = helpers > 0 ? vtree_ahead_new (vtree_ops_ahead, options->fs, helpers) : NULL;
  VtreeOps ops = { .fs = options->fs,
                   .buffers = buffers,
                   .pipes = pipes,
                   .ahead = ahead,
                   .passthrough = options->passthrough };
  mallopt (M_ARENA_MAX, ARENAS);
  fuse_set_log_func (log_library);
  g_autoptr (Session) session
    = fuse_session_new (&args, vtree_ops_table (), sizeof *vtree_ops_table (), &ops);
  fuse_opt_free_args (&args);
  if (session == NULL) {
    vtree_fd_close (options->device);
    return vtree_error_set (error, VTREE_ERROR_FAILED, "serve: libfuse refuses");
  }
  VtreePush push
    = { .store = options->store, .log = options->log, .device = options->device };
  g_autoptr (VtreePrefetch) prefetch = NULL;
  if (options->prefetch > 0)
    prefetch
      = vtree_prefetch_new (options->fs, vtree_push_calls (), &push, options->prefetch);
  ops.prefetch = prefetch;
  /* Answers what waits before there is no session any more, nor a prefetch to tell. */
  g_autoptr (VtreeLater) later = vtree_later_new (vtree_ops_later_calls (), &ops);
  ops.later = later;
  g_autoptr (VtreeUring) rings
    = uring != NULL ? vtree_uring_new (later_ends, later) : NULL;
  ops.uring = rings;
  return run (session, options, prefetch, unmounted, error);
}
