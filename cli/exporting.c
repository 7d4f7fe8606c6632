/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns which program the exports of deployments start, and what is said of them. */
#include "cli/exporting.h"

#include <string.h>
#include <unistd.h>

/* The vtree that this is, where it can still be run; else the one that is installed. */
static char *
find_program (void)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);

  if (self != NULL && access (self, X_OK) == 0)
    return g_steal_pointer (&self);
  return g_strdup (VTREE_PROGRAM);
}

static void
print_notes (const VtreeDeployed *deployed, const GPtrArray *notes)
{
  for (guint i = 0; i < notes->len; i++)
    vtree_cli_note (deployed->cli, "%s", (const char *) notes->pdata[i]);
}

VtreeExports *
vtree_exporting_collect (const VtreeDeployed *deployed, const char *name,
                         const VtreeRepo *repo, const VtreeResolved *resolved,
                         GError **error)
{
  g_autofree char *program = find_program ();
  const VtreeExportRunner runner
    = { .program = program, .name = name, .system = deployed->system };
  g_autoptr (VtreeStore) store = vtree_store_new (repo, error);
  g_autoptr (VtreeView) view = NULL;
  g_autoptr (VtreeExports) exports = NULL;

  if (store == NULL)
    return NULL;
  view = vtree_resolved_open (resolved, store, VTREE_VERITY_AUTO, error);
  exports = view != NULL ? vtree_exports_collect (view, store, &runner, error) : NULL;
  if (exports == NULL)
    return NULL;
  print_notes (deployed, exports->notes);
  if (exports->files->len > 0) {
    g_autofree char *dir = vtree_deployments_exports (deployed->all);

    vtree_cli_note (deployed->cli, "%s exports %u file%s in %s", name,
                    exports->files->len, exports->files->len == 1 ? "" : "s", dir);
  }
  return g_steal_pointer (&exports);
}

bool
vtree_exporting_update (const VtreeDeployed *deployed, GError **error)
{
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  bool ok = vtree_deployments_update_exports (deployed->all, notes, error);

  print_notes (deployed, notes);
  return ok;
}

bool
vtree_exporting_switch (const VtreeDeployed *deployed, const char *name,
                        uint64_t version, GError **error)
{
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  bool ok
    = vtree_deployments_prepare_exports (deployed->all, name, version, notes, error)
      && vtree_deployments_activate (deployed->all, name, version, error);

  print_notes (deployed, notes);
  return ok && vtree_exporting_update (deployed, error);
}
