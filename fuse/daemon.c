/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's life. Owns: its processes and the pipe through which it reports that it
 * serves (a newline), or why it can't (the message), to the helper that waits.
 */
#include "fuse/daemon.h"

#include "core/pool.h"
#include "fuse/backing.h"
#include "fuse/channel.h"
#include "fuse/keeper.h"
#include "fuse/prefetch.h"
#include "fuse/privilege.h"
#include "fuse/readahead.h"
#include "fuse/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORT_MAX 4096

/* The daemon's end of the pipe. */
typedef struct {
  VtreeFd fd;
} Report;

/* An end of file tells the rest. */
static void
report_take (Report *report, const char *text)
{
  if (report->fd < 0)
    return;
  ssize_t written = write (report->fd, text, MIN (strlen (text), REPORT_MAX));
  (void) written;
  vtree_fd_replace_take (&report->fd, -1);
}

static VtreeFsIdentity
identify (const VtreeDaemonOptions *options, char key[VTREE_KEY_ID_TEXT_MAX])
{
  const VtreeResolved *resolved = options->origin->resolved;
  const VtreeStatement *statement = resolved != NULL ? resolved->statement : NULL;
  VtreeFsIdentity identity = { .ref = "",
                               .key = "",
                               .source = options->source,
                               .manifest = options->origin->manifest,
                               .enforcer = options->origin->enforcer };
  if (statement == NULL)
    return identity;
  identity.is_signed = true;
  identity.ref = statement->ref;
  identity.key = vtree_key_id_format (&resolved->key, key);
  identity.version = statement->version;
  identity.created = statement->created;
  identity.expires = statement->expires;
  return identity;
}

static void
log_notes (const VtreeDaemonOptions *options)
{
  for (guint i = 0; i < options->notes->len; i++)
    vtree_log_write (options->log, VTREE_LOG_WARNING, "mount %s on %s: %s",
                     options->source, options->dir,
                     (const char *) options->notes->pdata[i]);
}

/* Registering files for passthrough needs CAP_SYS_ADMIN; nothing else does. */
static VtreeKeep
kept_privileges (const VtreeDaemonOptions *options, bool passthrough)
{
  VtreeKeep keep = VTREE_KEEP_NOTHING;
  if (vtree_origin_needs_privilege (options->origin))
    keep |= VTREE_KEEP_READ;
  if (passthrough)
    keep |= VTREE_KEEP_MOUNT;
  return keep;
}

/* Should who started us die, we end as if told to. Since we may have been too late for
 * that, PARENT must be the same still. */
static bool
follow_parent (pid_t parent, GError **error)
{
  if (prctl (PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) != 0)
    return vtree_error_set_errno (error, errno, "follow the parent process");
  return getppid () == parent
         || vtree_error_set (error, VTREE_ERROR_FAILED, "the parent process has ended");
}

/* What the kernel serves by itself has no place in its page cache for what is pushed.
 * On one processor there is nobody to do it beside the reader. */
static uint64_t
bytes_to_push (const VtreeMountOptions *options)
{
  if (options->io == VTREE_IO_PASSTHROUGH || options->prefetch == VTREE_PREFETCH_OFF)
    return 0;
  if (options->prefetch == VTREE_PREFETCH_BYTES)
    return options->prefetch_bytes;
  return vtree_pool_default_threads () > 1 ? VTREE_PREFETCH_AUTO : 0;
}

static bool
confine (const VtreeDaemonOptions *options, bool passthrough, GError **error)
{
  setsid ();
  umask (077);
  /* A thread of ours may wait for a READ: see push.h. */
  bool pushes = bytes_to_push (options->options) > 0;
  return vtree_privilege_drop (kept_privileges (options, passthrough), error)
         && vtree_privilege_no_new (error)
         && (!pushes || vtree_privilege_no_core (error))
         && vtree_privilege_detach (error);
}

/* What is told when the connection stands. */
typedef struct {
  const VtreeDaemonOptions *options;
  VtreePassthrough *passthrough; /* NULL: not asked for */
  Report *report;
} Standing;

static bool
settle (void *context, GError **error)
{
  const Standing *standing = context;
  VtreePassthrough *passthrough = standing->passthrough;
  /* Now it is known what the kernel and libfuse can do. */
  if (passthrough != NULL && !vtree_passthrough_is_on (passthrough)
      && !vtree_privilege_drop (kept_privileges (standing->options, false), error))
    return false;
  report_take (standing->report, "\n");
  return true;
}

/* NULL where it is not asked for. */
static VtreePassthrough *
make_passthrough (const VtreeDaemonOptions *options, VtreeFs *fs)
{
  static const VtreeBackingCalls calls
    = { vtree_backing_register, vtree_backing_forget };
  if (options->options->io != VTREE_IO_PASSTHROUGH)
    return NULL;
  VtreePassthrough *passthrough
    = vtree_passthrough_new (&calls, options->device, fs, options->log);
  if (!vtree_privilege_has (VTREE_KEEP_MOUNT))
    vtree_passthrough_give_up (passthrough, "the daemon has no CAP_SYS_ADMIN");
  return passthrough;
}

