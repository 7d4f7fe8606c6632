/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns what of tree and host stands where in the sandbox. Runs nothing. */
#include "cli/sandbox.h"

#include "cli/sandbox-private.h"
#include "core/directory.h"
#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INI "vtree.ini"
#define INI_MAX (1u << 20)
/* What a tree that is no root stands under. */
#define APP "/app"
#define TREE "the tree"
#define ROOT_PATH "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

struct VtreeSandbox {
  char *files;
  char **command; /* vtree.ini's; may be NULL */
  VtreeContext *context;
  const char *bind; /* how what is of the tree is shown */
  bool is_root;
  char *runtime; /* where it is mounted; NULL: the host's /usr */
};

VtreeSandbox *
vtree_sandbox_new (const char *files)
{
  VtreeSandbox *sandbox = g_new0 (VtreeSandbox, 1);

  sandbox->files = g_strdup (files);
  sandbox->context = vtree_context_new ();
  sandbox->bind = "--ro-bind";
  return sandbox;
}

void
vtree_sandbox_free (VtreeSandbox *sandbox)
{
  if (sandbox == NULL)
    return;
  g_free (sandbox->files);
  g_free (sandbox->runtime);
  g_strfreev (sandbox->command);
  vtree_context_free (sandbox->context);
  g_free (sandbox);
}

void
vtree_sandbox_set_writable (VtreeSandbox *sandbox)
{
  sandbox->bind = "--bind";
}

bool
vtree_sandbox_is_root (const VtreeSandbox *sandbox)
{
  return sandbox->is_root;
}

/* A directory of the tree FILES itself. */
static bool
has_usr (const char *files)
{
  g_autofree char *usr = g_build_filename (files, "usr", NULL);
  struct stat st;

  return lstat (usr, &st) == 0 && S_ISDIR (st.st_mode);
}

bool
vtree_sandbox_set_runtime (VtreeSandbox *sandbox, const char *files, GError **error)
{
  if (!has_usr (files))
    return vtree_error_set (error, VTREE_ERROR_MISSING,
                            "its tree has no /usr, so no application can stand on it");
  g_free (sandbox->runtime);
  sandbox->runtime = g_strdup (files);
  return true;
}

VtreeContext *
vtree_sandbox_context (const VtreeSandbox *sandbox)
{
  return sandbox->context;
}

/* --- vtree.ini -------------------------------------------------------------------- */

static bool
read_command (VtreeSandbox *sandbox, GKeyFile *file, GError **error)
{
  g_autofree char *text = g_key_file_get_string (file, "Application", "command", NULL);
  g_autofree char *escaped = NULL;
  g_autoptr (GError) cause = NULL;

  if (text == NULL || g_shell_parse_argv (text, NULL, &sandbox->command, &cause))
    return true;
  escaped = vtree_error_escape (cause->message, -1);
  return vtree_error_set (error, VTREE_ERROR_INVALID, "command: %s", escaped);
}

static bool
read_ini (VtreeSandbox *sandbox, GBytes *bytes, GError **error)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) cause = NULL;

  if (g_bytes_get_size (bytes) > 0
      && !g_key_file_load_from_bytes (file, bytes, G_KEY_FILE_NONE, &cause)) {
    g_autofree char *escaped = vtree_error_escape (cause->message, -1);

    return vtree_error_set (error, VTREE_ERROR_INVALID, "%s", escaped);
  }
  if (!read_command (sandbox, file, error)
      || !vtree_context_load (sandbox->context, file, false, error))
    return false;
  return !sandbox->is_root || vtree_context_runtime (sandbox->context) == NULL
         || vtree_error_set (error, VTREE_ERROR_INVALID,
                             "runtime: the tree has its own /usr");
}

