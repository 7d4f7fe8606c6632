/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a difference between two trees is shown: a line, or members of JSON. */
#pragma once

#include "cli/json.h"
#include "manifest/diff.h"

/* "M<tab>usr/bin/x<tab>content,mode" and a newline. */
void vtree_changes_print (const VtreeDiffItem *item);

/* The members "kind", "path", "properties" of an object that has been begun. */
void vtree_changes_add_json (const VtreeDiffItem *item, VtreeJson *json);
