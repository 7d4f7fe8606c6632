/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The answer of `vtree status --store`; the counting is manifest/usage.h's. */
#include "cli/store-status.h"

#include "cli/json.h"
#include "cli/output.h"
#include "manifest/usage.h"

static void
print_text (const VtreeRepo *repo, const VtreeUsage *usage)
{
  vtree_out_text ("repository: ");
  vtree_out_name (vtree_repo_path (repo), -1);
  vtree_out_print ("\nloose objects: %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT
                   " bytes\n",
                   usage->loose, usage->loose_bytes);
  vtree_out_print ("not needed of these: %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT
                   " bytes\n",
                   usage->unneeded, usage->unneeded_bytes);
  vtree_out_print ("packs: %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT " bytes\n",
                   usage->packs, usage->pack_bytes);
  vtree_out_print ("packed objects: %" G_GUINT64_FORMAT "\n", usage->packed);
  vtree_out_print ("live in packs: %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT
                   " bytes\n",
                   usage->live, usage->live_bytes);
  vtree_out_print ("dead in packs: %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT
                   " bytes\n",
                   usage->packed - usage->live, usage->dead_bytes);
  vtree_out_print ("saved on the disk by packs: %" G_GINT64_FORMAT " bytes\n",
                   usage->saved_bytes);
}

static void
print_json (const VtreeRepo *repo, const VtreeUsage *usage)
{
  g_autoptr (VtreeJson) json = vtree_json_new (stdout);

  vtree_json_begin_answer (json);
  vtree_json_add_string (json, "repository", vtree_repo_path (repo));
  vtree_json_add_uint (json, "loose_objects", usage->loose);
  vtree_json_add_uint (json, "loose_bytes", usage->loose_bytes);
  vtree_json_add_uint (json, "unneeded_objects", usage->unneeded);
  vtree_json_add_uint (json, "unneeded_bytes", usage->unneeded_bytes);
  vtree_json_add_uint (json, "packs", usage->packs);
  vtree_json_add_uint (json, "pack_bytes", usage->pack_bytes);
  vtree_json_add_uint (json, "packed_objects", usage->packed);
  vtree_json_add_uint (json, "live_objects", usage->live);
  vtree_json_add_uint (json, "live_bytes", usage->live_bytes);
  vtree_json_add_uint (json, "dead_bytes", usage->dead_bytes);
  vtree_json_add_int (json, "saved_bytes", usage->saved_bytes);
  vtree_json_end_object (json);
}

bool
vtree_store_status (const VtreeCli *cli, GError **error)
{
  g_autoptr (VtreePaths) paths = vtree_paths_new (error);
  g_autoptr (VtreeRepo) repo
    = paths != NULL ? vtree_cli_open_repo (cli, paths, error) : NULL;
  VtreeUsage usage;

  if (repo == NULL || !vtree_usage_find (repo, cli->wait, &usage, error))
    return false;
  if (cli->json)
    print_json (repo, &usage);
  else
    print_text (repo, &usage);
  return true;
}
