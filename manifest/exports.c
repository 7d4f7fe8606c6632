/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the way from a tree to what it exports: which of its directories are looked at,
 * and how much of them. Follows no symlink.
 */
#include "manifest/exports.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define INI "vtree.ini"
#define FILES_MAX 1024
#define NOTES_MAX 20
#define BYTES_MAX ((gsize) 32 << 20)

static void
export_free (void *data)
{
  VtreeExport *file = data;
  g_free (file->path);
  g_bytes_unref (file->bytes);
  g_free (file);
}

void
vtree_exports_free (VtreeExports *exports)
{
  if (exports == NULL)
    return;
  g_ptr_array_unref (exports->files);
  g_ptr_array_unref (exports->notes);
  g_free (exports);
}

typedef struct {
  VtreeView *view;
  const VtreeStore *store;
  const VtreeExportRunner *runner;
  VtreeExports *exports;
  const char *top; /* "usr/" or "": what share and bin are in */
  gsize bytes;
  unsigned foreign;  /* icons of other names */
  unsigned unspoken; /* notes beyond NOTES_MAX */
} Collector;

/* --- reading ---------------------------------------------------------------------- */

static GBytes *
read_object (const Collector *collector, const VtreeObjectSpec *spec, GError **error)
{
  g_autoptr (VtreeObject) object
    = vtree_store_open_object (collector->store, spec, error);
  size_t done = 0, got = 1;
  if (object == NULL)
    return NULL;
  g_autofree uint8_t *data = g_try_malloc (spec->size);
  if (data == NULL) {
    vtree_error_set_errno (error, ENOMEM, "read %" G_GUINT64_FORMAT " bytes",
                           spec->size);
    return NULL;
  }
  for (; done < spec->size && got > 0; done += got)
    if (!vtree_object_read (object, data + done, spec->size - done, done, &got, error))
      return NULL;
  return g_bytes_new_take (g_steal_pointer (&data), done);
}

/* *BYTES is NULL and *WHY says it where INODE is no regular file of at most LIMIT
 * bytes. */
static bool
load (const Collector *collector, const VtreeInode *inode, gsize limit, GBytes **bytes,
      const char **why, GError **error)
{
  VtreeObjectSpec spec = { .policy = VTREE_VERITY_AUTO };
  *bytes = NULL;
  *why = !S_ISREG (inode->mode) ? "it is no regular file" : "it is too large";
  if (!S_ISREG (inode->mode) || inode->size > limit)
    return true;
  if (inode->object == VTREE_VIEW_NO_OBJECT) {
    *bytes = g_bytes_new_static ("", 0);
    return true;
  }
  if (!vtree_view_object (collector->view, inode->object, &spec.digest, &spec.size,
                          error))
    return false;
  if (spec.size <= limit)
    *bytes = read_object (collector, &spec, error);
  return *bytes != NULL || spec.size > limit;
}

/* PATH's inode; *FOUND: it is there. */
static bool
find (const Collector *collector, const char *path, bool *found, VtreeInode *inode,
      GError **error)
{
  GError *failed = NULL;
  *found = vtree_view_resolve (collector->view, path, inode, &failed);
  if (*found || g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_MISSING)) {
    g_clear_error (&failed);
    return true;
  }
  g_propagate_error (error, failed);
  return false;
}

/* --- what was found --------------------------------------------------------------- */

static void
add_note (Collector *collector, const char *path, const char *why)
{
  g_autofree char *escaped = vtree_error_escape (path, -1);
  if (collector->exports->notes->len >= NOTES_MAX) {
    collector->unspoken++;
    return;
  }
  g_ptr_array_add (collector->exports->notes,
                   g_strdup_printf ("%s of %s is not exported: %s", escaped,
                                    collector->runner->name, why));
}

