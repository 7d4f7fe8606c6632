/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs one fuzz target over every file of the directories given, without libFuzzer, so
 * that what a fuzzer once found is checked in every build. Exits 1 if there was nothing
 * to run: an empty corpus proves nothing.
 */
#include <glib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The target's own; libFuzzer fixes the name and the type. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
replay_file (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *data = NULL;
  size_t size = 0;
  if (!g_file_get_contents (path, &data, &size, &error))
    g_error ("%s", error->message);
  /* An exact copy, so that a sanitizer sees a read past the end, never NULL, as from
   * libFuzzer; and the name first, so that a crash says which input it was. */
  g_autofree uint8_t *copy = malloc (size);
  g_assert_nonnull (copy);
  memcpy (copy, data, size);
  printf ("%s\n", path);
  fflush (stdout);
  LLVMFuzzerTestOneInput (copy, size);
}

static unsigned
replay_directory (const char *path)
{
  unsigned count = 0;
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = g_dir_open (path, 0, &error);
  if (dir == NULL)
    g_error ("%s", error->message);
  for (const char *name; (name = g_dir_read_name (dir)) != NULL; count++) {
    g_autofree char *file = g_build_filename (path, name, NULL);
    replay_file (file);
  }
  return count;
}

int
main (int argc, char **argv)
{
  unsigned count = 0;
  for (int i = 1; i < argc; i++)
    count += replay_directory (argv[i]);
  printf ("%u inputs\n", count);
  return count > 0 ? 0 : 1;
}
