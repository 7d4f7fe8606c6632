/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mount options and, behind the first NUL, a source: whatever they are, an error is one
 * line, and what is accepted is what it claims to be. */
#include "fuse/source.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
check_error (const GError *error)
{
  g_assert_true (error->domain == VTREE_ERROR);
  g_assert_null (strpbrk (error->message, "\r\n"));
}

static void
check_source (const VtreeMountOptions *options, const char *text)
{
  g_auto (VtreeSource) source = { 0 };
  g_autoptr (GError) error = NULL;
  if (!vtree_source_parse (&source, text, options, &error)) {
    check_error (error);
    return;
  }
  g_assert_true (source.path[0] != '\0');
  g_assert_true (g_str_has_prefix (text, source.path));
  if (source.kind == VTREE_SOURCE_REF && !source.spec.is_digest)
    g_assert_true (vtree_ref_check_name (source.spec.name, NULL));
  if (source.kind == VTREE_SOURCE_STATEMENT)
    g_assert_true (vtree_ref_check_name (options->ref, NULL));
  if (source.kind == VTREE_SOURCE_MANIFEST)
    g_assert_true (options->has_digest);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  size_t length = strlen (text);
  g_autofree char *source
    = length < size ? g_strndup ((const char *) data + length + 1, size - length - 1)
                    : g_strdup ("/srv/repo:app");
  for (int sloppy = 0; sloppy <= 1; sloppy++) {
    g_auto (VtreeMountOptions) options = VTREE_MOUNT_OPTIONS_INIT;
    g_autoptr (GError) error = NULL;
    g_autoptr (GError) check = NULL;
    if (!vtree_mount_options_parse (&options, text, sloppy != 0, &error)) {
      check_error (error);
      continue;
    }
    if (!vtree_mount_options_check (&options, false, &check))
      check_error (check);
    check_source (&options, source);
  }
  return 0;
}
