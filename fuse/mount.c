/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mount helper. Owns the order in which a mount is made, and what is said of it;
 * everything that can fail fails in here, before success is reported.
 */
#include "fuse/mount.h"

#include "core/handoff.h"
#include "core/settings.h"
#include "core/version.h"
#include "fuse/arguments.h"
#include "fuse/channel.h"
#include "fuse/place.h"
#include "fuse/privilege.h"
#include "fuse/remount.h"
#include "fuse/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME "mount.fuse.vtree"

/* mount(8), "EXIT STATUS". */
enum {
  EXIT_MOUNTED = 0,
  EXIT_USAGE = 1,
  EXIT_MOUNT_FAILED = 32
};

/* All that a mount is made of. */
typedef struct {
  VtreeArguments arguments;
  VtreeSource source;
  VtreePaths *paths;
  VtreeLog *log;
  VtreeOrigin origin;
  GPtrArray *notes;
  VtreePlace place;
  VtreeNotify notify;
  int handoff;
} Mount;

static void
mount_clear (Mount *mount)
{
  vtree_origin_clear (&mount->origin);
  g_clear_pointer (&mount->log, vtree_log_free);
  g_clear_pointer (&mount->paths, vtree_paths_free);
  g_clear_pointer (&mount->notes, g_ptr_array_unref);
  vtree_place_clear (&mount->place);
  vtree_notify_clear (&mount->notify);
  vtree_source_clear (&mount->source);
  vtree_arguments_clear (&mount->arguments);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Mount, mount_clear)

/* What is wrong with the request as such. */
static bool
check_request (Mount *mount, GError **error)
{
  const VtreeMountOptions *options = &mount->arguments.options;
  return vtree_mount_options_check (options, geteuid () == 0, error)
         && vtree_source_parse (&mount->source, mount->arguments.source, options,
                                error);
}

static bool
load_settings (Mount *mount, GError **error)
{
  mount->paths = vtree_paths_new (error);
  if (mount->paths == NULL)
    return false;
  g_autoptr (GPtrArray) settings = vtree_settings_mount_options (mount->paths, error);
  VtreeMountOptions *options = &mount->arguments.options;
  return settings != NULL && vtree_mount_options_settings (options, settings, error)
         && vtree_mount_options_check (options, geteuid () == 0, error);
}

/* -N: the mount namespace to mount in. */
static bool
enter_namespace (const char *name, GError **error)
{
  bool is_pid = name[strspn (name, "0123456789")] == '\0';
  g_autofree char *path
    = is_pid ? g_strdup_printf ("/proc/%s/ns/mnt", name) : g_strdup (name);
  g_auto (VtreeFd) fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || setns (fd, CLONE_NEWNS) != 0)
    return vtree_error_set_errno (error, errno, "enter the mount namespace %s", path);
  return true;
}

/* One line, and no more, whatever MESSAGE has in it. */
static void
print_line (const char *message)
{
  g_autofree char *line = vtree_error_line (message);
  fprintf (stderr, NAME ": %s\n", line);
}

/* What is no error, unless -q: the daemon's log has what of it matters later. */
static void
print_note (const Mount *mount, const char *message)
{
  if (!mount->arguments.quiet)
    print_line (message);
}

static void
collect_notes (Mount *mount)
{
  const VtreeResolved *resolved = mount->origin.resolved;
  mount->notes = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; resolved != NULL && i < resolved->notes->len; i++)
    g_ptr_array_add (mount->notes, g_strdup (resolved->notes->pdata[i]));
  if (mount->arguments.options.verity == VTREE_VERITY_OFF)
    g_ptr_array_add (mount->notes, g_strdup ("verity=off: nothing is verified"));
  if (vtree_kernel_is_simulated ())
    g_ptr_array_add (mount->notes, g_strdup ("simulated-kernel: a test binary, nothing "
                                             "is verified"));
  for (guint i = 0; i < mount->notes->len; i++)
    print_note (mount, mount->notes->pdata[i]);
}

/* Everything short of the mount itself. */
static bool
prepare (Mount *mount, GError **error)
{
  const VtreeArguments *arguments = &mount->arguments;
  if (!load_settings (mount, error))
    return false;
  const char *log = arguments->options.log != NULL ? arguments->options.log : "syslog";
  mount->log = vtree_log_new (log, error);
  if (mount->log == NULL)
    return false;
  if (!vtree_origin_open (&mount->origin, &mount->source, &arguments->options,
                          mount->paths, arguments->fake, error))
    return false;
  collect_notes (mount);
  return (arguments->namespace_ == NULL
          || enter_namespace (arguments->namespace_, error))
         && vtree_place_find (&mount->place, arguments->dir, error)
         && vtree_channel_check (error);
}

