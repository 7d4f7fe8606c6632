/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to exports: what their texts share.
 *
 *   export-text.c      names, vtree.ini, commands, icons
 *   export-exec.c      Exec lines
 *   export-desktop.c   desktop files
 *   export-service.c   D-Bus services
 */
#pragma once

#include "manifest/export-text.h"

/* A key file of at most LIMIT bytes, without NUL. */
GKeyFile *vtree_export_load (GBytes *bytes, gsize limit, GError **error);

/* FILE's text, as bytes. */
GBytes *vtree_export_save (GKeyFile *file);

/* The Exec line of a desktop file for what EXEC, its own one, says; and of a D-Bus
 * service. To be freed. */
char *vtree_export_exec_desktop (const char *exec, const VtreeExportRunner *runner,
                                 GError **error);
char *vtree_export_exec_service (const char *exec, const VtreeExportRunner *runner,
                                 GError **error);