/* Takes BYTES, NULL where they could not be made, for FAILED or WHY. */
static void
add_file (Collector *collector, const char *path, mode_t mode, GBytes *bytes,
          const char *why)
{
  gsize size = bytes != NULL ? g_bytes_get_size (bytes) : 0;
  if (bytes != NULL
      && (collector->exports->files->len >= FILES_MAX
          || size > BYTES_MAX - collector->bytes)) {
    g_clear_pointer (&bytes, g_bytes_unref);
    why = "there is too much before it";
  }
  if (bytes == NULL) {
    add_note (collector, path, why);
    return;
  }
  VtreeExport *file = g_new0 (VtreeExport, 1);
  file->path = g_strdup (path);
  file->bytes = bytes;
  file->mode = mode;
  collector->bytes += size;
  g_ptr_array_add (collector->exports->files, file);
}

typedef bool (*Visit) (Collector *collector, const char *path, const char *name,
                       const VtreeInode *inode, GError **error);

/* A name that NAME may export, and for the others a word. */
static bool
is_ours (Collector *collector, const char *path, const char *name)
{
  if (!vtree_export_belongs (name, collector->runner->name))
    add_note (collector, path, "its name does not begin with the deployment's");
  else if (!vtree_export_is_simple (name))
    add_note (collector, path, "its name is not one for a file everywhere");
  else
    return true;
  return false;
}

static bool
visit_desktop (Collector *collector, const char *path, const char *name,
               const VtreeInode *inode, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) failed = NULL;
  const char *why;
  if (!g_str_has_suffix (name, ".desktop") || !is_ours (collector, path, name))
    return true;
  if (!load (collector, inode, VTREE_EXPORT_TEXT_MAX, &bytes, &why, error))
    return false;
  GBytes *made
    = bytes != NULL ? vtree_export_desktop (bytes, collector->runner, &failed) : NULL;
  add_file (collector, path, 0644, made, failed != NULL ? failed->message : why);
  return true;
}

static bool
visit_service (Collector *collector, const char *path, const char *name,
               const VtreeInode *inode, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) failed = NULL;
  const char *why;
  if (!g_str_has_suffix (name, ".service") || !is_ours (collector, path, name))
    return true;
  if (!load (collector, inode, VTREE_EXPORT_TEXT_MAX, &bytes, &why, error))
    return false;
  g_autofree char *bus_name = g_strndup (name, strlen (name) - strlen (".service"));
  GBytes *made = bytes != NULL
                   ? vtree_export_service (bytes, bus_name, collector->runner, &failed)
                   : NULL;
  add_file (collector, path, 0644, made, failed != NULL ? failed->message : why);
  return true;
}

static bool
visit_icon (Collector *collector, const char *path, const char *name,
            const VtreeInode *inode, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) failed = NULL;
  const char *why;
  if (!g_str_has_suffix (name, ".png") && !g_str_has_suffix (name, ".svg"))
    return true;
  if (!vtree_export_belongs (name, collector->runner->name)
      || !vtree_export_is_simple (name)) {
    collector->foreign++;
    return true;
  }
  if (!load (collector, inode, VTREE_EXPORT_ICON_MAX, &bytes, &why, error))
    return false;
  bool good = bytes != NULL && vtree_export_check_icon (bytes, name, &failed);
  add_file (collector, path, 0644, good ? g_steal_pointer (&bytes) : NULL,
            failed != NULL ? failed->message : why);
  return true;
}

/* --- walking ---------------------------------------------------------------------- */

static bool
visit_entry (Collector *collector, const VtreeDirectory *directory, uint32_t n,
             const char *path, Visit visit, GError **error)
{
  VtreeEntry entry;
  VtreeInode inode;
  if (!vtree_view_entry (collector->view, directory, n, &entry, error)
      || !vtree_view_child (collector->view, directory, entry.inode, &inode, error))
    return false;
  g_autofree char *name = g_strndup ((const char *) entry.name.data, entry.name.size);
  g_autofree char *whole = g_build_filename (path, name, NULL);
  return visit (collector, whole, name, &inode, error);
}

/* Every entry of the directory PATH (as it is exported: below share). */
static bool
visit_directory (Collector *collector, const char *path, Visit visit, GError **error)
{
  g_autofree char *inside = g_strconcat (collector->top, path, NULL);
  VtreeInode inode;
  VtreeDirectory directory;
  bool found;
  if (!find (collector, inside, &found, &inode, error))
    return false;
  if (!found || !S_ISDIR (inode.mode))
    return true;
  if (!vtree_view_directory (collector->view, &inode, &directory, error))
    return false;
  for (uint32_t n = 0; n < directory.count; n++)
    if (!visit_entry (collector, &directory, n, path, visit, error))
      return false;
  return true;
}

