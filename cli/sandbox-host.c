/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns where the host's devices, sockets and places are, and where they stand in the
 * sandbox. Opens none of them. */
#include "cli/sandbox-private.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define ADD VTREE_SANDBOX_ADD

/* --- devices ---------------------------------------------------------------------- */

static void
add_devices (const VtreeContext *context, GPtrArray *argv)
{
  static const struct {
    const char *word;
    const char *path;
  } devices[] = {
    { "dri", "/dev/dri" },        { "dri", "/dev/kfd" },
    { "dri", "/dev/mali0" },      { "dri", "/dev/nvidia0" },
    { "dri", "/dev/nvidiactl" },  { "dri", "/dev/nvidia-modeset" },
    { "dri", "/dev/nvidia-uvm" }, { "kvm", "/dev/kvm" },
  };

  if (vtree_context_has (context, VTREE_CONTEXT_DEVICE, "all")) {
    ADD (argv, "--dev-bind", "/dev", "/dev");
    return;
  }
  for (size_t i = 0; i < G_N_ELEMENTS (devices); i++)
    if (vtree_context_has (context, VTREE_CONTEXT_DEVICE, devices[i].word))
      ADD (argv, "--dev-bind-try", devices[i].path, devices[i].path);
  if (vtree_context_has (context, VTREE_CONTEXT_DEVICE, "shm"))
    ADD (argv, "--bind", "/dev/shm", "/dev/shm");
}

/* --- places ----------------------------------------------------------------------- */