bool
vtree_sandbox_load (VtreeSandbox *sandbox, GError **error)
{
  g_auto (VtreeFd) fd = vtree_sandbox_open_inside (sandbox->files, INI);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) failed = NULL;
  int errnum = errno;

  sandbox->is_root = has_usr (sandbox->files);
  if (fd < 0)
    return errnum == ENOENT || vtree_sandbox_set_read_error (TREE, INI, errnum, error);
  bytes = vtree_fd_load (fd, INI_MAX, &failed);
  if (bytes == NULL) {
    if (failed->domain == VTREE_ERRNO_ERROR)
      return vtree_sandbox_set_read_error (TREE, INI, failed->code, error);
    g_propagate_prefixed_error (error, g_steal_pointer (&failed), INI ": ");
    return false;
  }
  /* It is no wrong usage of who runs it. */
  return read_ini (sandbox, bytes, &failed)
         || vtree_error_set (error, VTREE_ERROR_FAILED, INI " of the tree: %s",
                             failed->message);
}

/* --- arguments -------------------------------------------------------------------- */

void
vtree_sandbox_append (GPtrArray *argv, const char *const *words)
{
  for (; *words != NULL; words++)
    g_ptr_array_add (argv, g_strdup (*words));
}

#define ADD VTREE_SANDBOX_ADD

/* NAME of TREE ("" for the host's root) as /NAME, by BIND, if it is there: a link stays
 * one, and nothing is behind one. bubblewrap would follow it to the host's files. */
static void
add_entry (GPtrArray *argv, const char *bind, const char *tree, const char *name)
{
  g_autofree char *from = g_strconcat (tree, "/", name, NULL);
  g_autofree char *to = g_strconcat ("/", name, NULL);
  g_autofree char *link = NULL;

  if (tree[0] != '\0' ? !vtree_sandbox_is_inside (tree, name)
                      : access (from, F_OK) != 0)
    return;
  link = g_file_read_link (from, NULL);
  if (link != NULL)
    ADD (argv, "--symlink", link, to);
  else
    ADD (argv, bind, from, to);
}