/* A CONTEXT of a SIZE: hicolor/48x48/apps. */
static bool
visit_context (Collector *collector, const char *path, const char *name,
               const VtreeInode *inode, GError **error)
{
  return !S_ISDIR (inode->mode) || !vtree_export_is_simple (name)
         || visit_directory (collector, path, visit_icon, error);
}

static bool
visit_size (Collector *collector, const char *path, const char *name,
            const VtreeInode *inode, GError **error)
{
  return !S_ISDIR (inode->mode) || !vtree_export_is_simple (name)
         || visit_directory (collector, path, visit_context, error);
}

/* A command that the tree has itself: nothing of the host's gets a new name. */
static bool
collect_command (Collector *collector, const char *command, GError **error)
{
  g_autofree char *path = g_strconcat ("bin/", command, NULL);
  g_autofree char *inside = g_strconcat (collector->top, path, NULL);
  VtreeInode inode;
  bool found;
  if (!is_ours (collector, path, command))
    return true;
  if (!find (collector, inside, &found, &inode, error))
    return false;
  if (found && !S_ISDIR (inode.mode))
    add_file (collector, path, 0755, vtree_export_command (command, collector->runner),
              NULL);
  else
    add_note (collector, path, "the tree has no such program");
  return true;
}

static bool
collect (Collector *collector, const VtreeExportWords *words, GError **error)
{
  for (char **command = words->commands; command != NULL && *command != NULL; command++)
    if (!collect_command (collector, *command, error))
      return false;
  if (!words->exports)
    return true;
  if (!visit_directory (collector, "share/applications", visit_desktop, error)
      || !visit_directory (collector, "share/dbus-1/services", visit_service, error)
      || !visit_directory (collector, "share/icons/hicolor", visit_size, error))
    return false;
  if (collector->foreign > 0)
    g_ptr_array_add (collector->exports->notes,
                     g_strdup_printf ("%u icons of %s are not exported: their names do "
                                      "not begin with the deployment's",
                                      collector->foreign, collector->runner->name));
  if (collector->unspoken > 0)
    g_ptr_array_add (
      collector->exports->notes,
      g_strdup_printf ("%u more of %s are not exported either, for such reasons",
                       collector->unspoken, collector->runner->name));
  return true;
}

/* *WORDS stays empty where there is no vtree.ini, or none that can be read. */
static bool
load_words (Collector *collector, VtreeExportWords *words, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) failed = NULL;
  const char *why;
  VtreeInode inode;
  bool found;
  if (!find (collector, INI, &found, &inode, error)
      || (found
          && !load (collector, &inode, VTREE_EXPORT_INI_MAX, &bytes, &why, error)))
    return false;
  if (bytes != NULL && !vtree_export_parse_words (bytes, words, &failed))
    g_ptr_array_add (collector->exports->notes,
                     g_strdup_printf ("%s exports nothing: " INI ": %s",
                                      collector->runner->name, failed->message));
  return true;
}

VtreeExports *
vtree_exports_collect (VtreeView *view, const VtreeStore *store,
                       const VtreeExportRunner *runner, GError **error)
{
  g_autoptr (VtreeExports) exports = g_new0 (VtreeExports, 1);
  g_auto (VtreeExportWords) words = { .commands = NULL };
  Collector collector
    = { .view = view, .store = store, .runner = runner, .exports = exports };
  VtreeInode inode;
  bool is_root;
  exports->files = g_ptr_array_new_with_free_func (export_free);
  exports->notes = g_ptr_array_new_with_free_func (g_free);
  if (!find (&collector, "usr", &is_root, &inode, error)
      || !load_words (&collector, &words, error))
    return NULL;
  collector.top = is_root && S_ISDIR (inode.mode) ? "usr/" : "";
  if (!collect (&collector, &words, error)) {
    g_prefix_error (error, "exports of %s: ", runner->name);
    return NULL;
  }
  return g_steal_pointer (&exports);
}