/* All that the host has and the sandbox has no place of its own for. */
static void
add_whole_host (GPtrArray *argv, const char *bind)
{
  static const char *const skipped[]
    = { "app",  "bin",  "boot", "dev",  "efi", "etc", "lib", "lib32", "lib64", "libx32",
        "proc", "root", "run",  "sbin", "sys", "tmp", "usr", "var",   NULL };
  g_autoptr (GDir) root = g_dir_open ("/", 0, NULL);
  const char *name;

  while (root != NULL && (name = g_dir_read_name (root)) != NULL) {
    g_autofree char *path = g_strconcat ("/", name, NULL);

    if (!g_strv_contains (skipped, name) && g_file_test (path, G_FILE_TEST_IS_DIR)
        && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
      ADD (argv, bind, path, path);
  }
  ADD (argv, bind, "/run/media", "/run/media");
}

static void
add_place (const VtreeContext *context, GPtrArray *argv, const char *place)
{
  VtreeContextMode mode = vtree_context_place_mode (context, place);
  const char *bind = mode == VTREE_CONTEXT_READ_ONLY ? "--ro-bind-try" : "--bind-try";

  if (mode == VTREE_CONTEXT_CREATE)
    g_mkdir_with_parents (place, 0755);
  if (strcmp (place, "host") == 0)
    add_whole_host (argv, bind);
  else if (strcmp (place, "host-os") == 0)
    ADD (argv, "--ro-bind", "/usr", "/run/host/usr");
  else if (strcmp (place, "host-etc") == 0)
    ADD (argv, "--ro-bind", "/etc", "/run/host/etc");
  else
    ADD (argv, bind, place, place);
}

static void
add_places (const VtreeContext *context, GPtrArray *argv)
{
  static const char *const wide[] = { "host", "host-os", "host-etc", NULL };
  g_autoptr (GList) places = vtree_context_list_places (context);

  /* What is named alone stands on what comes with the whole. */
  for (GList *place = places; place != NULL; place = place->next)
    if (g_strv_contains (wide, place->data))
      add_place (context, argv, place->data);
  for (GList *place = places; place != NULL; place = place->next)
    if (!g_strv_contains (wide, place->data))
      add_place (context, argv, place->data);
}

/* --- sockets ---------------------------------------------------------------------- */

/* The socket SOURCE of the host as NAME in the sandbox's own runtime directory, and
 * VARIABLE, if any, says PREFIX and where it is. */
static bool
add_socket (GPtrArray *argv, const char *source, const char *name, const char *variable,
            const char *prefix)
{
  g_autofree char *target
    = g_strdup_printf ("/run/user/%ju/%s", (uintmax_t) getuid (), name);
  g_autofree char *value = g_strconcat (prefix, target, NULL);

  if (source == NULL || access (source, F_OK) != 0)
    return false;
  ADD (argv, "--ro-bind", source, target);
  if (variable != NULL)
    ADD (argv, "--setenv", variable, value);
  return true;
}

static bool
add_wayland (GPtrArray *argv)
{
  const char *display = g_getenv ("WAYLAND_DISPLAY");
  g_autofree char *path = NULL;

  if (display == NULL)
    display = "wayland-0";
  path = display[0] == '/'
           ? g_strdup (display)
           : g_build_filename (g_get_user_runtime_dir (), display, NULL);
  return add_socket (argv, path, "wayland-0", "WAYLAND_DISPLAY", "");
}

static void
add_x11 (GPtrArray *argv)
{
  const char *display = g_getenv ("DISPLAY");
  const char *authority = g_getenv ("XAUTHORITY");
  g_autofree char *usual = g_build_filename (g_get_home_dir (), ".Xauthority", NULL);
  g_autofree char *path = NULL;
  g_autofree char *number = NULL;

  if (display == NULL || display[0] != ':')
    return;
  number = g_strndup (display + 1, strspn (display + 1, "0123456789"));
  path = g_strconcat ("/tmp/.X11-unix/X", number, NULL);
  if (number[0] == '\0' || access (path, F_OK) != 0)
    return;
  ADD (argv, "--ro-bind", path, path, "--setenv", "DISPLAY", display);
  add_socket (argv, authority != NULL ? authority : usual, "Xauthority", "XAUTHORITY",
              "");
}

/* The path in a D-Bus address, where it is one of a socket's file. */
static char *
find_bus (const char *address)
{
  const char *start = "unix:path=";

  if (address == NULL || !g_str_has_prefix (address, start))
    return g_build_filename (g_get_user_runtime_dir (), "bus", NULL);
  address += strlen (start);
  return g_strndup (address, strcspn (address, ",;"));
}

static void
add_sockets (const VtreeContext *context, GPtrArray *argv)
{
  g_autofree char *pulse
    = g_build_filename (g_get_user_runtime_dir (), "pulse", "native", NULL);
  g_autofree char *bus = find_bus (g_getenv ("DBUS_SESSION_BUS_ADDRESS"));
  bool wayland = vtree_context_has (context, VTREE_CONTEXT_SOCKET, "wayland")
                 && add_wayland (argv);

  if (vtree_context_has (context, VTREE_CONTEXT_SOCKET, "x11")
      || (!wayland
          && vtree_context_has (context, VTREE_CONTEXT_SOCKET, "fallback-x11")))
    add_x11 (argv);
  if (vtree_context_has (context, VTREE_CONTEXT_SOCKET, "pulseaudio"))
    add_socket (argv, pulse, "pulse/native", "PULSE_SERVER", "unix:");
  if (vtree_context_has (context, VTREE_CONTEXT_SOCKET, "session-bus"))
    add_socket (argv, bus, "bus", "DBUS_SESSION_BUS_ADDRESS", "unix:path=");
  if (vtree_context_has (context, VTREE_CONTEXT_SOCKET, "ssh-auth"))
    add_socket (argv, g_getenv ("SSH_AUTH_SOCK"), "ssh-auth", "SSH_AUTH_SOCK", "");
  if (vtree_context_has (context, VTREE_CONTEXT_SOCKET, "system-bus"))
    ADD (argv, "--ro-bind-try", "/run/dbus/system_bus_socket",
         "/run/dbus/system_bus_socket");
  if (vtree_context_has (context, VTREE_CONTEXT_SOCKET, "cups"))
    ADD (argv, "--ro-bind-try", "/run/cups/cups.sock", "/run/cups/cups.sock");
}

void
vtree_sandbox_add_host (const VtreeContext *context, GPtrArray *argv)
{
  g_autofree char *runtime = g_strdup_printf ("/run/user/%ju", (uintmax_t) getuid ());

  add_devices (context, argv);
  ADD (argv, "--perms", "0700", "--dir", runtime, "--setenv", "XDG_RUNTIME_DIR",
       runtime);
  add_places (context, argv);
  add_sockets (context, argv);
}