/* A tree with /usr: all of it but what a system makes at its start. */
static bool
add_root (const VtreeSandbox *sandbox, GPtrArray *argv, GError **error)
{
  static const char *const made[] = { "dev", "home", "media", "mnt", "proc", "root",
                                      "run", "sys",  "tmp",   "var", INI,    NULL };
  g_auto (VtreeFd) fd = open (sandbox->files, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (GPtrArray) names = NULL;

  if (fd < 0)
    return vtree_sandbox_set_read_error (TREE, "/", errno, error);
  names = vtree_directory_list (fd, error);
  for (guint i = 0; names != NULL && i < names->len; i++)
    if (!g_strv_contains (made, names->pdata[i]))
      add_entry (argv, sandbox->bind, sandbox->files, names->pdata[i]);
  ADD (argv, "--dir", "/var/tmp", "--dir", "/var/cache");
  add_entry (argv, sandbox->bind, sandbox->files, "var/lib");
  return names != NULL;
}

const char *const vtree_sandbox_system[]
  = { "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", NULL };

/* Any other tree: /app over the programs and libraries of the runtime or the host. */
static void
add_app (const VtreeSandbox *sandbox, GPtrArray *argv)
{
  static const char *const hosts[]
    = { "/etc/group", "/etc/localtime", "/etc/passwd", NULL };
  /* What belongs to programs and libraries. */
  static const char *const settings[] = { "/etc/alternatives",
                                          "/etc/fonts",
                                          "/etc/ld.so.cache",
                                          "/etc/nsswitch.conf",
                                          "/etc/ssl/certs",
                                          "/etc/ca-certificates",
                                          NULL };
  const char *system = sandbox->runtime != NULL ? sandbox->runtime : "";

  for (size_t i = 0; vtree_sandbox_system[i] != NULL; i++)
    add_entry (argv, "--ro-bind", system, vtree_sandbox_system[i]);
  for (size_t i = 0; hosts[i] != NULL; i++)
    ADD (argv, "--ro-bind-try", hosts[i], hosts[i]);
  for (size_t i = 0; settings[i] != NULL; i++)
    if (sandbox->runtime != NULL)
      add_entry (argv, "--ro-bind", system, settings[i] + 1);
    else
      ADD (argv, "--ro-bind-try", settings[i], settings[i]);
  ADD (argv, sandbox->bind, sandbox->files, APP);
}

static void
add_variables (const VtreeSandbox *sandbox, GPtrArray *argv, const char *path)
{
  static const char *const kept[]
    = { "TERM", "COLORTERM", "LANG", "LANGUAGE", "LC_ALL", "TZ" };
  g_autoptr (GList) names = vtree_context_list_variables (sandbox->context);

  ADD (argv, "--setenv", "PATH", path, "--setenv", "HOME", g_get_home_dir (),
       "--setenv", "USER", g_get_user_name ());
  for (size_t i = 0; i < G_N_ELEMENTS (kept); i++)
    if (g_getenv (kept[i]) != NULL)
      ADD (argv, "--setenv", kept[i], g_getenv (kept[i]));
  for (GList *name = names; name != NULL; name = name->next) {
    const char *value = vtree_context_variable (sandbox->context, name->data);

    if (value != NULL)
      ADD (argv, "--setenv", name->data, value);
    else
      ADD (argv, "--unsetenv", name->data);
  }
}

/* A terminal that lets a program type into it would let one out of the sandbox. */
static bool
terminal_is_safe (void)
{
  g_autofree char *text = NULL;

  return g_file_get_contents ("/proc/sys/dev/tty/legacy_tiocsti", &text, NULL, NULL)
         && text[0] == '0';
}

static void
add_isolation (const VtreeSandbox *sandbox, GPtrArray *argv)
{
  ADD (argv, "--unshare-user", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try",
       "--die-with-parent");
  if (!vtree_context_has (sandbox->context, VTREE_CONTEXT_SHARE, "network"))
    ADD (argv, "--unshare-net");
  if (!vtree_context_has (sandbox->context, VTREE_CONTEXT_SHARE, "ipc"))
    ADD (argv, "--unshare-ipc");
  if (!terminal_is_safe ())
    ADD (argv, "--new-session");
}

static bool
add_command (const VtreeSandbox *sandbox, char **command, GPtrArray *argv,
             GError **error)
{
  bool is_root = sandbox->is_root;
  const char *path = is_root ? ROOT_PATH : APP "/bin:" ROOT_PATH;
  const char *own = vtree_context_variable (sandbox->context, "PATH");
  const VtreeSandboxView view = { sandbox->files, is_root, sandbox->runtime,
                                  sandbox->context, own != NULL ? own : path };
  g_autofree char *program = NULL;

  if (command == NULL || *command == NULL)
    command = sandbox->command;
  if (command == NULL || *command == NULL)
    return vtree_error_set (error, VTREE_ERROR_MISSING,
                            "the tree's vtree.ini names no command: say one behind --");
  /* A path that is not absolute is one in the tree. */
  program = strchr (*command, '/') == NULL || **command == '/'
              ? g_strdup (*command)
              : g_build_filename (is_root ? "/" : APP, *command, NULL);
  if (!vtree_sandbox_check_program (&view, program, error))
    return false;
  add_variables (sandbox, argv, path);
  ADD (argv, "--chdir", g_get_home_dir (), "--", program);
  for (char **word = command + 1; *word != NULL; word++)
    ADD (argv, *word);
  return true;
}

char **
vtree_sandbox_argv (const VtreeSandbox *sandbox, char **command, GError **error)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);

  ADD (argv, "bwrap", "--clearenv");
  add_isolation (sandbox, argv);
  if (!sandbox->is_root)
    add_app (sandbox, argv);
  else if (!add_root (sandbox, argv, error))
    return NULL;
  if (vtree_context_has (sandbox->context, VTREE_CONTEXT_SHARE, "network"))
    ADD (argv, "--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf", "--ro-bind-try",
         "/etc/hosts", "/etc/hosts");
  ADD (argv, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run",
       "--dir", g_get_home_dir ());
  vtree_sandbox_add_host (sandbox->context, argv);
  if (!add_command (sandbox, command, argv, error))
    return NULL;
  g_ptr_array_add (argv, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&argv), FALSE);
}