static int
open_channel (const Mount *mount, GError **error)
{
  const VtreeMountOptions *options = &mount->arguments.options;
  const char *source
    = options->fsname != NULL ? options->fsname : mount->arguments.source;
  VtreeChannelOptions channel
    = { .source = source,
        .dir = mount->place.dir,
        .allow_other = options->allow_other || geteuid () == 0,
        .allow_suid = options->allow_suid,
        .allow_dev = options->allow_dev,
        .noexec = options->noexec,
        .nosymfollow = options->nosymfollow };
  return vtree_channel_mount (&channel, error);
}

/* What a user mounts is shown as the user's. */
static VtreeFsOptions
fs_options (const VtreeMountOptions *options)
{
  bool is_user = geteuid () != 0;
  return (VtreeFsOptions){
    .verity = options->verity,
    .open_checked
    = options->open == VTREE_OPEN_CHECKED || options->io == VTREE_IO_PASSTHROUGH,
    .magic = options->xattr == VTREE_XATTR_MAGIC,
    .has_uid = options->has_uid || is_user,
    .has_gid = options->has_gid || is_user,
    .uid = options->has_uid ? options->uid : (uint32_t) geteuid (),
    .gid = options->has_gid ? options->gid : (uint32_t) getegid (),
  };
}

/* A mount whose daemon was killed makes room, once nothing else stands in the way. */
static bool
free_place (const Mount *mount, GError **error)
{
  if (mount->place.dead == NULL)
    return true;
  if (!vtree_place_free_dead (&mount->place, error))
    return false;
  g_autofree char *line
    = g_strdup_printf ("removed the mount of %s on %s, whose daemon had ended",
                       mount->place.dead, mount->place.dir);
  print_note (mount, line);
  return true;
}

static bool
start (Mount *mount, VtreeProcesses *processes, GError **error)
{
  int device = open_channel (mount, error);
  if (device < 0)
    return false;
  VtreeDaemonOptions daemon = { .origin = &mount->origin,
                                .options = &mount->arguments.options,
                                .log = mount->log,
                                .source = mount->arguments.source,
                                .dir = mount->place.dir,
                                .notes = mount->notes,
                                .device = device,
                                .handoff = mount->handoff,
                                .notify = mount->notify.fd,
                                .parent = mount->arguments.foreground ? getpid () : 0,
                                .fs = fs_options (&mount->arguments.options) };
  return vtree_daemon_start_take (&daemon, processes, error);
}

static bool
do_mount (Mount *mount, GError **error)
{
  VtreeProcesses processes;
  bool foreground = mount->arguments.foreground;
  if (!prepare (mount, error))
    return false;
  if (mount->arguments.fake)
    return true;
  if (!free_place (mount, error))
    return false;
  if (foreground && !vtree_notify_take (&mount->notify, error))
    return false;
  if (foreground)
    vtree_supervise_prepare ();
  if (!start (mount, &processes, error) || !foreground)
    return *error == NULL;
  /* What the daemon holds, its lock on the manifest say, ends with it. */
  vtree_origin_clear (&mount->origin);
  VtreeSupervision supervision
    = { mount->arguments.source, mount->place.dir, &mount->notify };
  return vtree_supervise_run (&supervision, &processes, error);
}

/* What has been asked for; the exit status. */
static int
run (Mount *mount, GError **error)
{
  if (!check_request (mount, error))
    return g_error_matches (*error, VTREE_ERROR, VTREE_ERROR_INVALID)
             ? EXIT_USAGE
             : EXIT_MOUNT_FAILED;
  bool ok
    = mount->arguments.options.remount
        ? vtree_remount_check (mount->arguments.dir, &mount->arguments.options, error)
        : do_mount (mount, error);
  return ok ? EXIT_MOUNTED : EXIT_MOUNT_FAILED;
}

static void
print_help (void)
{
  printf ("usage: " NAME " SOURCE DIRECTORY [-fqvsnF] [-N NAMESPACE] [-o OPTIONS]\n"
          "SOURCE is REPO:REF, REPO:sha256:..., the path of a root statement (with\n"
          "-o ref=) or the path of a manifest (with -o digest=). See " NAME "(8).\n");
}

int
vtree_mount_main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_auto (Mount) mount
    = { .notify = VTREE_NOTIFY_INIT, .handoff = vtree_handoff_take () };
  bool has_handoff = mount.handoff >= 0;
  int status = EXIT_MOUNT_FAILED;
  if (vtree_privilege_close_inherited (mount.handoff, -1, &error)) {
    status = EXIT_USAGE;
    if (vtree_arguments_parse (&mount.arguments, argc, argv, &error))
      status = EXIT_MOUNTED;
  }
  if (error == NULL && mount.arguments.help)
    print_help ();
  else if (error == NULL && mount.arguments.version)
    printf (NAME " %s\n", vtree_version ());
  else if (error == NULL)
    status = run (&mount, &error);
  /* mount(8) knows three; who started a service can tell more apart. */
  if (error != NULL && mount.arguments.foreground)
    status = (int) vtree_exit_code (error);
  if (error != NULL && !has_handoff)
    print_line (error->message);
  vtree_handoff_send_take (mount.handoff, error);
  return status;
}
