/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The manifest view, check and diff over any bytes. The first byte says whether the
 * rest is a manifest as it is or a packed one. The oracle: what passes the check is
 * what the builder makes of it, byte for byte, and does not differ from itself.
 */
#include "manifest/check.h"
#include "manifest/diff.h"
#include "manifest/layout.h"
#include "tests/fuzz/manifest-packed.h"
#include "tests/lib/tree.h"

#define SIZE_MAX_TRIED ((size_t) 1 << 20)

/* libFuzzer fixes the name and the type. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static bool
fail_on_difference (void *context, const VtreeDiffItem *item, GError **error)
{
  (void) context;
  (void) error;
  g_error ("'%s' differs from itself", item->path);
  return false;
}

static void
check_canonical (VtreeView *view, GBytes *bytes)
{
  g_autoptr (GError) error = NULL;
  gsize size;
  VtreeSpan header = { g_bytes_get_data (bytes, &size), VTREE_VTM_HEADER_SIZE };
  if (!vtree_diff (view, view, fail_on_difference, NULL, &error))
    g_error ("diff of a checked manifest: %s", error->message);
  g_autoptr (GBytes) rebuilt = vtree_test_rebuild (view, &error);
  if (rebuilt == NULL)
    g_error ("rebuild of a checked manifest: %s", error->message);
  /* What a later version's optional features say is not the builder's. */
  if (vtree_span_u64 (header, VTREE_VTM_H_COMPAT) == 0
      && !g_bytes_equal (bytes, rebuilt))
    g_error ("a checked manifest is not canonical");
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  if (size == 0 || size > SIZE_MAX_TRIED)
    return 0;
  g_autoptr (GBytes) bytes = data[0] == 0 ? g_bytes_new (data + 1, size - 1)
                                          : vtree_fuzz_unpack (data + 1, size - 1);
  g_autoptr (VtreePages) pages = vtree_pages_new_for_bytes (bytes);
  g_autoptr (VtreeView) view = vtree_view_new (pages, NULL);
  if (view == NULL)
    return 0;
  vtree_test_walk (view);
  if (vtree_check_manifest (view, NULL))
    check_canonical (view, bytes);
  return 0;
}
