/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounts of ours. Owns: the reading of mountinfo, and what a dead mount is; mounts and
 * unmounts nothing, and asks no daemon anything else.
 */
#include "core/mounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

/* A connection that takes longer than this to end is not taken for a dead one. */
#define ENDING_MSEC 2000
#define USEC_PER_MSEC 1000

#define MOUNTINFO "/proc/self/mountinfo"
#define TYPE "fuse.vtree"
/* fields of a line, see proc(5) */
#define FIELD_DIR 4
#define FIELDS_BEFORE_OPTIONAL 6

static void
mount_free (void *item)
{
  VtreeMount *mount = item;

  g_free (mount->dir);
  g_free (mount->source);
  g_free (mount);
}

static bool
is_octal (const char *text)
{
  for (int i = 0; i < 3; i++)
    if (text[i] < '0' || text[i] > '7')
      return false;
  return true;
}

/* FIELD with the kernel's \ooo taken back. */
static char *
unescape (const char *field)
{
  GString *out = g_string_new (NULL);

  while (*field != '\0') {
    if (*field == '\\' && is_octal (field + 1)) {
      g_string_append_c (
        out, (char) ((field[1] - '0') * 64 + (field[2] - '0') * 8 + (field[3] - '0')));
      field += 4;
    } else {
      g_string_append_c (out, *field++);
    }
  }
  return g_string_free (out, FALSE);
}

/* The number behind "user_id=" in the options of a FUSE mount; 0 where it is not. */
static uid_t
parse_user (const char *options)
{
  g_auto (GStrv) words = g_strsplit (options, ",", -1);
  guint64 number = 0;

  for (char **word = words; *word != NULL; word++)
    if (g_str_has_prefix (*word, "user_id="))
      g_ascii_string_to_unsigned (*word + strlen ("user_id="), 10, 0, UINT32_MAX,
                                  &number, NULL);
  return (uid_t) number;
}

/* The mount of LINE, or NULL if it is none of ours. */
static VtreeMount *
parse_line (const char *line)
{
  g_auto (GStrv) fields = g_strsplit (line, " ", -1);
  guint count = g_strv_length (fields);
  guint dash = FIELDS_BEFORE_OPTIONAL;
  VtreeMount *mount;

  while (dash < count && strcmp (fields[dash], "-") != 0)
    dash++;
  if (dash + 3 >= count || strcmp (fields[dash + 1], TYPE) != 0)
    return NULL;
  mount = g_new (VtreeMount, 1);
  mount->dir = unescape (fields[FIELD_DIR]);
  mount->source = unescape (fields[dash + 2]);
  mount->user = parse_user (fields[dash + 3]);
  return mount;
}

GPtrArray *
vtree_mounts_parse (const char *text)
{
  GPtrArray *mounts = g_ptr_array_new_with_free_func (mount_free);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++) {
    VtreeMount *mount = parse_line (*line);

    if (mount != NULL)
      g_ptr_array_add (mounts, mount);
  }
  return mounts;
}

GPtrArray *
vtree_mounts_list (GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) local = NULL;

  if (!g_file_get_contents (MOUNTINFO, &text, NULL, &local)) {
    vtree_error_set (error, VTREE_ERROR_FAILED, "list mounts: %s", local->message);
    return NULL;
  }
  return vtree_mounts_parse (text);
}

const VtreeMount *
vtree_mounts_find (const GPtrArray *mounts, const char *dir)
{
  for (guint i = mounts->len; i > 0; i--) {
    const VtreeMount *mount = mounts->pdata[i - 1];

    if (strcmp (mount->dir, dir) == 0)
      return mount;
  }
  return NULL;
}

/* With io_uring the connection ends some time after its daemon (25 ms have been seen);
 * who asks meanwhile is told one of these. */
static bool
is_ending (int errnum)
{
  return errnum == ECONNABORTED || errnum == ECANCELED;
}

bool
vtree_mounts_is_dead (const char *dir)
{
  struct statfs st;
  int result = statfs (dir, &st);

  for (int i = 0; i < ENDING_MSEC && result != 0 && is_ending (errno); i++) {
    g_usleep (USEC_PER_MSEC);
    result = statfs (dir, &st);
  }
  return result != 0 && errno == ENOTCONN;
}

char *
vtree_mounts_canonical (const char *dir, GError **error)
{
  g_autofree char *whole = g_canonicalize_filename (dir, NULL);
  g_autofree char *parent = g_path_get_dirname (whole);
  g_autofree char *name = g_path_get_basename (whole);
  g_autofree char *escaped = vtree_error_escape (dir, -1);
  char *real = realpath (whole, NULL);

  if (real != NULL || (errno != ENOTCONN && errno != EACCES && errno != ENOENT)) {
    char *copy = real != NULL ? g_strdup (real) : NULL;

    if (real == NULL)
      vtree_error_set_errno (error, errno, "find %s", escaped);
    free (real);
    return copy;
  }
  real = realpath (parent, NULL);
  if (real == NULL) {
    vtree_error_set_errno (error, errno, "find %s", escaped);
    return NULL;
  }
  g_free (whole);
  whole = g_build_filename (real, name, NULL);
  free (real);
  return g_steal_pointer (&whole);
}
