/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the words for what differs. */
#include "cli/changes.h"

#include "cli/output.h"

static const struct {
  VtreeDiffProperties property;
  const char *name;
} properties[] = {
  { VTREE_DIFF_TYPE, "type" },   { VTREE_DIFF_CONTENT, "content" },
  { VTREE_DIFF_MODE, "mode" },   { VTREE_DIFF_OWNER, "owner" },
  { VTREE_DIFF_MTIME, "mtime" }, { VTREE_DIFF_XATTRS, "xattrs" },
  { VTREE_DIFF_LINKS, "links" },
};

void
vtree_changes_print (const VtreeDiffItem *item)
{
  static const char letters[] = {
    [VTREE_DIFF_ADDED] = 'A', [VTREE_DIFF_REMOVED] = 'D', [VTREE_DIFF_CHANGED] = 'M'
  };
  const char *separator = "\t";

  vtree_out_print ("%c\t", letters[item->kind]);
  vtree_out_name (item->path[0] != '\0' ? item->path : "/", -1);
  for (size_t i = 0; i < G_N_ELEMENTS (properties); i++) {
    if (item->kind != VTREE_DIFF_CHANGED
        || (item->properties & properties[i].property) == 0)
      continue;
    vtree_out_print ("%s%s", separator, properties[i].name);
    separator = ",";
  }
  vtree_out_text ("\n");
}

void
vtree_changes_add_json (const VtreeDiffItem *item, VtreeJson *json)
{
  static const char *const kinds[] = { [VTREE_DIFF_ADDED] = "added",
                                       [VTREE_DIFF_REMOVED] = "deleted",
                                       [VTREE_DIFF_CHANGED] = "modified" };

  vtree_json_add_string (json, "kind", kinds[item->kind]);
  vtree_json_add_string (json, "path", item->path);
  vtree_json_begin_array (json, "properties");
  for (size_t i = 0; i < G_N_ELEMENTS (properties); i++)
    if (item->kind == VTREE_DIFF_CHANGED
        && (item->properties & properties[i].property) != 0)
      vtree_json_add_string (json, NULL, properties[i].name);
  vtree_json_end_array (json);
}