static bool
serve (const VtreeDaemonOptions *options, Report *report, bool *unmounted,
       GError **error)
{
  char key[VTREE_KEY_ID_TEXT_MAX];
  VtreeFsOptions fs_options = options->fs;
  VtreeFsIdentity identity = identify (options, key);
  unsigned threads = MAX (vtree_pool_default_threads (), 2); /* the session's */
  fs_options.descriptors
    = vtree_cache_capacity (vtree_privilege_raise_files (), threads);
  bool wants_passthrough = options->options->io == VTREE_IO_PASSTHROUGH;
  if (!confine (options, wants_passthrough, error)
      || (options->parent > 0 && !follow_parent (options->parent, error)))
    return false;
  g_autoptr (VtreeFs) fs = vtree_fs_new (options->origin->view, options->origin->store,
                                         options->log, &identity, &fs_options);
  g_autoptr (VtreePassthrough) passthrough = make_passthrough (options, fs);
  Standing standing = { options, passthrough, report };
  VtreeSessionOptions session
    = { .fs = fs,
        .passthrough = passthrough,
        .store = options->origin->store,
        .log = options->log,
        .prefetch = bytes_to_push (options->options),
        .io_uring = options->options->io_uring == VTREE_IO_URING_AUTO,
        .device = options->device,
        .ready = settle,
        .ready_context = &standing };
  return vtree_session_run_take (&session, unmounted, error);
}

/* The daemon's process, from its beginning to its exit status. */
static int
run (const VtreeDaemonOptions *options, int report_fd, int keeper_fd)
{
  g_autoptr (GError) error = NULL;
  Report report = { report_fd };
  bool unmounted = true;
  vtree_fd_close (options->handoff);
  vtree_fd_close (options->notify);
  log_notes (options);
  bool ok = serve (options, &report, &unmounted, &error);
  if (!ok && report.fd < 0)
    vtree_log_write (options->log, VTREE_LOG_ERROR, "%s: %s", options->dir,
                     error->message);
  if (!ok)
    report_take (&report, error->message);
  if (unmounted)
    vtree_fd_close (keeper_fd);
  else
    vtree_keeper_unmount_take (keeper_fd);
  return ok ? 0 : 1;
}

/* What the daemon reports; false with it as an error unless it serves. */
static bool
wait_until_ready (int fd, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char part[256];
  ssize_t got;
  while ((got = read (fd, part, sizeof part)) != 0 && text->len < REPORT_MAX) {
    if (got < 0 && errno != EINTR)
      return vtree_error_set_errno (error, errno, "wait for the daemon");
    if (got > 0)
      g_string_append_len (text, part, got);
  }
  if (g_str_equal (text->str, "\n"))
    return true;
  return vtree_error_set (error, VTREE_ERROR_FAILED, "%s",
                          text->len > 0 ? text->str : "the daemon died");
}

/* What the kernel allows; nothing depends on it. */
static void
set_readahead (const VtreeMountOptions *options, dev_t device)
{
  uint32_t kib = options->readahead;
  if (kib == VTREE_READAHEAD_AUTO)
    kib = VTREE_READAHEAD_AUTO_KIB;
  if (kib != VTREE_READAHEAD_OFF && geteuid () == 0)
    vtree_readahead_set (device, kib);
}

/* Asks the kernel for the root, which asks the daemon. */
static bool
check_root (const VtreeDaemonOptions *options, GError **error)
{
  struct stat st;
  const char *dir = options->dir;
  if (stat (dir, &st) != 0)
    return vtree_error_set_errno (error, errno, "read the root of the mounted tree");
  if (!S_ISDIR (st.st_mode) || st.st_ino != 1)
    return vtree_error_set (error, VTREE_ERROR_FAILED,
                            "read the root of the mounted tree: something else is "
                            "mounted on %s",
                            dir);
  set_readahead (options->options, st.st_dev);
  return true;
}

static void
reap (pid_t pid)
{
  while (pid > 0 && waitpid (pid, NULL, 0) < 0 && errno == EINTR)
    continue;
}

/* The daemon's process; *REPORT_FD is our end of its pipe. */
static bool
start_daemon (const VtreeDaemonOptions *options, int keeper_fd, VtreeFd *report_fd,
              pid_t *pid, GError **error)
{
  int fds[2];
  if (pipe2 (fds, O_CLOEXEC) != 0)
    return vtree_error_set_errno (error, errno, "make a pipe");
  g_auto (VtreeFd) ours = fds[0];
  g_auto (VtreeFd) theirs = fds[1];
  *pid = fork ();
  if (*pid < 0)
    return vtree_error_set_errno (error, errno, "start the daemon");
  if (*pid == 0) {
    vtree_fd_replace_take (&ours, -1);
    exit (run (options, vtree_fd_steal (&theirs), keeper_fd));
  }
  *report_fd = vtree_fd_steal (&ours);
  return true;
}

bool
vtree_daemon_start_take (const VtreeDaemonOptions *options, VtreeProcesses *processes,
                         GError **error)
{
  g_auto (VtreeFd) device = options->device;
  g_auto (VtreeFd) keeper_fd = -1;
  g_auto (VtreeFd) report_fd = -1;
  pid_t keeper = -1;
  pid_t daemon = -1;
  int pushed_to = bytes_to_push (options->options) > 0 ? device : -1;
  bool ok = vtree_keeper_start (options->dir, pushed_to, &keeper_fd, &keeper, error)
            && start_daemon (options, keeper_fd, &report_fd, &daemon, error);
  /* A daemon that dies must leave no other end of the connection open. */
  vtree_fd_replace_take (&device, -1);
  vtree_fd_replace_take (&keeper_fd, -1);
  ok = ok && wait_until_ready (report_fd, error) && check_root (options, error);
  if (ok) {
    *processes = (VtreeProcesses){ daemon, keeper };
    return true;
  }
  vtree_channel_unmount (options->dir);
  reap (daemon);
  reap (keeper);
  return false;
}
